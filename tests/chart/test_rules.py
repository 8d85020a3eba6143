"""Rules that hold in every release of the chart, whatever its values: for pods, volumes, probes and names."""

from __future__ import annotations

import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.chart.render import (
    CHART,
    CI,
    COMPONENT,
    ROOT,
    Object,
    Pod,
    ends,
    has_token,
    kind,
    name,
    objects,
    pods,
    template,
)

# Only these may talk to the API server.
TOKENS = {"operator", "init-secrets", "crd-upgrade", "smoke"}
LONGEST = "r" * 53  # the longest release name that Helm accepts


def test_every_component_has_a_pod(release: list[Object]) -> None:
    ours = {path.parent.name for path in (ROOT / "services").glob("*/Dockerfile")} | {"operator"}
    assert len(ours) == 9
    assert ours <= {pod.component for pod in pods(release)}


def test_every_object_is_unique_and_names_its_namespace(release: list[Object]) -> None:
    seen = Counter(name(each) for each in release)
    assert [each for each, times in seen.items() if times > 1] == []
    cluster_wide = {"ClusterRole", "ClusterRoleBinding"}
    assert [
        name(each)
        for each in release
        if each["kind"] not in cluster_wide and not each["metadata"].get("namespace")
    ] == []


def test_no_variable_is_set_twice(release: list[Object]) -> None:
    """Server-side apply refuses a duplicate variable, and no linter reports it."""
    for pod in pods(release):
        for container in pod.containers:
            times = Counter(variable["name"] for variable in container.get("env", []))
            assert [each for each, count in times.items() if count > 1] == [], pod.owner


def test_every_mount_has_a_volume_and_every_volume_a_mount(release: list[Object]) -> None:
    for pod in pods(release):
        claims = [
            claim["metadata"]["name"]
            for each in kind(release, "StatefulSet")
            if name(each) == pod.owner
            for claim in each["spec"]["volumeClaimTemplates"]
        ]
        volumes = {volume["name"] for volume in pod.spec["volumes"]} | set(claims)
        mounts = {mount["name"] for container in pod.containers for mount in container["volumeMounts"]}
        assert mounts == volumes, pod.owner


def test_every_path_in_a_containers_settings_is_mounted(release: list[Object]) -> None:
    for pod in pods(release):
        for container in pod.containers:
            folders = tuple(mount["mountPath"] for mount in container["volumeMounts"])
            for path in _paths(container):
                assert path.startswith(folders), f"{pod.owner} {container['name']}: {path}"


def _paths(container: Object) -> list[str]:
    words = [*container.get("command", []), *container.get("args", [])]
    for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
        words += container.get(probe, {}).get("exec", {}).get("command", [])
    words += [variable.get("value", "") for variable in container.get("env", [])]
    return [word.rpartition("=")[2] for word in words if word.rpartition("=")[2].startswith("/")]


def test_every_key_of_a_secret_that_a_variable_names_is_projected(release: list[Object]) -> None:
    for pod in pods(release):
        projected = {path for paths in pod.secret_files.values() for path in paths}
        wanted = {
            Path(variable["value"]).name
            for container in pod.containers
            for variable in container.get("env", [])
            if variable["name"].endswith("_FILE") and variable["value"].startswith("/run/secrets/")
        }
        assert wanted <= projected, pod.owner
        commands = str([container.get("command") for container in pod.containers])
        files = (
            {"users.acl", "operator-password", "keyfile"} if pod.component in ("redis", "mongodb") else set()
        )
        authorities = {"redis-ca.crt", "mongodb-ca.crt"}  # test_tls.py checks which pods get them
        assert projected - wanted - authorities <= files, f"{pod.owner} {commands}"


def test_config_maps_and_accounts_that_pods_name_exist(release: list[Object]) -> None:
    maps = {each["metadata"]["name"]: each["data"] for each in kind(release, "ConfigMap")}
    accounts = {each["metadata"]["name"] for each in kind(release, "ServiceAccount")}
    used = set()
    for pod in pods(release):
        assert pod.spec["serviceAccountName"] in accounts, pod.owner
        for volume in pod.spec["volumes"]:
            if "configMap" in volume:
                used.add(volume["configMap"]["name"])
                content = maps[volume["configMap"]["name"]]
                assert {item["key"] for item in volume["configMap"].get("items", [])} <= set(content)
    # Grafana reads the dashboards; no pod of the release does. Users add the `-extra` maps for their own use.
    others = {each for each in maps if "-dashboard-" in each}
    assert {each for each in set(maps) - used if not each.endswith("-extra")} == others


def test_every_pod_is_hardened(release: list[Object]) -> None:
    for pod in pods(release):
        whole = pod.spec["securityContext"]
        assert whole["runAsNonRoot"] is True, pod.owner
        users = {whole.get(key) for key in ("runAsUser", "runAsGroup", "fsGroup")}
        assert users in ({10001}, {None}), pod.owner  # None on OpenShift, where the cluster assigns ids
        assert whole["seccompProfile"] == {"type": "RuntimeDefault"}, pod.owner
        assert pod.spec["enableServiceLinks"] is False, pod.owner
        assert not {"hostNetwork", "hostPID", "hostIPC"} & set(pod.spec), pod.owner
        for container in pod.containers:
            own = container["securityContext"]
            assert own["allowPrivilegeEscalation"] is False, pod.owner
            assert own["readOnlyRootFilesystem"] is True, pod.owner
            assert own["runAsNonRoot"] is True, pod.owner
            assert own["capabilities"] == {"drop": ["ALL"]}, pod.owner


def test_every_container_has_requests_and_limits(release: list[Object]) -> None:
    for pod in pods(release):
        for container in pod.containers:
            for amounts in ("requests", "limits"):
                given = container["resources"][amounts]
                assert set(given) == {"cpu", "memory", "ephemeral-storage"}, pod.owner


def test_every_scratch_volume_has_a_limit(release: list[Object]) -> None:
    for pod in pods(release):
        for volume in pod.spec["volumes"]:
            assert "hostPath" not in volume, pod.owner
            if "emptyDir" in volume:
                assert volume["emptyDir"]["sizeLimit"], pod.owner


def test_only_the_operator_and_hooks_get_a_token(release: list[Object]) -> None:
    for pod in pods(release):
        assert pod.spec["automountServiceAccountToken"] is False, pod.owner
        assert has_token(pod) is (pod.component in TOKENS), pod.owner
    for account in kind(release, "ServiceAccount"):
        assert account["automountServiceAccountToken"] is False


def test_every_long_running_container_has_three_probes_with_a_port_that_exists(release: list[Object]) -> None:
    for pod in pods(release):
        if ends(pod):
            continue
        for container in pod.spec["containers"]:
            ports = {key for port in container["ports"] for key in (port["name"], port["containerPort"])}
            for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
                settings = container[probe]
                how = settings.get("httpGet") or settings.get("tcpSocket")
                assert how is None or how["port"] in ports, f"{pod.owner} {probe}"


def test_an_http_service_keeps_serving_until_its_endpoint_is_removed(release: list[Object]) -> None:
    """Kubernetes removes a pod's endpoint while the pod stops.

    A service that closes its port at once would refuse connections at every rollout.
    """
    services = {pod.component: pod for pod in pods(release) if _serves_http(pod)}
    assert len(services) == 6
    for component, pod in services.items():
        (container,) = pod.spec["containers"]
        wait_s = container["lifecycle"]["preStop"]["sleep"]["seconds"]
        assert 0 < wait_s < pod.spec["terminationGracePeriodSeconds"] / 2, component


def _serves_http(pod: Pod) -> bool:
    ports = [port["name"] for container in pod.spec["containers"] for port in container.get("ports", [])]
    return pod.owner.startswith("Deployment/") and ports == ["http"] and pod.component != "operator"


def test_the_api_gateway_stays_ready_while_an_upstream_is_unavailable(release: list[Object]) -> None:
    paths = {
        pod.component: pod.spec["containers"][0]["readinessProbe"]["httpGet"]["path"]
        for pod in pods(release)
        if _serves_http(pod)
    }
    assert {component for component, path in paths.items() if path != "/readyz"} == {"api-gateway"}


def test_a_broken_feed_pod_does_not_block_evictions_of_other_feeds_pods(release: list[Object]) -> None:
    """The limit is a percentage of all feeds' pods: with 1 of 20 broken, others can still be evicted."""
    found = {
        each["spec"]["selector"]["matchLabels"][COMPONENT]: each["spec"]["maxUnavailable"]
        for each in kind(release, "PodDisruptionBudget")
    }
    assert {component for component, most in found.items() if most != 1} == {
        "feed-generator",
        "worker-enricher",
    }
    assert found["worker-enricher"] == found["feed-generator"] == "25%"


def test_ports_of_a_pod_have_different_names_and_numbers(release: list[Object]) -> None:
    for pod in pods(release):
        ports = [port for container in pod.containers for port in container.get("ports", [])]
        assert len({port["name"] for port in ports}) == len(ports), pod.owner
        assert len({port["containerPort"] for port in ports}) == len(ports), pod.owner


@pytest.mark.parametrize("values", CI, ids=lambda path: path.stem)
def test_two_renders_are_byte_equal(values: Path) -> None:
    assert template(f"--values={values}") == template(f"--values={values}")


@pytest.mark.parametrize("values", CI, ids=lambda path: path.stem)
def test_a_new_version_changes_no_selector_and_no_claim(values: Path, tmp_path: Path) -> None:
    """Kubernetes refuses to change selectors and claims, so the upgrade would fail."""
    newer = tmp_path / "deltastream"
    shutil.copytree(CHART, newer)
    about = yaml.safe_load((newer / "Chart.yaml").read_text())
    about |= {"version": "9.8.7", "appVersion": "9.8.7"}
    (newer / "Chart.yaml").write_text(yaml.safe_dump(about))
    before, after = (
        _unchangeable(objects(template(f"--values={values}", chart=chart))) for chart in (CHART, newer)
    )
    assert "9.8.7" in template(f"--values={values}", chart=newer)
    assert before == after


def _unchangeable(release: list[Object]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for each in kind(release, "Deployment", "StatefulSet"):
        spec = each["spec"]
        keys = ("selector", "volumeClaimTemplates", "serviceName", "podManagementPolicy")
        found[name(each)] = {key: spec.get(key) for key in keys}
    for each in kind(release, "Service", "PodDisruptionBudget"):
        found[name(each)] = each["spec"]["selector"]
    for each in kind(release, "PersistentVolumeClaim"):
        found[name(each)] = each["spec"]
    return found


@pytest.mark.parametrize("values", CI, ids=lambda path: path.stem)
def test_names_fit_with_the_longest_release_name(values: Path) -> None:
    for each in objects(template(f"--values={values}", release=LONGEST)):
        # A StatefulSet's pods have a label with its name, a number and a hash. A CronJob's Jobs have its name
        # and a time.
        limit = 52 if each["kind"] in ("StatefulSet", "CronJob") else 63
        assert len(each["metadata"]["name"]) <= limit, name(each)
        for value in each["metadata"].get("labels", {}).values():
            assert len(value) <= 63, name(each)


# all-enabled is left out because it sets fullnameOverride.
@pytest.mark.parametrize(
    "values", [path for path in CI if path.stem != "all-enabled"], ids=lambda path: path.stem
)
def test_two_long_releases_do_not_share_a_name(values: Path) -> None:
    first, second = (
        {
            name(each)
            for each in objects(template(f"--values={values}", release=LONGEST[:-1] + end))
            if each["kind"] != "DeltaStreamFeed"  # a feed has the user's name in every release
        }
        for end in "ab"
    )
    assert first & second == set()


def test_copied_files_equal_their_originals() -> None:
    for copy, original in [
        ("crds/deltastreamfeed.yaml", "k8s/crd/deltastreamfeed.yaml"),
        ("files/smoke/recording.csv", "k8s/samples/data/nifty_2024-06-21_close.csv"),
    ]:
        assert (CHART / copy).read_bytes() == (ROOT / original).read_bytes(), copy
