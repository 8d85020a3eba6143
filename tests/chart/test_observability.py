"""Alerts and dashboards pass promtool, and use only metrics and labels that exist."""

from __future__ import annotations

import json
import re
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.chart.prometheus import promtool
from tests.chart.promql import (
    DASHBOARDS,
    RULES,
    Question,
    Series,
    Target,
    alerts,
    dashboard,
    metrics,
    questions,
    targets,
)
from tests.chart.render import CHART, NAMESPACE, ROOT, Object, kind, objects, template

UNIT_TESTS = sorted((Path(__file__).parent / "alerts").glob("*.yaml"))
ALERTS = [rule["alert"] for rule in alerts()]
ON = ("--set=metrics.enabled=true,alerts.enabled=true,dashboards.enabled=true",)
ALL = f"--values={CHART / 'ci' / 'all-enabled.yaml'}"
UP = Series("", set())  # Prometheus itself adds `up` for every target
by_promtool = pytest.mark.timeout(900)  # the first run builds it


@cache
def _rendered(*options: str) -> list[Object]:
    return objects(template(*options))


def _rules(release: list[Object]) -> list[Object]:
    (one,) = kind(release, "PrometheusRule")
    return [rule for group in one["spec"]["groups"] for rule in group["rules"]]


def _boards(release: list[Object]) -> list[Object]:
    return [each for each in kind(release, "ConfigMap") if "-dashboard-" in each["metadata"]["name"]]


@by_promtool
def test_promtool_accepts_the_rule_files_the_rendered_rules_and_every_panel(tmp_path: Path) -> None:
    (made,) = kind(_rendered(*ON), "PrometheusRule")
    (tmp_path / "rules.yaml").write_text(yaml.safe_dump(made["spec"]))
    # The panels' expressions as rules, with the value that Grafana would insert for the variable.
    panels = [
        {"record": f"panel:{number}", "expr": re.sub(r"\$__rate_interval", "5m", asked.text)}
        for number, asked in enumerate(questions())
        if asked.where not in ALERTS
    ]
    (tmp_path / "panels.yaml").write_text(yaml.safe_dump({"groups": [{"name": "panels", "rules": panels}]}))
    for files in (RULES, [tmp_path / "rules.yaml"], [tmp_path / "panels.yaml"]):
        passed, output = promtool("check", "rules", "--lint=all", "--lint-fatal", *files)
        assert passed, output


@by_promtool
@pytest.mark.parametrize("tests", UNIT_TESTS, ids=lambda path: path.stem)
def test_alerts_fire_when_they_should_and_only_then(tests: Path) -> None:
    passed, output = promtool("test", "rules", tests)
    assert passed, output


@by_promtool
@pytest.mark.parametrize("alert", ALERTS)
def test_an_alerts_unit_tests_fail_if_its_metric_has_another_name(alert: str, tmp_path: Path) -> None:
    """Each alert's unit tests really depend on its expression: with metrics that do not exist they fail."""
    (rules,) = [path for path in RULES if f"alert: {alert}\n" in path.read_text()]
    content = yaml.safe_load(rules.read_text())
    for rule in content["groups"][0]["rules"]:
        if rule["alert"] == alert:
            rule["expr"] = re.sub(r"\b(\w+)\{", r"other_\1{", rule["expr"])
    (tmp_path / "rules.yaml").write_text(yaml.safe_dump(content))
    tests = yaml.safe_load((Path(__file__).parent / "alerts" / rules.name).read_text())
    (tmp_path / "tests.yaml").write_text(yaml.safe_dump(tests | {"rule_files": ["rules.yaml"]}))
    passed, output = promtool("test", "rules", tmp_path / "tests.yaml")
    assert not passed
    assert f"alertname: {alert}," in output


def test_every_alert_is_tested_firing_and_silent() -> None:
    cases = [
        case
        for path in UNIT_TESTS
        for test in yaml.safe_load(path.read_text())["tests"]
        for case in test["alert_rule_test"]
    ]
    assert {case["alertname"] for case in cases if case["exp_alerts"]} == set(ALERTS)
    assert {case["alertname"] for case in cases if not case["exp_alerts"]} == set(ALERTS)


@pytest.mark.parametrize("rule", alerts(), ids=lambda rule: rule["alert"])
def test_an_alert_has_a_severity_its_namespace_and_a_runbook(rule: Object) -> None:
    assert rule["labels"]["severity"] in ("warning", "critical")
    assert set(rule["annotations"]) == {"summary", "description", "runbook"}
    assert "$labels.namespace" in rule["annotations"]["description"]
    asked = Question(rule["alert"], rule["expr"])
    named = set(re.findall(r"\$labels\.(\w+)", str(rule["annotations"])))
    # An alert has only the labels that its rule is grouped by. With absent() it has those of the matchers.
    assert named <= (asked.groupings() or set(asked.selectors()[0].matchers))
    assert asked.groupings() - {"le", "namespace"} <= named
    assert rule["annotations"]["runbook"] == f"docs/alerts.md#{rule['alert'].lower()}"


def test_each_alert_has_a_runbook_section_with_a_command() -> None:
    sections = re.split(r"^#+ ", (ROOT / "docs" / "alerts.md").read_text(), flags=re.MULTILINE)
    found = {text.partition("\n")[0]: text for text in sections if text.startswith("DeltaStream")}
    assert sorted(found) == sorted(ALERTS)
    assert [alert for alert, text in found.items() if "`kubectl " not in text] == []


@pytest.mark.parametrize("asked", questions(), ids=lambda asked: asked.where)
def test_metrics_and_labels_of_alerts_and_dashboards_exist(asked: Question) -> None:
    _exists(asked, targets(_rendered(*ON)))


def _exists(asked: Question, scraped: list[Target]) -> None:
    buckets = any(selector.metric.endswith("_bucket") for selector in asked.selectors())
    assert buckets is ("le" in asked.groupings())
    for selector in asked.selectors():
        component, labels = UP if selector.metric == "up" else metrics()[selector.metric]
        given = [target.labels for target in scraped if component in ("", target.component)]
        known = labels | set.intersection(*given)
        assert asked.groupings() - {"le"} <= known, selector.metric
        assert set(selector.matchers) <= known, selector.metric
        for label, (_, value) in selector.matchers.items():
            # The monitors set namespace, feed and container; a status is an HTTP status code.
            if label not in ("namespace", "feed", "container", "status"):
                assert f'"{value}"' in _source(component), f"{selector.metric} {label}={value}"


@cache
def _source(component: str) -> str:
    folder = ROOT / ("operator/deltastream_operator" if component == "operator" else f"services/{component}")
    return "".join(path.read_text() for path in folder.rglob("*.py") if "tests" not in path.parts)


@pytest.mark.parametrize(
    "text",
    [
        'sum by (namespace) (rate(gateway_request_total{namespace="a"}[5m]))',
        'sum by (feed) (rate(gateway_requests_total{namespace="a"}[5m]))',
        'sum by (namespace) (rate(enricher_refused_total{namespace="a", cause="x"}[5m]))',
        'max by (feed) (operator_ready_replicas{namespace="a", component="enriching"})',
        "sum by (namespace) (rate(gateway_requests_total[5m]))",
    ],
    ids=["metric", "grouping", "label", "value", "no namespace"],
)
def test_a_missing_metric_or_label_is_found(text: str) -> None:
    with pytest.raises((AssertionError, KeyError, ValueError)):
        _exists(Question("made up", text), targets(_rendered(*ON)))


def test_every_alert_is_about_the_namespace_of_the_release() -> None:
    for rule in _rules(_rendered(*ON)):
        for selector in Question(rule["alert"], rule["expr"]).selectors():
            assert selector.matchers["namespace"] == ("=", NAMESPACE), rule["alert"]


def test_the_target_down_alert_covers_every_scraped_container() -> None:
    (rule,) = [rule for rule in alerts() if rule["alert"] == "DeltaStreamTargetDown"]
    (selector,) = Question(rule["alert"], rule["expr"]).selectors()
    sign, value = selector.matchers["container"]
    assert (sign, value.split("|")) == ("=~", sorted(target.container for target in targets(_rendered(*ON))))


def test_monitors_alerts_and_dashboards_are_off_by_default() -> None:
    assert kind(_rendered(), "PrometheusRule", "ServiceMonitor", "PodMonitor") == []
    assert _boards(_rendered()) == []


def test_alerts_have_the_labels_given_and_not_those_left_out() -> None:
    (made,) = kind(_rendered(ALL), "PrometheusRule")
    assert made["metadata"]["labels"]["release"] == "prometheus"
    assert {rule["alert"] for rule in _rules(_rendered(ALL))} == set(ALERTS) - {"DeltaStreamLimitsInMemory"}
    assert [rule["alert"] for rule in _rules(_rendered(*ON))] == ALERTS
    groups = kind(_rendered(*ON), "PrometheusRule")[0]["spec"]["groups"]
    assert len({group["name"] for group in groups}) == len(RULES)


def test_the_schema_lists_every_alert_that_can_be_left_out() -> None:
    schema = json.loads((CHART / "values.schema.json").read_text())
    assert schema["properties"]["alerts"]["properties"]["without"]["items"]["enum"] == sorted(ALERTS)


def test_the_metrics_of_each_alert_are_on_a_dashboard() -> None:
    """Somebody whom an alert wakes looks there first. Prometheus has a page of its own for `up`."""
    alerted, shown = set[str](), set[str]()
    for asked in questions():
        names = {re.sub("_(bucket|count)$", "", selector.metric) for selector in asked.selectors()}
        (alerted if asked.where in ALERTS else shown).update(names)
    assert alerted - shown == {"up"}


def test_dashboards_reach_grafana_unchanged() -> None:
    boards = _boards(_rendered(ALL))
    texts = [text for each in boards for text in each["data"].values()]
    assert [json.loads(text) for text in texts] == [dashboard(path.name) for path in DASHBOARDS]
    for each in boards:
        assert {"grafana_dashboard": "1", "team": "options"}.items() <= each["metadata"]["labels"].items()
        annotations = {
            "grafana_folder": "DeltaStream",
            "example.com/desk": "options",
        }  # and the common one
        assert each["metadata"]["annotations"] == annotations
    (first, *_) = _boards(_rendered(*ON))
    assert first["metadata"]["labels"]["grafana_dashboard"] == "1"
    assert "annotations" not in first["metadata"]


@pytest.mark.parametrize("name", [path.name for path in DASHBOARDS])
def test_a_dashboard_has_its_variables_and_its_panels_do_not_overlap(name: str) -> None:
    board = dashboard(name)
    variables = {each["name"]: each for each in board["templating"]["list"]}
    assert variables["datasource"]["query"] == "prometheus"
    assert "namespace" in variables
    assert ("feed" in variables) == (name == "feeds.json")
    used = set(re.findall(r"\$(\w+)", json.dumps([board["panels"], board["templating"]])))
    assert used - {"__rate_interval", "__all"} == set(variables)
    taken: set[tuple[int, int]] = set()
    for panel in board["panels"]:
        assert {panel["datasource"]["uid"], *(each["datasource"]["uid"] for each in panel["targets"])} == {
            "$datasource"
        }
        here = _cells(panel["gridPos"])
        assert not here & taken, panel["title"]
        assert max(x for x, _ in here) < 24
        taken |= here
    assert len({panel["id"] for panel in board["panels"]}) == len(board["panels"])


def _cells(place: dict[str, Any]) -> set[tuple[int, int]]:
    columns, rows = range(place["x"], place["x"] + place["w"]), range(place["y"], place["y"] + place["h"])
    return {(x, y) for x in columns for y in rows}


@pytest.mark.parametrize("name", [path.name for path in DASHBOARDS])
def test_a_dashboards_variables_query_existing_metrics(name: str) -> None:
    for variable in dashboard(name)["templating"]["list"]:
        if variable["type"] == "query":
            found = re.fullmatch(r"label_values\((\w+)(?:\{.*\})?, (\w+)\)", variable["query"]["query"])
            assert found
            metric, label = found.groups()
            assert label in metrics()[metric].labels | {"namespace"}


def test_dashboards_have_different_ids() -> None:
    assert len({dashboard(path.name)["uid"] for path in DASHBOARDS}) == len(DASHBOARDS) == 2
