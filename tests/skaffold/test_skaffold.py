"""skaffold.yaml builds the nine images, and the chart runs the images that it builds."""

from __future__ import annotations

import json
import re
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from devcluster import tools

ROOT = Path(__file__).resolve().parents[2]
CHART = ROOT / "charts" / "deltastream"
SCHEMA = ROOT.parent / "shared/data/skaffold-v4beta13.schema.json"
STORES = {"docker.io/library/redis", "docker.io/library/mongo"}
Object = dict[str, Any]


@cache
def config() -> Object:
    loaded: Object = yaml.safe_load((ROOT / "skaffold.yaml").read_text())
    return loaded


def dev() -> Object:
    (profile,) = [p for p in config()["profiles"] if p["name"] == "dev"]
    return dict(profile)


def release() -> Object:
    (only,) = config()["deploy"]["helm"]["releases"]
    return dict(only)


def artifacts(owner: Object) -> dict[str, str]:
    """The build context of each image."""
    return {a["image"]: a["context"] for a in owner["build"]["artifacts"]}


def folders() -> set[str]:
    """Every folder with a Dockerfile."""
    found = [*ROOT.glob("services/*/Dockerfile"), *ROOT.glob("operator/Dockerfile")]
    return {str(path.parent.relative_to(ROOT)) for path in found}


def render(*options: str) -> str:
    command = [str(tools.helm()), "template", release()["name"], str(CHART), *options]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def images(text: str) -> set[str]:
    """All images of a render, also of the pods that the operator creates."""
    return set(re.findall(r'^\s*image: "?([^\s"]+)"?$', text, re.MULTILINE))


def as_built(template: str) -> str:
    """A template's value as skaffold fills it in for an image pushed to a default repo."""
    known = {image: re.sub(r"[/.-]", "_", image) for image in artifacts(config())}
    values = {f"{{{{.IMAGE_REPO_{name}}}}}": f"registry.test/{name}" for name in known.values()}
    values |= {f"{{{{.IMAGE_TAG_{name}}}}}": f"of-{name}" for name in known.values()}
    return values[template]


def pods(text: str) -> list[Object]:
    items = [item for item in yaml.safe_load_all(text) if item]
    own = [
        item["spec"]["template"]["spec"] for item in items if item["kind"] in ("Deployment", "StatefulSet")
    ]
    (workloads,) = [i for i in items if i["metadata"]["name"].endswith("feed-workloads")]
    return own + [yaml.safe_load(value)["spec"] for value in workloads["data"].values()]


def test_it_is_valid_against_the_schema_of_its_version() -> None:
    if not SCHEMA.is_file():
        pytest.skip(f"no {SCHEMA.name} beside the repository")
    schema = json.loads(SCHEMA.read_text())
    jsonschema.Draft7Validator(schema).validate(config())
    broken = config() | {"biuld": {}}
    assert not jsonschema.Draft7Validator(schema).is_valid(broken)


@pytest.mark.parametrize("profile", ["", "dev"])
def test_it_builds_every_folder_that_has_a_dockerfile(profile: str) -> None:
    """A profile replaces the whole list of artifacts, so it must contain every image."""
    found = artifacts(dev() if profile else config())
    assert found == {f"deltastream/{Path(folder).name}": folder for folder in folders()}
    assert len(found) == 9


def test_it_builds_what_the_chart_runs() -> None:
    names = {image.rsplit(":", 1)[0] for image in images(render())}
    assert names - STORES == {f"docker.io/{image}" for image in artifacts(config())}


def test_every_pod_gets_the_image_that_was_built() -> None:
    """No component of the chart, its hooks and its feeds keeps the default image."""
    values = {key: as_built(value) for key, value in release()["setValueTemplates"].items()}
    found = images(render(*[f"--set={key}={value}" for key, value in values.items()]))
    names = {re.sub(r"[/.-]", "_", image) for image in artifacts(config())}
    ours = {image for image in found if image.rsplit(":", 1)[0] not in STORES}
    assert ours == {f"registry.test/{name}:of-{name}" for name in names}


def test_both_gateways_are_forwarded() -> None:
    """The forwards target existing ports of existing Services."""
    items = [item for item in yaml.safe_load_all(render()) if item and item["kind"] == "Service"]
    ports = {item["metadata"]["name"]: [p["port"] for p in item["spec"]["ports"]] for item in items}
    forwarded = {forward["resourceName"]: [forward["port"]] for forward in config()["portForward"]}
    assert set(forwarded) == {"deltastream-api-gateway", "deltastream-socket-gateway"}
    assert forwarded == {name: ports[name] for name in forwarded}
    assert {forward["namespace"] for forward in config()["portForward"]} == {release()["namespace"]}


def test_in_dev_the_page_finds_the_forwarded_socket_gateway() -> None:
    """The page comes from one local port and its live data from the other."""
    (patch,) = dev()["patches"]
    local = {forward["resourceName"]: forward["localPort"] for forward in config()["portForward"]}
    set_by_helm = {
        item["metadata"]["name"]: {
            variable["name"]: variable.get("value")
            for variable in item["spec"]["template"]["spec"]["containers"][0]["env"]
        }
        for item in yaml.safe_load_all(render(*patch["value"]["install"]))
        if item and item["kind"] == "Deployment" and item["metadata"]["name"] in local
    }
    page, live = (set_by_helm[f"deltastream-{name}"] for name in ("api-gateway", "socket-gateway"))
    assert page["SOCKET_URL"] == f":{local['deltastream-socket-gateway']}"
    assert f"http://localhost:{local['deltastream-api-gateway']}" in live["CORS_ORIGINS"].split(",")


def test_no_patch_uses_a_list_index() -> None:
    """A patch with an index would change something else as soon as the list changes."""
    paths = [patch["path"] for profile in config()["profiles"] for patch in profile.get("patches", [])]
    assert paths == ["/deploy/helm/flags"]
    assert "flags" not in config()["deploy"]["helm"]


def test_in_dev_every_container_of_the_product_can_receive_changed_code() -> None:
    """/app is a volume that starts as a copy of the image's /app. The root file system stays read-only.

    The stores' containers have no such volume.
    """
    (patch,) = dev()["patches"]
    assert patch["value"]["install"] == patch["value"]["upgrade"]
    ours = 0
    for pod in pods(render(*patch["value"]["install"])):
        volumes = {volume["name"]: volume for volume in pod["volumes"]}
        for container in pod["containers"]:
            assert container["securityContext"]["readOnlyRootFilesystem"] is True
            mounted = [m for m in container["volumeMounts"] if m["mountPath"] == "/app"]
            if container["image"].rsplit(":", 1)[0] in STORES:
                assert not mounted
                continue
            ours += 1
            (mount,) = mounted
            assert "emptyDir" in volumes[mount["name"]]
            (init,) = pod["initContainers"]
            assert init["image"] == container["image"]
            assert init["volumeMounts"] == [{"name": mount["name"], "mountPath": "/code"}]
    assert ours == 10  # nine images; the enricher runs two containers


def test_outside_dev_the_code_comes_from_the_image() -> None:
    containers = [container for pod in pods(render()) for container in pod["containers"]]
    assert not [c["name"] for c in containers for m in c["volumeMounts"] if m["mountPath"] == "/app"]


def test_in_dev_changed_code_is_synced_to_the_images_folders() -> None:
    """Each image's WORKDIR holds its context's folders; the restart makes the process read them."""
    for artifact in dev()["build"]["artifacts"]:
        dockerfile = (ROOT / artifact["context"] / "Dockerfile").read_text()
        folder = re.findall(r"^WORKDIR (\S+)", dockerfile, re.MULTILINE)[-1]
        rules = [{"src": pattern, "dest": folder} for pattern in ("**/*.py", "**/*.lua", "web/**")]
        assert artifact["sync"]["manual"] == rules
        (hook,) = artifact["sync"]["hooks"]["after"]
        assert hook["container"]["command"] == ["sh", "-c", "kill -TERM 1"]
