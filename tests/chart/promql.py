"""What alerts and dashboards ask for, and what there is to be asked for: metrics and their labels."""

from __future__ import annotations

import importlib
import json
import re
from collections.abc import Iterable
from functools import cache
from typing import Any, NamedTuple

import yaml
from prometheus_client.metrics import MetricWrapperBase

from deltastream_operator.cluster.metrics import Metrics
from tests.chart.render import CHART, ROOT, Object, kind, selected

RULES = sorted((CHART / "files" / "alerts").glob("*.yaml"))
DASHBOARDS = sorted((CHART / "files" / "dashboards").glob("*.json"))
SUFFIXES = {"counter": ["_total"], "gauge": [""], "histogram": ["_bucket", "_sum", "_count"]}
# By the Prometheus operator: every target of a ServiceMonitor or a PodMonitor has them.
OF_TARGETS = {"namespace", "pod", "container", "endpoint", "job", "instance"}
WORDS = {"absent", "and", "by", "histogram_quantile", "increase", "max", "min", "offset", "or", "rate", "sum"}
WORDS |= {"last_over_time", "unless"}
_SELECTOR = re.compile(r"([a-zA-Z_:][\w:]*)\{([^}]*)\}")
_MATCHER = re.compile(r'\s*(\w+)\s*(=~|!~|!=|=)\s*"([^"]*)"\s*,?')
_GROUPING = re.compile(r"\bby \(([\w, ]+)\)")
_METRIC = re.compile(r"^\w+ = (Counter|Gauge|Histogram)\(", re.MULTILINE)


class Selector(NamedTuple):
    """One `metric{label="value"}` of an expression; matchers by label: operator and value."""

    metric: str
    matchers: dict[str, tuple[str, str]]


class Question(NamedTuple):
    """An expression and where it stands."""

    where: str
    text: str

    def selectors(self) -> list[Selector]:
        """What it selects. Raises ValueError for a metric without braces: no namespace may be forgotten."""
        rest = _GROUPING.sub(" ", _SELECTOR.sub(" ", self.text))
        rest = re.sub(r"\[[^]]*\]|\boffset \w+", " ", rest)
        if unknown := set(re.findall(r"[a-zA-Z_]\w*", rest)) - WORDS:
            raise ValueError(f"{self.where}: {sorted(unknown)}")
        found = []
        for metric, inside in _SELECTOR.findall(self.text):
            if left := _MATCHER.sub("", inside).strip():
                raise ValueError(f"{self.where}: {left!r}")
            matchers = {label: (sign, value) for label, sign, value in _MATCHER.findall(inside)}
            found.append(Selector(metric, matchers))
        return found

    def groupings(self) -> set[str]:
        """Labels that something is summed by."""
        return {label.strip() for inside in _GROUPING.findall(self.text) for label in inside.split(",")}


def alerts() -> list[Object]:
    """Every rule of every file."""
    groups = [group for path in RULES for group in yaml.safe_load(path.read_text())["groups"]]
    return [rule for group in groups for rule in group["rules"]]


def dashboard(name: str) -> Any:
    """A dashboard's JSON."""
    return json.loads((CHART / "files" / "dashboards" / name).read_text())


def questions() -> list[Question]:
    """Expressions of all alerts, panels and variables."""
    found = [Question(rule["alert"], rule["expr"]) for rule in alerts()]
    for path in DASHBOARDS:
        board = dashboard(path.name)
        found += [
            Question(f"{path.name}: {panel['title']}", target["expr"])
            for panel in board["panels"]
            for target in panel["targets"]
        ]
    return found


class Series(NamedTuple):
    """What exports a metric, and the labels that the code gives it."""

    component: str
    labels: set[str]


@cache
def metrics() -> dict[str, Series]:
    """Each series that the code exports, by name."""
    found = _series("operator", vars(Metrics()).values())
    for path in sorted(ROOT.glob("services/*/*/**/*.py")):
        service, *module = path.relative_to(ROOT / "services").with_suffix("").parts
        if "tests" not in module and _METRIC.search(path.read_text()):
            found |= _series(service, vars(importlib.import_module(".".join(module))).values())
    return found


def _series(component: str, values: Iterable[object]) -> dict[str, Series]:
    found = {}
    for each in values:
        if isinstance(each, MetricWrapperBase):
            (about,) = each.describe()
            for suffix in SUFFIXES[about.type]:
                le = {"le"} if suffix == "_bucket" else set[str]()
                found[about.name + suffix] = Series(component, {*each._labelnames, *le})
    return found


class Target(NamedTuple):
    """A container that a monitor has scraped, and the labels that Prometheus gives its series."""

    component: str
    container: str
    labels: set[str]


def targets(release: list[Object]) -> list[Target]:
    """All that the release's monitors have scraped."""
    found = []
    for each in kind(release, "ServiceMonitor", "PodMonitor"):
        (pod,) = selected(each["spec"]["selector"]["matchLabels"], release)
        named = {
            port["name"]: container["name"]
            for container in pod.spec["containers"]
            for port in container["ports"]
        }
        for endpoint in each["spec"].get("endpoints") or each["spec"]["podMetricsEndpoints"]:
            labels = OF_TARGETS | {rule["targetLabel"] for rule in endpoint.get("relabelings", [])}
            component = pod.labels["app.kubernetes.io/component"]
            found.append(Target(component, named[endpoint["port"]], labels))
    return found
