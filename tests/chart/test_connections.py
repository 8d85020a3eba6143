"""Services, budgets and policies reach pods that are there; policies are the table of calls."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from tests.chart.render import (
    CHART,
    CI,
    Object,
    Pod,
    ends,
    has_token,
    kind,
    name,
    objects,
    pods,
    selected,
    template,
)

CALLS: dict[str, list[str]] = yaml.safe_load((CHART / "values.yaml").read_text())["networkPolicy"]["calls"]
OPEN = {"api-gateway", "socket-gateway"}
PORTS = {"api-gateway": 8000, "auth": 8001, "socket-gateway": 8002, "storage": 8003}
PORTS |= {"analytics": 8004, "logging-service": 8005, "redis": 6379, "mongodb": 27017}
# storage's settings ask for it, but its schema is brought up to date without a token.
NOT_CALLED = {("mongodb-init", "AUTH_URL")}


def _component(labels: dict[str, str]) -> str:
    return labels["app.kubernetes.io/component"]


def _selector(each: Object) -> dict[str, str]:
    spec = each["spec"]
    if each["kind"] == "NetworkPolicy":
        found: dict[str, str] = spec["podSelector"]["matchLabels"]
    elif each["kind"] == "Service":
        found = spec["selector"]
    else:
        found = spec["selector"]["matchLabels"]
    return found


def test_everything_that_selects_pods_reaches_one(release: list[Object]) -> None:
    for each in kind(release, "Service", "PodDisruptionBudget", "NetworkPolicy", "Deployment", "StatefulSet"):
        assert selected(_selector(each), release), f"{name(each)} selects no pod"


def test_a_service_leads_to_a_port_that_its_pods_have(release: list[Object]) -> None:
    for each in kind(release, "Service"):
        (pod,) = selected(each["spec"]["selector"], release)
        ports = {port["name"]: port["containerPort"] for port in pod.spec["containers"][0]["ports"]}
        for port in each["spec"]["ports"]:
            assert ports[port["targetPort"]] == port["port"], name(each)


def test_every_workload_has_a_budget_that_lets_go_of_broken_pods(release: list[Object]) -> None:
    budgets = kind(release, "PodDisruptionBudget")
    for budget in budgets:
        assert budget["spec"]["unhealthyPodEvictionPolicy"] == "AlwaysAllow", name(budget)
    for pod in pods(release):
        if not ends(pod):
            covering = [each for each in budgets if _selector(each).items() <= pod.labels.items()]
            assert len(covering) == 1, pod.owner


def test_every_pod_of_the_release_is_denied_everything_first(release: list[Object]) -> None:
    (deny,) = [each for each in kind(release, "NetworkPolicy") if name(each).endswith("-deny-all")]
    assert deny["spec"]["policyTypes"] == ["Ingress", "Egress"]
    assert not {"ingress", "egress"} & set(deny["spec"])
    outside = {pod.owner.rpartition("-")[2] for pod in pods(release)} - {
        pod.owner.rpartition("-")[2] for pod in selected(_selector(deny), release)
    }
    assert outside <= {"stranger"}


def _edges(release: list[Object], way: str) -> set[tuple[str, str, int]]:
    """(caller, callee, port) that the policies of one direction open between pods of the release."""
    found = set()
    for policy in kind(release, "NetworkPolicy"):
        for rule in policy["spec"].get(way, []):
            for peer in rule.get("to" if way == "egress" else "from", []):
                if "podSelector" not in peer or "namespaceSelector" in peer:
                    continue
                here, there = _component(_selector(policy)), _component(peer["podSelector"]["matchLabels"])
                for port in rule["ports"]:
                    ends = (here, there) if way == "egress" else (there, here)
                    found.add((*ends, port["port"]))
    return found


def test_both_ends_of_every_call_are_opened_and_nothing_else(release: list[Object]) -> None:
    there = {_component(pod.labels) for pod in pods(release)}
    stores = {"redis", "mongodb"} & there
    callees = set(PORTS) - {"redis", "mongodb"} | stores
    declared = {
        (caller, callee, PORTS[callee])
        for caller, called in CALLS.items()
        for callee in called
        if callee in callees and caller in there
    }
    assert _edges(release, "egress") == declared
    assert _edges(release, "ingress") == {edge for edge in declared if edge[1] not in OPEN}


def test_only_the_gateways_take_any_caller(release: list[Object]) -> None:
    anybody = {
        _component(_selector(policy))
        for policy in kind(release, "NetworkPolicy")
        for rule in policy["spec"].get("ingress", [])
        if not rule.get("from")
    }
    assert anybody == OPEN


def test_only_the_operator_and_hooks_reach_the_api_server(release: list[Object]) -> None:
    reaching = {
        _component(_selector(policy))
        for policy in kind(release, "NetworkPolicy")
        for rule in policy["spec"].get("egress", [])
        if {"port": 6443, "protocol": "TCP"} in rule.get("ports", [])
    }
    tokens = {_component(pod.labels) for pod in pods(release) if has_token(pod)}
    assert reaching == tokens


def test_whoever_is_called_by_url_is_in_the_table(release: list[Object]) -> None:
    """A URL in a pod's environment that the table does not allow would only show as a timeout."""
    services = {each["metadata"]["name"]: _component(_selector(each)) for each in kind(release, "Service")}
    for pod in pods(release):
        for container in pod.containers:
            for variable in container.get("env", []):
                value = variable.get("value", "")
                used = (_component(pod.labels), variable["name"]) not in NOT_CALLED
                if value.startswith("http://") and used:
                    callee = services[value.removeprefix("http://").partition(":")[0]]
                    _allowed(pod, callee, variable["name"])


def _allowed(pod: Pod, callee: str, variable: str) -> None:
    caller = _component(pod.labels)
    assert callee in CALLS[caller], f"{pod.owner}: {variable} leads to {callee}"


def test_external_stores_leave_no_trace_of_the_bundled_ones() -> None:
    (values,) = [path for path in CI if path.stem == "external-stores"]
    text = template(f"--values={values}")
    release = objects(text)
    for store in ("redis", "mongodb"):
        assert f"deltastream-{store}" not in text.replace("deltastream-mongodb-init", "")
        assert not [pod for pod in pods(release) if _component(pod.labels) == store]
    assert kind(release, "StatefulSet") == []
    blocks = {
        (rule["to"][0]["ipBlock"]["cidr"], rule["ports"][0]["port"])
        for policy in kind(release, "NetworkPolicy")
        for rule in policy["spec"].get("egress", [])
        if "ipBlock" in rule.get("to", [{}])[0]
    }
    assert {("10.20.0.0/24", 6380), ("10.30.0.0/24", 27018)} <= blocks


def test_existing_secrets_are_the_only_ones_that_pods_read() -> None:
    (values,) = [path for path in CI if path.stem == "existing-secrets"]
    release = objects(template(f"--values={values}"))
    read = {
        source["secret"]["name"]
        for pod in pods(release)
        for volume in pod.spec["volumes"]
        for source in volume.get("projected", {}).get("sources", [])
        if "secret" in source
    }
    assert read == {"company-auth", "company-redis", "company-mongodb"}


def test_policies_can_be_switched_off_as_a_whole() -> None:
    assert kind(objects(template("--set=networkPolicy.enabled=false")), "NetworkPolicy") == []


@pytest.mark.parametrize("component", sorted(set(CALLS) - {"smoke", "mongodb"}))
def test_a_call_that_is_taken_off_the_table_is_closed(component: str) -> None:
    callee = CALLS[component][0]
    rest = [each for each in CALLS[component] if each != callee]
    option = f"--set-json=networkPolicy.calls.{component}={str(rest).replace(chr(39), chr(34))}"
    release: list[Any] = objects(template(option, "--set=backup.enabled=true"))
    for way in ("egress", "ingress"):
        assert (component, callee) not in {edge[:2] for edge in _edges(release, way)}
