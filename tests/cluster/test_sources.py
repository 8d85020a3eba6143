"""Live and external sources in the cluster: fake exchanges outside of the node, and a pushed market."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest
from devcluster.kube import Cluster
from devcluster.node.machine import Machine
from devcluster.release import NAME
from devcluster.waiting import wait_until

from tests.cluster.connecting import reaches
from tests.cluster.exchanges import KITE, Sources, account_at_kite, call, exchanges, refresh, register, sample
from tests.cluster.feeds import applied, condition, feed, patch, pods, ready, status
from tests.cluster.outside import HOSTS
from tests.support.fake_kite import API_KEY

pytestmark = pytest.mark.timeout(600)


@pytest.fixture(scope="module")
def sources(system: Cluster, machine: Machine) -> Iterator[Sources]:
    """The release is upgraded once for all tests."""
    with exchanges(system, machine) as found:
        yield found


@pytest.fixture
def token(sources: Sources) -> str:
    """A token of the account that may push, as the auth service with the new values issues it.

    Each test gets its own: one ends after ten minutes, and these tests may take longer.
    """
    auth = "--selector=app.kubernetes.io/component=auth"
    # The old pod also answers, until it has ended. Each login counts towards the account's limit.
    wait_until(lambda: len(sources.system.items("pods", auth)) == 1, "the old pod of auth is gone")
    status, session = call(sources.gateway, "/api/auth/login", sources.desk)
    assert (status, session["user"]["roles"]) == (200, ["ingest"])
    return str(session["token"])


@pytest.fixture(scope="module")
def deribit_feed(sources: Sources) -> Iterator[str]:
    """The sample of Deribit, which asks the fake exchange."""
    with applied(sources.system, sample("deribit-btc.yaml", "deribit", url=sources.deribit.url)) as name:
        ready(sources.system, name)
        yield name


@pytest.fixture(scope="module")
def kite_feed(sources: Sources) -> Iterator[str]:
    """The sample of Kite, which asks the fake Kite. It is applied before its Secret exists."""
    system, urls = sources.system, {"url": sources.kite.url, "apiUrl": sources.kite.api_url}
    with applied(system, sample("instead/kite.yaml", "kite", **urls)) as name:
        ready(system, name)
        wait_until(lambda: condition(system, name, "SourceAuthorized").get("status") == "False", "no token")
        lacking = condition(system, name, "SourceAuthorized")
        assert (lacking["reason"], "api-key" in lacking["message"]) == ("NoToken", True)
        with account_at_kite(system, sources.kite.token):
            refresh(system, name)
            yield name


def is_true(system: Cluster, name: str, *kinds: str) -> bool:
    """Return whether all these conditions of the feed are True."""
    return all(condition(system, name, kind).get("status") == "True" for kind in kinds)


def test_a_deribit_feed_has_the_exchanges_numbers_at_the_gateway(
    sources: Sources, deribit_feed: str, token: str
) -> None:
    """`kubectl apply` is all that its user does: the feed connects, and its chains have volatilities."""

    def chain() -> dict[str, Any]:
        status, answer = call(sources.gateway, "/api/data/chain/BTC?limit=1", token=token)
        return answer["chains"][0] if status == 200 and answer["chains"] else {}

    connected = ("Ready", "SourceConnected", "SourceAuthorized")
    wait_until(lambda: is_true(sources.system, deribit_feed, *connected), "it is connected")
    wait_until(lambda: bool(chain().get("atm_iv")), "a chain with volatilities")
    found = chain()
    assert (found["price_unit"], found["settlement_currency"], len(found["calls"])) == ("USD", "BTC", 30)
    assert found["forward"] == pytest.approx(found["vendor_forward"], rel=0.005)
    assert found["atm_iv"] == pytest.approx(0.6, abs=0.05)  # the fake exchange's smile at the money


def test_only_a_feeds_generator_reaches_its_exchange_and_only_at_the_port_of_the_values(
    sources: Sources, deribit_feed: str, kite_feed: str
) -> None:
    """Neither another host, nor another port, nor another pod."""
    system, host = sources.system, HOSTS[0]
    targets = [
        ("Deribit", host, sources.deribit.port),
        ("Kite", host, sources.kite.port),
        ("neighbour", HOSTS[1], sources.neighbour_port),
    ]
    gateway, *_ = system.items("pods", "--selector=app.kubernetes.io/component=api-gateway")
    callers = {
        "generator of Deribit": pods(system, deribit_feed, "feed-generator")[0],
        "generator of Kite": pods(system, kite_feed, "feed-generator")[0],
        "enricher of Deribit": pods(system, deribit_feed, "worker-enricher")[0],
        "gateway": gateway,
    }
    assert {caller: reaches(system, pod, targets) for caller, pod in callers.items()} == {
        "generator of Deribit": {"Deribit"},
        "generator of Kite": {"Kite"},
        "enricher of Deribit": set(),
        "gateway": set(),
    }


def test_a_new_access_token_in_the_secret_reaches_a_generator_whose_token_has_ended(
    sources: Sources, kite_feed: str
) -> None:
    """Until then the condition says what to do. The pod waits and does not restart."""
    system, (before,) = sources.system, pods(sources.system, kite_feed, "feed-generator")
    connected = ("SourceConnected", "SourceAuthorized")
    wait_until(lambda: is_true(system, kite_feed, *connected), "it is connected", 150)
    sources.kite.expire("token2")
    wait_until(lambda: condition(system, kite_feed, "SourceAuthorized")["status"] == "False", "it is refused")
    refused = condition(system, kite_feed, "SourceAuthorized")
    assert refused["reason"] == "TokenExpired"
    assert "log in at Kite" in refused["message"]
    system.kubectl("patch", "secret", KITE, "--patch", json.dumps({"stringData": {"access-token": "token2"}}))
    refresh(system, kite_feed)
    wait_until(lambda: is_true(system, kite_feed, *connected), "it is connected again", 150)
    (after,) = pods(system, kite_feed, "feed-generator")
    assert after["metadata"]["uid"] == before["metadata"]["uid"]
    (container,) = after["status"]["containerStatuses"]
    assert container["restartCount"] == 0, container["lastState"]
    assert is_true(system, kite_feed, "Ready")


def test_a_feed_that_no_value_lets_out_says_which_value_opens_its_exchange(sources: Sources) -> None:
    """A denied connection looks like a dead exchange. The feed serves nothing, and is Ready to do so."""
    system, body = sources.system, sample("deribit-btc.yaml", "deribit", url=sources.deribit.url)
    body["metadata"]["name"] = "closed"
    body["spec"] |= {
        "products": ["ETH"],
        "source": {"deribit": {"currencies": ["ETH"], "url": sources.deribit.url}},
    }
    with applied(system, body) as name:
        wait_until(lambda: condition(system, name, "SourceConnected").get("status") == "False", "it waits")
        waits = condition(system, name, "SourceConnected")
        assert waits["reason"] in ("Timeout", "Unreachable")
        assert "networkPolicy.sources.closed " in waits["message"]


def test_an_exchange_that_answers_a_page_and_comes_back_is_two_events(
    sources: Sources, deribit_feed: str
) -> None:
    """`kubectl wait` follows the condition, and `kubectl get` shows source and connection."""
    system, arguments = sources.system, (f"dsf/{deribit_feed}", "--timeout=60s")
    system.kubectl("wait", *arguments, "--for=condition=SourceConnected")
    before = condition(system, deribit_feed, "SourceConnected")
    sources.deribit.faults.handshake = 503
    sources.deribit.disconnect()
    system.kubectl("wait", *arguments, "--for=condition=SourceConnected=False")
    wait_until(
        lambda: condition(system, deribit_feed, "SourceConnected")["reason"] == "Unavailable", "the page"
    )
    down = condition(system, deribit_feed, "SourceConnected")
    assert down["lastTransitionTime"] > before["lastTransitionTime"]
    assert is_true(system, deribit_feed, "SourceAuthorized", "Ready")
    head, row = system.kubectl("get", "dsf", deribit_feed).splitlines()
    shown = dict(zip(head.split(), row.split(), strict=True))
    assert (shown["SOURCE"], shown["READY"], shown["CONNECTED"]) == ("deribit", "True", "False")
    sources.deribit.faults.handshake = 0
    system.kubectl("wait", *arguments, "--for=condition=SourceConnected")

    about = f"--field-selector=involvedObject.name={deribit_feed},reason=SourceConnected"
    wait_until(
        lambda: {one["type"] for one in system.items("events", about)} == {"Warning", "Normal"}, "both"
    )


def test_no_credential_is_in_the_pods_the_status_the_events_or_the_logs(
    sources: Sources, kite_feed: str
) -> None:
    """They are in the Secret and in the files of the pod only."""
    system, selector = sources.system, f"--selector=deltastream.dev/feed={kite_feed}"
    texts = [
        system.kubectl(
            "get", "dsf,pods,statefulsets,deployments,events,controllerrevisions", "--output=json"
        ),
        system.kubectl("logs", selector, "--all-containers", "--tail=-1", "--prefix"),
        system.kubectl("logs", f"deployment/{NAME}-operator"),
    ]
    assert "source_disconnected" in texts[1]
    for secret in (API_KEY, sources.kite.token):
        assert not any(secret in text for text in texts), secret


def test_an_account_in_the_values_may_push_and_no_other(sources: Sources, token: str) -> None:
    """The feed gets enrichers only. What is pushed is served, as the market of any other feed."""
    system, product = sources.system, "DESK"
    with applied(system, feed("pushed", products=[product], source={"external": {}})) as name:
        ready(system, name)
        assert pods(system, name, "feed-generator") == []
        path = f"/api/ingest/{name}"
        status, problem = call(
            sources.gateway, path, [tick(name, product)], register(sources.gateway)[1]["token"]
        )
        assert (status, problem["code"]) == (403, "ingest_role_needed")
        assert call(sources.gateway, path, [tick(name, product)])[0] == 401
        message = tick(name, product)

        def accepted() -> bool:  # a new feed is unknown to the gateway for a moment
            status, answer = call(sources.gateway, path, [message], token)
            return status == 200 and answer["accepted"] + answer["repeated"] == 1

        wait_until(accepted, "the message is accepted")
        stored = f"/api/data/underlying/{product}"
        wait_until(
            lambda: bool(call(sources.gateway, stored, token=token)[1].get("ticks")), "it is stored", 60
        )


def test_a_feed_that_gets_another_kind_of_source_keeps_nothing_of_its_exchange(
    sources: Sources, deribit_feed: str
) -> None:
    """Neither conditions nor variables nor reports are left. It is the last test of this feed."""
    system, source = sources.system, {"deribit": None, "synthetic": {}}
    patch(system, deribit_feed, {"products": ["QQQ"], "source": source})
    ready(system, deribit_feed)
    found = status(system, deribit_feed)
    assert found["source"] == "synthetic"
    assert not [one for one in found["conditions"] if one["type"].startswith("Source")]
    (pod,) = pods(system, deribit_feed, "feed-generator")
    (container,) = pod["spec"]["containers"]
    variables = {one["name"]: one.get("value") for one in container["env"]}
    assert variables["SOURCE"] == "synthetic"
    assert not [one for one in variables if one.startswith("DERIBIT")]
    wait_until(lambda: sources.deribit.clients == [], "no connection to the exchange is left")


def tick(name: str, product: str) -> dict[str, Any]:
    """A message of the external feed, with an id that is never used twice."""
    now = time.time_ns()
    identity = {
        "kind": "underlying",
        "mid": f"{now // 10**9}:{now % 10**9 + 1}",
        "feed": name,
        "product": product,
    }
    return {**identity, "ts": now, "sent_ts": now, "replay": 0, "price": 100.5, "truth": None}
