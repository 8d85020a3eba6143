"""k8s/base and k8s/overlays are up to date: kubectl builds from them the objects that the chart renders."""

from __future__ import annotations

import subprocess
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from devcluster import tools
from scripts import render_base

ROOT = Path(__file__).resolve().parents[2]
K8S = ROOT / "k8s"
OVERLAYS = ("kind", "minikube", "prod")
HTTP_SERVICES = ("analytics", "api-gateway", "auth", "logging-service", "socket-gateway", "storage")
Object = dict[str, Any]
Key = tuple[str, str]


@cache
def built(folder: str) -> dict[Key, Object]:
    command = [str(tools.kubectl()), "kustomize", str(K8S / folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return by_name(list(yaml.safe_load_all(done.stdout)))


def by_name(items: list[Object]) -> dict[Key, Object]:
    found = {(item["kind"], item["metadata"]["name"]): item for item in items}
    assert len(found) == len(items)
    return found


def generated(folder: Path) -> dict[str, bytes]:
    files = [*folder.glob("base/*"), *folder.glob("overlays/*/*")]
    return {str(f.relative_to(folder)): f.read_bytes() for f in files if f.name != "values.yaml"}


def pod_templates(items: dict[Key, Object]) -> list[Object]:
    """The template of every pod of these objects, also of those that the operator creates."""
    jobs = [item.get("spec", {}).get("jobTemplate", item).get("spec", {}) for item in items.values()]
    own = [spec["template"] for spec in jobs if "template" in spec]
    workloads = items["ConfigMap", "deltastream-feed-workloads"]["data"]
    return own + [yaml.safe_load(text) for text in workloads.values()]


def containers(items: dict[Key, Object]) -> list[Object]:
    specs = [pod["spec"] for pod in pod_templates(items)]
    return [c for spec in specs for c in spec["containers"] + spec.get("initContainers", [])]


def test_the_files_are_up_to_date_with_the_chart(tmp_path: Path) -> None:
    """Fails if `make base` was not run after the last change of the chart or of an overlay's values."""
    render_base.write_all(tmp_path)
    assert generated(K8S) == generated(tmp_path)


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_an_overlay_builds_what_the_chart_renders_with_its_values(overlay: str) -> None:
    """The patches lose nothing and add nothing."""
    wanted = by_name(render_base.with_values(overlay))
    found = dict(built(f"overlays/{overlay}"))
    assert found.pop(("Namespace", "deltastream")) == render_base.namespace()
    crd = found.pop(("CustomResourceDefinition", "deltastreamfeeds.deltastream.dev"))
    assert crd == yaml.safe_load((K8S / "crd/deltastreamfeed.yaml").read_text())
    assert found == wanted


def test_every_overlay_is_tested() -> None:
    assert {folder.name for folder in (K8S / "overlays").iterdir()} == set(OVERLAYS)


def test_the_namespace_admits_only_restricted_pods() -> None:
    labels = built("base")["Namespace", "deltastream"]["metadata"]["labels"]
    assert labels["pod-security.kubernetes.io/enforce"] == "restricted"


def test_the_base_has_no_helm_metadata_and_no_test_hooks() -> None:
    """It contains no object that only Helm would run, and no label that says that Helm manages it."""
    text = "".join(content.decode() for content in generated(K8S).values())
    assert "helm.sh" not in text
    assert "managed-by: Helm" not in text
    names = {name for _, name in built("base")}
    hooks = ("smoke", "unauthorised-client", "crd-upgrade")
    assert not {name for name in names if any(hook in name for hook in hooks)}


def test_the_job_that_creates_the_secrets_has_all_that_it_needs() -> None:
    """Its account, role, plan and network policy exist, and it creates each Secret that a pod mounts."""
    base = built("base")
    (job,) = [o for (kind, name), o in base.items() if kind == "Job" and "-init-secrets-" in name]
    pod = job["spec"]["template"]["spec"]
    assert "ttlSecondsAfterFinished" in job["spec"]
    assert ("ServiceAccount", pod["serviceAccountName"]) in base
    assert base["RoleBinding", "deltastream-init-secrets"]["subjects"][0]["name"] == pod["serviceAccountName"]
    assert ("NetworkPolicy", "deltastream-init-secrets-out") in base
    plan = yaml.safe_load(base["ConfigMap", "deltastream-init-secrets"]["data"]["plan.yaml"])
    made = {secret["name"] for secret in plan["secrets"]}
    rights = base["Role", "deltastream-init-secrets"]["rules"]
    assert made == {name for rule in rights for name in rule.get("resourceNames", [])}
    volumes = [v for template in pod_templates(base) for v in template["spec"]["volumes"]]
    sources = [s for v in volumes for s in v.get("projected", {}).get("sources", [])]
    assert {s["secret"]["name"] for s in sources if "secret" in s} == made


def test_a_changed_job_gets_another_name() -> None:
    """A Job cannot be changed: under the same name the second apply would be refused."""
    names = [{n for kind, n in built(folder) if kind == "Job"} for folder in ("base", "overlays/kind")]
    assert len(names[0]) == 2
    assert not names[0] & names[1]


@pytest.mark.parametrize("overlay", ["kind", "minikube"])
def test_on_a_local_cluster_no_image_is_pulled(overlay: str) -> None:
    """This includes the pods that the operator creates."""
    assert {c["imagePullPolicy"] for c in containers(built(f"overlays/{overlay}"))} == {"Never"}


def test_minikube_is_kind_with_two_other_services() -> None:
    """The settings for images that are loaded into a node exist only in the kind overlay."""
    folder = K8S / "overlays/minikube"
    assert yaml.safe_load((folder / "kustomization.yaml").read_text())["resources"] == ["../kind"]
    changed = yaml.safe_load_all((folder / "changed.yaml").read_text())
    assert {(item["kind"], *item["spec"]) for item in changed} == {("Service", "type")}


def test_minikube_has_both_gateways_as_node_ports() -> None:
    found = built("overlays/minikube")
    types = {name: o["spec"].get("type") for (kind, name), o in found.items() if kind == "Service"}
    exposed = {name for name, kind in types.items() if kind == "NodePort"}
    assert exposed == {"deltastream-api-gateway", "deltastream-socket-gateway"}


def test_prod_has_three_mongodb_members_in_every_place_that_names_them() -> None:
    """The StatefulSet, the Job that initiates the replica set and the Secret's URL name the same three."""
    found = built("overlays/prod")
    assert found["StatefulSet", "deltastream-mongodb"]["spec"]["replicas"] == 3
    member = "deltastream-mongodb-{}.deltastream-mongodb.deltastream.svc:27017"
    members = ",".join(member.format(index) for index in range(3))
    assert f"@{members}/" in found["ConfigMap", "deltastream-init-secrets"]["data"]["plan.yaml"]
    env = [e for c in containers(found) for e in c.get("env", []) if e["name"] == "MONGO_MEMBERS"]
    assert {e["value"] for e in env} == {members}


def test_prod_has_two_replicas_of_every_http_service_and_bigger_volumes() -> None:
    found = built("overlays/prod")
    for service in HTTP_SERVICES:
        assert found["Deployment", f"deltastream-{service}"]["spec"]["replicas"] == 2
    for store, size in {"mongodb": "100Gi", "redis": "20Gi"}.items():
        (claim,) = found["StatefulSet", f"deltastream-{store}"]["spec"]["volumeClaimTemplates"]
        assert claim["spec"]["resources"]["requests"]["storage"] == size


def test_a_patch_names_only_what_differs() -> None:
    """Removed fields become null; containers are matched by name."""
    old = {"kept": 1, "gone": 2, "containers": [{"name": "a", "image": "x"}, {"name": "b", "image": "x"}]}
    new = {"kept": 1, "containers": [{"name": "a", "image": "x"}, {"name": "b", "image": "y"}]}
    assert render_base.patch(old, new) == {"containers": [{"name": "b", "image": "y"}], "gone": None}


def test_a_removal_is_a_patch_file_of_its_own() -> None:
    """kubectl 1.32 crashes on a patch file that removes one object and patches the next."""
    for overlay in OVERLAYS:
        folder = K8S / "overlays" / overlay
        assert "$patch" not in (folder / "changed.yaml").read_text()
        kustomization = yaml.safe_load((folder / "kustomization.yaml").read_text())
        inline = [entry["patch"] for entry in kustomization["patches"] if "patch" in entry]
        assert inline or overlay in render_base.BUILDS_ON
        assert all(len(list(yaml.safe_load_all(text))) == 1 for text in inline)
