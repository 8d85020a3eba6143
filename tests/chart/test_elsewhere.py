"""The chart in unusual clusters: OpenShift, IPv6, umbrella charts, mirrors, names that look like numbers."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.chart.render import BLOCKS, CHART, Object, ci, ends, kind, name, objects, pods, template

SERVICE_NAME = re.compile(r"[a-z]([-a-z0-9]{0,61}[a-z0-9])?")
STORES = {"redis", "mongodb"}
DEFAULTS = yaml.safe_load((CHART / "values.yaml").read_text())
USERS = {"runAsUser", "runAsGroup", "fsGroup"}


def _rendered(*options: str, **where: Any) -> list[Object]:
    return objects(template(*options, **where))


def _images(release: list[Object]) -> set[str]:
    return {container["image"] for pod in pods(release) for container in pod.containers}


def _blocks(release: list[Object]) -> set[str]:
    """All addresses in NetworkPolicies."""
    return {
        peer["ipBlock"]["cidr"]
        for policy in kind(release, "NetworkPolicy")
        for rule in policy["spec"].get("egress", [])
        for peer in rule.get("to", [])
        if "ipBlock" in peer
    }


def _texts(value: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every value that Kubernetes requires as a string: names, namespaces, labels, addresses, arguments."""
    if isinstance(value, dict):
        for key, inner in value.items():
            wanted = key in ("name", "namespace", "cidr", "image", "serviceName", "value", "host")
            if wanted and not isinstance(inner, dict | list) and path[-1:] != ("httpGet",):
                yield (*path, key), inner
            elif key in ("labels", "annotations", "matchLabels", "args", "command"):
                yield from (
                    ((*path, key), each) for each in (inner.values() if isinstance(inner, dict) else inner)
                )
            yield from _texts(inner, (*path, str(key)))
    elif isinstance(value, list):
        for inner in value:
            yield from _texts(inner, path)


@pytest.mark.parametrize(
    "text", ["1e3", "true", "null", "0x10", "123", "on", "a.b", "3-deltastream", "9" * 53]
)
def test_names_that_yaml_would_read_as_other_types_stay_strings(text: str) -> None:
    """This holds for the names of a release, its namespace, a feed and the DNS namespace.

    Every Service's name still begins with a letter.
    """
    options = ["--set=metrics.enabled=true,backup.enabled=true,ingress.enabled=true"]
    options += [f"--set-string=networkPolicy.dns.namespace={text},global.storageClass={text}"]
    options += [f"--namespace={text.replace('.', '-')}"]
    options += [f'--set-json=feeds={{"{text[:40].replace(".", "-")}":{{"products":["A"],"source":{{}}}}}}']
    release = _rendered(*options, release=text)
    found = list(_texts(release)) + [
        each
        for config_map in kind(release, "ConfigMap")
        for key, inner in config_map["data"].items()
        if key in ("generator.yaml", "enricher.yaml", "plan.yaml")
        for each in _texts(yaml.safe_load(inner))
    ]
    assert len(found) > 500
    assert [(path, value) for path, value in found if not isinstance(value, str)] == []
    for each in kind(release, "Service"):
        assert SERVICE_NAME.fullmatch(each["metadata"]["name"]), name(each)


def test_a_name_override_that_looks_like_null_stays_a_string() -> None:
    release = _rendered("--set-string=fullnameOverride=null", "--set=ingress.enabled=true")
    assert "null" in {each["metadata"]["name"] for each in kind(release, "Ingress")}


def test_addresses_of_both_families_are_strings_in_every_policy() -> None:
    """`::/0` without quotes is invalid YAML."""
    assert "::/0" in _blocks(_rendered("--set-string=networkPolicy.apiServer.cidr=::/0"))
    both = _rendered('--set-json=networkPolicy.apiServer.cidrs=["::/0","fd00::/8"]')
    assert _blocks(both) == {"0.0.0.0/0", "::/0", "fd00::/8"}
    outside = {"2001:db8:1::/64", "2001:db8:2::/64", "fd00:10:96::a/128", "::/0"}
    assert _blocks(ci("ipv6")) == outside


def test_every_process_gets_the_listen_address() -> None:
    """HOST reaches all services and probe servers, also those of the operator and the feeds.

    By default HOST is not set, so the image's default applies.
    """
    for release, host in ((ci("default"), None), (ci("all-enabled"), "::")):
        for pod in pods(release):
            for container in pod.spec["containers"]:
                env = {each["name"]: each.get("value") for each in container.get("env", [])}
                expected = None if ends(pod) or pod.component in STORES else host
                assert env.get("HOST") == expected, f"{pod.owner} {container['name']}"
                if container["name"] == "mongodb":
                    assert ("--ipv6" in container["command"]) is (host == "::")


def test_every_service_has_the_configured_ip_families() -> None:
    for each in kind(ci("all-enabled"), "Service"):
        assert each["spec"]["ipFamilyPolicy"] == "PreferDualStack", name(each)
        assert each["spec"]["ipFamilies"] == ["IPv4", "IPv6"], name(each)
        assert each["metadata"]["annotations"]["example.com/balancer"] == "internal", name(each)
    for each in kind(ci("default"), "Service"):
        assert not {"ipFamilyPolicy", "ipFamilies"} & set(each["spec"])


@pytest.mark.parametrize(
    "options",
    [
        ["--set=global.compatibility.openshift.adaptSecurityContext=force"],
        ["--api-versions=security.openshift.io/v1"],
        [
            "--set=podSecurityContext.runAsUser=null,podSecurityContext.runAsGroup=null,podSecurityContext.fsGroup=null"
        ],
    ],
    ids=["forced", "found", "null"],
)
def test_no_pod_names_a_user_on_openshift(options: list[str]) -> None:
    """This includes hooks, Jobs and feeds. Every setting that `restricted` requires stays."""
    release = _rendered(*options, "--set=backup.enabled=true")
    assert len(pods(release)) == 19
    for pod in pods(release):
        assert not USERS & set(pod.security), pod.owner
        assert pod.security["runAsNonRoot"] is True, pod.owner
        assert pod.security["seccompProfile"] == {"type": "RuntimeDefault"}, pod.owner
        for container in pod.containers:
            assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}, pod.owner
            assert not USERS & set(container["securityContext"]), pod.owner


def test_users_stay_on_openshift_where_that_is_disabled() -> None:
    disabled = "--set=global.compatibility.openshift.adaptSecurityContext=disabled"
    for pod in pods(_rendered("--api-versions=security.openshift.io/v1", disabled)):
        assert pod.security["runAsUser"] == 10001


@pytest.mark.parametrize("off", ["podSecurityContext=null", "podSecurityContext.enabled=false"])
def test_a_components_security_context_can_be_removed_alone(off: str) -> None:
    """The global value removes all of them at once."""
    for block, label in BLOCKS.items():
        if block in ("operator", "workerEnricher", "mongodb"):
            release = _rendered(f"--set={block}.{off}")
            without = {pod.component for pod in pods(release) if not pod.security}
            hooks = (
                {"crd-upgrade", "init-secrets", "smoke", "unauthorised-client"}
                if block == "operator"
                else set()
            )
            assert without == {label} | hooks, block
    assert not any(pod.security for pod in pods(_rendered(f"--set={off}")))


@pytest.mark.parametrize("off", ["containerSecurityContext=null", "containerSecurityContext.enabled=false"])
def test_container_security_contexts_can_be_removed(off: str) -> None:
    for pod in pods(_rendered(f"--set={off}", f"--set=auth.{off}")):
        assert not any("securityContext" in container for container in pod.containers), pod.owner


def test_a_components_key_overrides_the_common_one_and_null_removes_it() -> None:
    own = '--set-json=redis.podSecurityContext={"runAsUser":999,"runAsGroup":null}'
    (redis,) = [pod for pod in pods(_rendered(own)) if pod.component == "redis"]
    common = {key: value for key, value in pods(ci("default"))[0].security.items() if key != "runAsGroup"}
    assert redis.security == common | {"runAsUser": 999}


def test_a_mirror_replaces_docker_io_and_other_registries_are_kept() -> None:
    mirror = "mirror.example.com:5000/docker"
    found = _images(ci("shared-values"))
    assert {image.rpartition(":")[0] for image in found} >= {
        f"{mirror}/library/redis",
        f"{mirror}/library/mongo",
        f"{mirror}/deltastream/auth",
    }
    assert all(image.startswith(f"{mirror}/") for image in found)
    options = (
        "global.imageRegistry=m.example.com/,mongodb.image.repository=mongo,auth.image.repository=team/auth"
    )
    options += ",storage.image.repository=quay.io/team/storage,redis.image.repository=localhost/redis"
    found = _images(_rendered(f"--set={options}"))
    assert {"m.example.com/team/auth:0.1.0", "quay.io/team/storage:0.1.0"} <= found
    assert {"m.example.com/mongo:6.0", "localhost/redis:7.2-bookworm"} <= found
    own = _images(_rendered("--set=global.imageRegistry=m.example.com,image.registry=own.example.com"))
    assert {image.partition("/")[0] for image in own} == {"own.example.com", "m.example.com"}


def test_pull_secrets_of_both_values_are_merged_without_duplicates() -> None:
    for pod in pods(ci("shared-values")):
        assert pod.spec["imagePullSecrets"] == [{"name": "mirror-login"}, {"name": "second-login"}], pod.owner


def test_a_claim_uses_its_own_storage_class_or_else_the_shared_one() -> None:
    release = ci("shared-values")
    claims = [each["spec"]["volumeClaimTemplates"][0] for each in kind(release, "StatefulSet")]
    claims += kind(release, "PersistentVolumeClaim")
    assert sorted(claim["spec"]["storageClassName"] for claim in claims) == ["fast", "fast", "slow"]
    none = _rendered("--set=global.storageClass=-")
    (claim, *_) = [each["spec"]["volumeClaimTemplates"][0] for each in kind(none, "StatefulSet")]
    assert claim["spec"]["storageClassName"] == ""


PARENT = """
apiVersion: v2
name: desk
version: 1.0.0
dependencies: [{name: deltastream, version: "*", condition: deltastream.enabled}]
"""
GLOBAL = {
    "imageRegistry": "mirror.example.com",
    "imagePullSecrets": [{"name": "login"}],
    "storageClass": "fast",
    "compatibility": {"openshift": {"adaptSecurityContext": "force"}},
    "somebodyElses": {"setting": 1},
}


def test_an_umbrella_chart_can_set_all_of_this_in_its_values(tmp_path: Path) -> None:
    """A null in a parent chart's values never reaches a subchart, so every switch also has another value."""
    shutil.copytree(CHART, tmp_path / "charts/deltastream")
    (tmp_path / "Chart.yaml").write_text(PARENT)
    below = {"enabled": True, "auth": {"podSecurityContext": {"enabled": False}}}
    (tmp_path / "values.yaml").write_text(yaml.safe_dump({"global": GLOBAL, "deltastream": below}))
    (tmp_path / "direct.yaml").write_text(yaml.safe_dump({"global": GLOBAL, **below}))
    umbrella = _rendered(chart=tmp_path)
    assert {name(each): each for each in umbrella} == {
        name(each): each for each in _rendered(f"--values={tmp_path}/direct.yaml")
    }
    assert all(image.startswith("mirror.example.com/") for image in _images(umbrella))
    for pod in pods(umbrella):
        assert not USERS & set(pod.security), pod.owner
        assert bool(pod.security) is (pod.component != "auth")


def test_no_policy_selects_pods_of_other_charts_in_the_release() -> None:
    """Other charts' pods under an umbrella chart share the instance label; deny-all must not match them."""
    for policy in kind(ci("default"), "NetworkPolicy"):
        labels = policy["spec"]["podSelector"]["matchLabels"]
        ours = labels.get("app.kubernetes.io/name") == "deltastream"
        assert ours or labels == {"app.kubernetes.io/component": "unauthorised-client"}


def test_null_lists_of_hosts_render() -> None:
    """Null lists of hosts, as a values file may set them, render."""
    assert _rendered("--set-json=ingress.hosts=null", "--set-json=httpRoute.hostnames=null")


def test_null_means_empty_for_every_setting_that_may_be_empty(tmp_path: Path) -> None:
    """Users write null to remove a default, often for settings that are empty anyway."""
    values: Object = {
        block: {key: None for key, value in DEFAULTS[block].items() if value in ({}, [], {"annotations": {}})}
        for block in BLOCKS
    }
    for block in values.values():  # here null removes the context instead of keeping the default
        del block["podSecurityContext"], block["containerSecurityContext"]
    values |= dict.fromkeys(("global", "commonLabels", "commonAnnotations", "listenAddress", "dnsConfig"))
    values |= {"ipFamilyPolicy": None, "ipFamilies": None, "image": {"pullSecrets": None}}
    values["networkPolicy"] = {"apiServer": {"cidrs": None}, "dns": {"cidrs": None}}
    file = tmp_path / "values.yaml"
    file.write_text(yaml.safe_dump(values))
    assert objects(template(f"--values={file}")) == ci("default")


def test_large_numbers_are_rendered_without_an_exponent(tmp_path: Path) -> None:
    """Helm reads the numbers of a values file as floats, and would print large ones as 1e+06."""
    file = tmp_path / "values.yaml"
    file.write_text(
        "apiGateway: {rateLimitPerMinute: 1000000}\n"
        "redis: {memoryMi: 1048576}\n"
        "mongodb: {memoryMi: 1048576, cacheMi: 1048576}\n"
        "podSecurityContext: {runAsUser: 1000700000}\n"
    )
    text = template(f"--values={file}")
    assert "e+" not in re.sub(r"description: .*", "", text)
    (gateway,) = [pod for pod in pods(objects(text)) if pod.component == "api-gateway"]
    env = {each["name"]: each.get("value") for each in gateway.spec["containers"][0]["env"]}
    assert env["RATE_LIMIT_PER_MINUTE"] == "1000000"
