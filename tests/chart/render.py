"""Render the chart with Helm, and list the pods that a release and its operator create."""

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
COMPONENT = "app.kubernetes.io/component"  # the label that names a pod's component
# Each component's block in values.yaml, and the component label of its pods.
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
    """Helm rejected the chart or its values; the text is Helm's output."""


class Pod(NamedTuple):
    """A pod that the release creates. `owner` names the object or the operator's template that defines it."""

    owner: str
    labels: dict[str, str]
    spec: Object

    @property
    def containers(self) -> list[Object]:
        """All containers and init containers."""
        return [*self.spec.get("initContainers", []), *self.spec["containers"]]

    @property
    def component(self) -> str:
        """The value of its component label."""
        return self.labels[COMPONENT]

    @property
    def security(self) -> Object:
        """Its securityContext; empty if it has none."""
        found: Object = self.spec.get("securityContext", {})
        return found

    @property
    def projected(self) -> list[Object]:
        """The sources of all its projected volumes."""
        volumes = self.spec["volumes"]
        return [source for volume in volumes for source in volume.get("projected", {}).get("sources", [])]

    @property
    def secret_files(self) -> dict[str, set[str]]:
        """The files that it mounts from Secrets, by the Secret's name."""
        found: dict[str, set[str]] = {}
        for source in self.projected:
            if "secret" in source:
                paths = {item["path"] for item in source["secret"]["items"]}
                found.setdefault(source["secret"]["name"], set()).update(paths)
        return found


def helm(*arguments: str) -> str:
    """Run helm and return its output. Raises Refused with Helm's error text if it fails."""
    # A render takes a fifth of a second and 70 MB. Garbage collection would be a quarter of its work.
    env = os.environ | {"GOGC": "off"}
    done = subprocess.run([tools.helm(), *arguments], env=env, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise Refused(done.stdout + done.stderr)
    return done.stdout


def template(*options: str, release: str = "deltastream", chart: Path = CHART) -> str:
    """Render the whole release and its hooks as YAML."""
    return helm("template", release, str(chart), f"--namespace={NAMESPACE}", *options)


def objects(text: str) -> list[Object]:
    """Parse a render into its objects."""
    return [each for each in yaml.load_all(text, yaml.CSafeLoader) if each]


@cache
def ci(stem: str) -> list[Object]:
    """The objects of the release with the values of `ci/{stem}.yaml`."""
    return objects(template(f"--values={CHART / 'ci' / stem}.yaml"))


def name(each: Object) -> str:
    """Kind and name, for messages of failed tests."""
    return f"{each['kind']}/{each['metadata']['name']}"


def kind(release: list[Object], *kinds: str) -> list[Object]:
    """The objects of these kinds."""
    return [each for each in release if each["kind"] in kinds]


def pods(release: list[Object]) -> list[Pod]:
    """One pod for each workload, each hook and each pod template that the operator reads."""
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
    """The pods whose labels match a selector."""
    return [pod for pod in pods(release) if selector.items() <= pod.labels.items()]


def ends(pod: Pod) -> bool:
    """True if the pod runs to completion: it belongs to a Job or a CronJob."""
    return pod.owner.startswith(("Job/", "CronJob/"))


def has_token(pod: Pod) -> bool:
    """True if the pod gets a token for the API server."""
    return any("serviceAccountToken" in source for source in pod.projected)
