"""Services, disruption budgets and policies select existing pods; policies open the declared calls only."""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml

from tests.chart.render import (
    CHART,
    COMPONENT,
    Object,
    Pod,
    Refused,
    ci,
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
# storage's settings require this URL, but updating its schema needs no token.
NOT_CALLED = {("mongodb-init", "AUTH_URL")}


def _selector(each: Object) -> dict[str, str]:
    spec = each["spec"]
    if each["kind"] == "NetworkPolicy":
        found: dict[str, str] = spec["podSelector"]["matchLabels"]
    elif each["kind"] == "Service":
        found = spec["selector"]
    else:
        found = spec["selector"]["matchLabels"]
    return found


def test_every_selector_matches_a_pod(release: list[Object]) -> None:
    for each in kind(release, "Service", "PodDisruptionBudget", "NetworkPolicy", "Deployment", "StatefulSet"):
        assert selected(_selector(each), release), f"{name(each)} selects no pod"


def test_a_service_targets_a_port_of_its_pods(release: list[Object]) -> None:
    for each in kind(release, "Service"):
        (pod,) = selected(each["spec"]["selector"], release)
        ports = {port["name"]: port["containerPort"] for port in pod.spec["containers"][0]["ports"]}
        for port in each["spec"]["ports"]:
            assert ports[port["targetPort"]] == port["port"], name(each)


def test_every_workload_has_a_budget_that_allows_evicting_broken_pods(release: list[Object]) -> None:
    budgets = kind(release, "PodDisruptionBudget")
    for budget in budgets:
        assert budget["spec"]["unhealthyPodEvictionPolicy"] == "AlwaysAllow", name(budget)
    for pod in pods(release):
        if not ends(pod):
            covering = [each for each in budgets if _selector(each).items() <= pod.labels.items()]
            assert len(covering) == 1, pod.owner


def test_the_deny_all_policy_covers_every_pod_but_the_unauthorised_client(release: list[Object]) -> None:
    (deny,) = [each for each in kind(release, "NetworkPolicy") if name(each).endswith("-deny-all")]
    assert deny["spec"]["policyTypes"] == ["Ingress", "Egress"]
    assert not {"ingress", "egress"} & set(deny["spec"])
    outside = {pod.owner for pod in pods(release)} - {pod.owner for pod in selected(_selector(deny), release)}
    assert all(owner.endswith("-unauthorised-client") for owner in outside), outside


def _edges(release: list[Object], way: str) -> set[tuple[str, str, int]]:
    """The (caller, callee, port) that the policies of one direction open between pods of the release."""
    found = set()
    for policy in kind(release, "NetworkPolicy"):
        for rule in policy["spec"].get(way, []):
            for peer in rule.get("to" if way == "egress" else "from", []):
                if COMPONENT not in peer.get("podSelector", {}).get("matchLabels", {}):
                    continue
                if "namespaceSelector" in peer:
                    continue
                here, there = _selector(policy)[COMPONENT], peer["podSelector"]["matchLabels"][COMPONENT]
                for port in rule["ports"]:
                    ends = (here, there) if way == "egress" else (there, here)
                    found.add((*ends, port["port"]))
    return found


def test_policies_open_both_ends_of_every_declared_call_and_nothing_else(release: list[Object]) -> None:
    there = {pod.component for pod in pods(release)}
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


def test_only_the_pods_of_named_writers_reach_redis_from_outside_the_release() -> None:
    """A program that appends to the stream of its feed is no component. Its pods need a label."""
    release = objects(template("--set=redis.writers={mine,other}"))
    (redis,) = [
        each for each in kind(release, "NetworkPolicy") if each["metadata"]["name"] == "deltastream-redis-in"
    ]
    (rule,) = redis["spec"]["ingress"]
    others = [peer for peer in rule["from"] if "matchLabels" not in peer.get("podSelector", {})]
    expression = {"key": "deltastream.dev/writer", "operator": "In", "values": ["mine", "other"]}
    assert others == [{"podSelector": {"matchExpressions": [expression]}}]


def test_only_the_gateways_accept_any_caller(release: list[Object]) -> None:
    anybody = {
        _selector(policy)[COMPONENT]
        for policy in kind(release, "NetworkPolicy")
        for rule in policy["spec"].get("ingress", [])
        if not rule.get("from")
    }
    assert anybody == OPEN


def test_only_the_operator_and_hooks_reach_the_api_server(release: list[Object]) -> None:
    reaching = {
        _selector(policy)[COMPONENT]
        for policy in kind(release, "NetworkPolicy")
        for rule in policy["spec"].get("egress", [])
        if {"port": 6443, "protocol": "TCP"} in rule.get("ports", [])
    }
    tokens = {pod.component for pod in pods(release) if has_token(pod)}
    assert reaching == tokens


def test_every_url_in_an_environment_is_a_declared_call(release: list[Object]) -> None:
    """A URL in a pod's environment that the table does not allow would show only as a timeout."""
    services = {each["metadata"]["name"]: _selector(each)[COMPONENT] for each in kind(release, "Service")}
    for pod in pods(release):
        for container in pod.containers:
            for variable in container.get("env", []):
                value = variable.get("value", "")
                used = (pod.component, variable["name"]) not in NOT_CALLED
                if value.startswith("http://") and used:
                    callee = services[value.removeprefix("http://").partition(":")[0]]
                    _allowed(pod, callee, variable["name"])


def _allowed(pod: Pod, callee: str, variable: str) -> None:
    caller = pod.component
    assert callee in CALLS[caller], f"{pod.owner}: {variable} leads to {callee}"


def test_with_external_stores_nothing_of_the_bundled_ones_is_rendered() -> None:
    text = template(f"--values={CHART / 'ci' / 'external-stores.yaml'}")
    release = objects(text)
    for store in ("redis", "mongodb"):
        assert f"deltastream-{store}" not in text.replace("deltastream-mongodb-init", "")
        assert not [pod for pod in pods(release) if pod.component == store]
    assert kind(release, "StatefulSet") == []
    blocks = {
        (rule["to"][0]["ipBlock"]["cidr"], rule["ports"][0]["port"])
        for policy in kind(release, "NetworkPolicy")
        for rule in policy["spec"].get("egress", [])
        if "ipBlock" in rule.get("to", [{}])[0]
    }
    assert {("10.20.0.0/24", 6380), ("10.30.0.0/24", 27018)} <= blocks


def test_with_existing_secrets_pods_read_no_others() -> None:
    read = {name for pod in pods(ci("existing-secrets")) for name in pod.secret_files}
    assert read == {"company-auth", "company-redis", "company-mongodb"}


def test_policies_can_be_switched_off_as_a_whole() -> None:
    assert kind(objects(template("--set=networkPolicy.enabled=false")), "NetworkPolicy") == []


@pytest.mark.parametrize("component", sorted(set(CALLS) - {"smoke", "mongodb"}))
def test_a_call_removed_from_the_table_is_blocked(component: str) -> None:
    callee = CALLS[component][0]
    rest = [each for each in CALLS[component] if each != callee]
    option = f"--set-json=networkPolicy.calls.{component}={str(rest).replace(chr(39), chr(34))}"
    release: list[Any] = objects(template(option, "--set=backup.enabled=true"))
    for way in ("egress", "ingress"):
        assert (component, callee) not in {edge[:2] for edge in _edges(release, way)}


def test_only_the_generators_of_a_live_feed_may_call_its_exchange() -> None:
    """The policy selects one feed's generators, and opens the named addresses on the named port only."""
    values = {"deribit-btc": [{"cidrs": ["203.0.113.0/24", "2001:db8::/32"], "port": 443}]}
    rendered = objects(template(f"--set-json=networkPolicy.sources={json.dumps(values)}"))
    (policy,) = [
        each for each in kind(rendered, "NetworkPolicy") if name(each).endswith("source-deribit-btc")
    ]
    selector = _selector(policy)
    assert (selector[COMPONENT], selector["deltastream.dev/feed"]) == ("feed-generator", "deribit-btc")
    assert policy["spec"]["policyTypes"] == ["Egress"]
    assert policy["spec"]["egress"] == [
        {
            "ports": [{"port": 443, "protocol": "TCP"}],
            "to": [{"ipBlock": {"cidr": "203.0.113.0/24"}}, {"ipBlock": {"cidr": "2001:db8::/32"}}],
        }
    ]
    assert not [each for each in kind(objects(template()), "NetworkPolicy") if "-source-" in name(each)]


@pytest.mark.parametrize(
    "wrong",
    [
        "www.deribit.com",
        "203.0.113.10",
        "300.0.113.0/24",
        "203.0.113.0/33",
        "010.0.0.0/8",
        "2001:db8::1",
        "2001:db8::/129",
        "1:2:3/64",
        "1::2::3/64",
    ],
)
def test_addresses_of_an_exchange_that_are_no_cidr_are_refused_with_what_to_write(wrong: str) -> None:
    """The API server would refuse them in the middle of an upgrade, and a host name is what people have."""
    values = {"deribit-btc": [{"cidrs": ["203.0.113.0/24", wrong], "port": 443}]}
    with pytest.raises(
        Refused, match=r"networkPolicy\.sources\.deribit-btc\.cidrs: .*getent ahosts"
    ) as refused:
        template(f"--set-json=networkPolicy.sources={json.dumps(values)}")
    assert str(refused.value).count(f'"{wrong}"') == 1


def test_an_exchange_may_have_addresses_of_both_families() -> None:
    """Every form of an IPv6 address is accepted."""
    cidrs = [
        "0.0.0.0/0",
        "255.255.255.255/32",
        "::/0",
        "2001:db8::10/128",
        "1:2:3:4:5:6:7:8/128",
        "fe80::/10",
    ]
    values = {"kite": [{"cidrs": cidrs, "port": 443}]}
    rendered = objects(template(f"--set-json=networkPolicy.sources={json.dumps(values)}"))
    (policy,) = [each for each in kind(rendered, "NetworkPolicy") if name(each).endswith("source-kite")]
    assert [peer["ipBlock"]["cidr"] for peer in policy["spec"]["egress"][0]["to"]] == cidrs
