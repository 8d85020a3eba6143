"""The chart as Helm renders it, and the pods that come of it: the operator's templates too."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import yaml
from devcluster import tools

ROOT = Path(__file__).resolve().parents[2]
CHART = ROOT / "charts" / "deltastream"
CI = sorted((CHART / "ci").glob("*.yaml"))
NAMESPACE = "trading"
DIGESTS = Path(__file__).with_name("digests.yaml")
Object = dict[str, Any]
# A component's block in values.yaml, and what its pods are labelled with.
BLOCKS = {
    "operator": "operator",
    "feedGenerator": "feed-generator",
    "workerEnricher": "worker-enricher",
    "auth": "auth",
    "storage": "storage",
    "analytics": "analytics",
    "apiGateway": "api-gateway",
    "socketGateway": "socket-gateway",
    "loggingService": "logging-service",
    "redis": "redis",
    "mongodb": "mongodb",
    "backup": "backup",
}


class Refused(Exception):
    """Helm did not accept the chart or its values; the text is what it said."""


class Pod(NamedTuple):
    """A pod that the release leads to: `owner` names what makes it."""

    owner: str
    labels: dict[str, str]
    spec: Object

    @property
    def containers(self) -> list[Object]:
        """All containers, those before the start included."""
        return [*self.spec.get("initContainers", []), *self.spec["containers"]]

    @property
    def component(self) -> str:
        """What it is a part of the product as."""
        return self.labels["app.kubernetes.io/component"]

    @property
    def security(self) -> Object:
        """Its securityContext; empty if it has none."""
        found: Object = self.spec.get("securityContext", {})
        return found


def helm(*arguments: str) -> str:
    """What helm prints. Raises Refused with what it says of an error."""
    # A render lives for a fifth of a second and takes 70 MB: to collect its garbage is a quarter of its work.
    env = os.environ | {"GOGC": "off"}
    done = subprocess.run([tools.helm(), *arguments], env=env, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise Refused(done.stdout + done.stderr)
    return done.stdout


def template(*options: str, release: str = "deltastream", chart: Path = CHART) -> str:
    """The whole release as YAML, hooks included."""
    return helm("template", release, str(chart), f"--namespace={NAMESPACE}", *options)


def objects(text: str) -> list[Object]:
    """The objects of a render."""
    return [each for each in yaml.load_all(text, yaml.CSafeLoader) if each]


@cache
def ci(stem: str) -> list[Object]:
    """The objects of the release with the values of `ci/{stem}.yaml`."""
    return objects(template(f"--values={CHART / 'ci' / stem}.yaml"))


def name(each: Object) -> str:
    """Kind and name, for people."""
    return f"{each['kind']}/{each['metadata']['name']}"


def kind(release: list[Object], *kinds: str) -> list[Object]:
    """The objects of these kinds."""
    return [each for each in release if each["kind"] in kinds]


def pods(release: list[Object]) -> list[Pod]:
    """A pod for each workload, hook and template of the operator."""
    return list(_pods(release))


def _pods(release: list[Object]) -> Iterator[Pod]:
    for each in kind(release, "Deployment", "StatefulSet", "Job", "CronJob"):
        made = each["spec"].get("jobTemplate", each)["spec"]["template"]
        yield Pod(name(each), made["metadata"]["labels"], made["spec"])
    for each in kind(release, "ConfigMap"):
        if each["metadata"]["name"].endswith("-feed-workloads"):
            for key, text in each["data"].items():
                made = yaml.safe_load(text)
                yield Pod(f"{name(each)}:{key}", made["metadata"]["labels"], made["spec"])


def selected(selector: dict[str, str], release: list[Object]) -> list[Pod]:
    """The pods that a selector's labels reach."""
    return [pod for pod in pods(release) if selector.items() <= pod.labels.items()]


def ends(pod: Pod) -> bool:
    """Whether the pod does one thing and is done."""
    return pod.owner.startswith(("Job/", "CronJob/"))


def has_token(pod: Pod) -> bool:
    """Whether the pod gets a token for the API server."""
    sources = [s for volume in pod.spec["volumes"] for s in volume.get("projected", {}).get("sources", [])]
    return any("serviceAccountToken" in source for source in sources)
