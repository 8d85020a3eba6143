"""What others say of the chart: checkov, and Kubernetes' own schemas from 1.30 to 1.37."""

from __future__ import annotations

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
# Their schemas are CustomResourceDefinitions: the chart's own, the Gateway API's, the Prometheus operator's.
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


def _checkov(folder: Path) -> dict[str, Any]:
    command = [environment(CHECKOV) / "checkov", f"--directory={folder}", "--framework=kubernetes"]
    command += ["--skip-download", "--output=json", "--soft-fail"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    report: dict[str, Any] = json.loads(done.stdout)
    return report


@pytest.mark.parametrize("values", CI, ids=lambda path: path.stem)
def test_checkov_finds_nothing_and_skips_nothing(values: Path, tmp_path: Path) -> None:
    release = objects(template(f"--values={values}", f"--values={DIGESTS}"))
    made = _made_by_the_operator(release)
    assert len(made) == 2
    (tmp_path / "release.yaml").write_text(yaml.safe_dump_all([*release, *made]))
    report = _checkov(tmp_path)
    failed = [f"{each['check_id']} {each['resource']}" for each in report["results"]["failed_checks"]]
    assert failed == []
    assert report["summary"]["skipped"] == report["summary"]["parsing_errors"] == 0
    scanned = {each["resource"] for each in report["results"]["passed_checks"]}
    workloads = kind([*release, *made], "Deployment", "StatefulSet", "Job", "CronJob", "Pod")
    missed = {f"{each['kind']}.{NAMESPACE}.{each['metadata']['name']}" for each in workloads} - scanned
    assert missed == set()


def test_checkov_would_find_a_container_that_may_write(tmp_path: Path) -> None:
    release = objects(template(f"--values={DIGESTS}"))
    (pod, _) = _made_by_the_operator(release)
    pod["spec"]["containers"][0]["securityContext"]["readOnlyRootFilesystem"] = False
    (tmp_path / "release.yaml").write_text(yaml.safe_dump(pod))
    assert "CKV_K8S_22" in {each["check_id"] for each in _checkov(tmp_path)["results"]["failed_checks"]}


def _problems(release: list[Object]) -> list[str]:
    program = Path(__file__).with_name("validate.py")
    command = [environment(KUBERNETES_VALIDATE) / "python", program, *VERSIONS]
    text = json.dumps(release)
    done = subprocess.run(command, input=text, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_every_supported_kubernetes_knows_every_field(release: list[Object]) -> None:
    known = [each for each in release if each["kind"] not in OWN_KINDS]
    assert _problems([*known, *_made_by_the_operator(release)]) == []


@pytest.mark.parametrize("change", [{"kind": "Deploymint"}, {"spec": {"replcias": 1}}], ids=str)
def test_an_unknown_kind_and_an_unknown_field_are_found(change: Object) -> None:
    (first, *_) = kind(objects(template()), "Deployment")
    assert len(_problems([first | change])) == len(VERSIONS)
