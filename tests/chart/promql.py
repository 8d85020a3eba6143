"""The PromQL of alerts and dashboards, and the metrics and labels that the code really exports."""

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
# The Prometheus operator adds these labels to every target of a ServiceMonitor or a PodMonitor.
OF_TARGETS = {"namespace", "pod", "container", "endpoint", "job", "instance"}
WORDS = {"absent", "and", "by", "histogram_quantile", "increase", "max", "min", "offset", "or", "rate", "sum"}
WORDS |= {"last_over_time", "unless"}
_SELECTOR = re.compile(r"([a-zA-Z_:][\w:]*)\{([^}]*)\}")
_MATCHER = re.compile(r'\s*(\w+)\s*(=~|!~|!=|=)\s*"([^"]*)"\s*,?')
_GROUPING = re.compile(r"\bby \(([\w, ]+)\)")
_METRIC = re.compile(r"^\w+ = (Counter|Gauge|Histogram)\(", re.MULTILINE)


class Selector(NamedTuple):
    """One `metric{label="value"}` of an expression. `matchers` maps a label to its operator and value."""

    metric: str
    matchers: dict[str, tuple[str, str]]


class Question(NamedTuple):
    """A PromQL expression. `where` names the alert or the panel that contains it."""

    where: str
    text: str

    def selectors(self) -> list[Selector]:
        """The selectors of the expression.

        Raises ValueError if a metric has no braces: every selector must name its namespace.
        """
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
        """The labels of all `by (…)` clauses."""
        return {label.strip() for inside in _GROUPING.findall(self.text) for label in inside.split(",")}


def alerts() -> list[Object]:
    """The alert rules of all files."""
    groups = [group for path in RULES for group in yaml.safe_load(path.read_text())["groups"]]
    return [rule for group in groups for rule in group["rules"]]


def dashboard(name: str) -> Any:
    """Parse a dashboard's JSON file."""
    return json.loads((CHART / "files" / "dashboards" / name).read_text())


def questions() -> list[Question]:
    """The expressions of all alerts and of all dashboard panels."""
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
    """The component that exports a metric, and the labels that its code sets."""

    component: str
    labels: set[str]


@cache
def metrics() -> dict[str, Series]:
    """The series that the code exports, by name."""
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
    """A container that a monitor selects for scraping, and the labels that Prometheus adds to its series."""

    component: str
    container: str
    labels: set[str]


def targets(release: list[Object]) -> list[Target]:
    """The targets of all monitors of the release."""
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
            found.append(Target(pod.component, named[endpoint["port"]], labels))
    return found
