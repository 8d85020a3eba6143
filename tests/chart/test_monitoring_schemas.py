"""Monitors and alert rules are valid by the schemas of the Prometheus operator's CRDs."""

from __future__ import annotations

from functools import cache
from typing import Any

import jsonschema
import pytest

from tests.chart.prometheus import schema
from tests.chart.render import CHART, Object, kind, name, objects, template

PLURALS = {
    "PodMonitor": "podmonitors",
    "PrometheusRule": "prometheusrules",
    "ServiceMonitor": "servicemonitors",
}


@cache
def _validator(kind_: str) -> jsonschema.Draft202012Validator:
    return jsonschema.Draft202012Validator(schema(PLURALS[kind_]))


def _errors(each: Object) -> list[str]:
    found = _validator(each["kind"]).iter_errors(each)
    return [f"{name(each)} {error.json_path}: {error.message}" for error in found]


def _release() -> list[Object]:
    return kind(objects(template(f"--values={CHART / 'ci' / 'all-enabled.yaml'}")), *PLURALS)


def test_the_prometheus_operator_knows_every_field() -> None:
    release = _release()
    assert {each["kind"] for each in release} == set(PLURALS)
    assert [error for each in release for error in _errors(each)] == []


@pytest.mark.parametrize(
    ("kind_", "path", "value"),
    [
        ("PodMonitor", ["spec", "podMetricsEndpoints", 0, "relabelings", 0, "target"], "feed"),
        ("PodMonitor", ["spec", "podMetricsEndpoints", 0, "interval"], "often"),
        ("ServiceMonitor", ["spec", "endpoint"], []),
        ("PrometheusRule", ["spec", "groups", 0, "rules", 0, "severity"], "critical"),
    ],
)
def test_a_wrong_field_is_found(kind_: str, path: list[Any], value: Any) -> None:
    release = [each for each in _release() if "operator" not in name(each)]
    (each, *_) = kind(release, kind_)
    inner: Any = each
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = value
    assert _errors(each)
