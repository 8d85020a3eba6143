"""The chart passes checkov and the Kubernetes schemas of versions 1.30 to 1.37.

Each scanner starts once for the releases of all ci values files: its start takes longer than its work.
"""

from __future__ import annotations

import copy
import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.chart.render import CI, DIGESTS, NAMESPACE, Object, kind, objects, pods, template
from tests.chart.scanners import CHECKOV, KUBERNETES_VALIDATE, environment

pytestmark = pytest.mark.timeout(300)  # the first run installs the scanner
VERSIONS = [f"1.{minor}" for minor in range(30, 38)]
# Kubernetes has no schema for these: the chart, the Gateway API and the Prometheus operator define them.
OWN_KINDS = {"DeltaStreamFeed", "HTTPRoute", "PodMonitor", "PrometheusRule", "ServiceMonitor"}


def _made_by_the_operator(release: list[Object]) -> list[Object]:
    return [
        {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {
                "name": pod.owner.rpartition(":")[2].replace(".", "-"),
                "namespace": NAMESPACE,
                "labels": pod.labels,
            },
            "spec": pod.spec,
        }
        for pod in pods(release)
        if pod.owner.startswith("ConfigMap/")
    ]


def _checkov(folder: Path, releases: dict[str, list[Object]]) -> dict[str, Any]:
    """Run checkov once over all releases. In each result, `file_path` is `/<release>.yaml`."""
    for stem, release in releases.items():
        (folder / f"{stem}.yaml").write_text(yaml.safe_dump_all(release))
    command = [environment(CHECKOV) / "checkov", f"--directory={folder}", "--framework=kubernetes"]
    command += ["--skip-download", "--output=json", "--soft-fail"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    results: dict[str, Any] = json.loads(done.stdout)["results"]
    return results


@pytest.fixture(scope="module")
def releases() -> dict[str, list[Object]]:
    """The objects of each ci values file, and the operator's pods. Each release is named after its file.

    checkov matches NetworkPolicies to pods by labels alone, across files and namespaces. If all releases had
    the same name, a release without policies would pass because of another release's policies.
    """
    made = {}
    for values in CI:
        release = objects(template(f"--values={values}", f"--values={DIGESTS}", release=values.stem))
        operated = _made_by_the_operator(release)
        assert len(operated) == 2, values.stem
        made[values.stem] = [*release, *operated]
    return made


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory, releases: dict[str, list[Object]]) -> dict[str, Any]:
    """The results of checkov for all releases."""
    return _checkov(tmp_path_factory.mktemp("checkov"), releases)


@pytest.mark.parametrize("values", CI, ids=lambda path: path.stem)
def test_checkov_finds_nothing_and_skips_nothing(
    values: Path, releases: dict[str, list[Object]], results: dict[str, Any]
) -> None:
    def found(which: str) -> list[str]:
        mine = [each for each in results[which] if each["file_path"] == f"/{values.stem}.yaml"]
        return [f"{each['check_id']} {each['resource']}" for each in mine]

    failed = found("failed_checks")
    if values.stem == "openshift":
        # checkov requires a high user id; on OpenShift the cluster assigns it.
        assert {each.partition(" ")[0] for each in failed} == {"CKV_K8S_40"}
    else:
        assert failed == []
    assert found("skipped_checks") == []
    assert results["parsing_errors"] == []
    scanned = {each.partition(" ")[2] for each in found("passed_checks")}
    workloads = kind(releases[values.stem], "Deployment", "StatefulSet", "Job", "CronJob", "Pod")
    missed = {f"{each['kind']}.{NAMESPACE}.{each['metadata']['name']}" for each in workloads} - scanned
    assert missed == set()


def test_checkov_would_find_a_container_that_may_write_and_pods_without_a_network_policy(
    tmp_path: Path, releases: dict[str, list[Object]]
) -> None:
    """The faults are found although another release in the same run has none of them."""
    good = kind(releases["default"], "NetworkPolicy", "Pod")
    bad = copy.deepcopy(kind(releases["minimal"], "Pod"))
    for pod in bad:
        pod["spec"]["containers"][0]["securityContext"]["readOnlyRootFilesystem"] = False
    failed = _checkov(tmp_path, {"good": good, "bad": bad})["failed_checks"]
    assert {each["check_id"] for each in failed} == {"CKV_K8S_22", "CKV2_K8S_6"}
    assert {each["file_path"] for each in failed} == {"/bad.yaml"}


def _problems(given: dict[str, list[Object]]) -> dict[str, list[str]]:
    """Validate lists of objects by name. Returns the problems by the same names."""
    program = Path(__file__).with_name("validate.py")
    command = [environment(KUBERNETES_VALIDATE) / "python", program, *VERSIONS]
    done = subprocess.run(command, input=json.dumps(given), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    problems: dict[str, list[str]] = json.loads(done.stdout)
    return problems


@pytest.fixture(scope="module")
def problems() -> dict[str, list[str]]:
    """The problems of each ci values file's objects, without the kinds that have no Kubernetes schema."""
    given = {}
    for values in CI:
        release = objects(template(f"--values={values}"))  # same name: cached
        known = [each for each in release if each["kind"] not in OWN_KINDS]
        given[values.stem] = [*known, *_made_by_the_operator(release)]
    return _problems(given)


@pytest.mark.parametrize("values", CI, ids=lambda path: path.stem)
def test_every_supported_kubernetes_knows_every_field(values: Path, problems: dict[str, list[str]]) -> None:
    assert problems[values.stem] == []


def test_an_unknown_kind_and_an_unknown_field_are_found() -> None:
    (first, *_) = kind(objects(template()), "Deployment")
    wrong = {"kind": [first | {"kind": "Deploymint"}], "field": [first | {"spec": {"replcias": 1}}]}
    found = _problems(wrong | {"good": [first]})
    assert {name: len(problems) for name, problems in found.items()} == {
        "kind": len(VERSIONS),
        "field": len(VERSIONS),
        "good": 0,
    }
