"""Live and external sources in the cluster: fake exchanges outside of the node, and a pushed market."""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import pytest
import yaml
from devcluster.kube import Cluster
from devcluster.node.machine import Machine
from devcluster.release import NAME, SAMPLES, install
from devcluster.waiting import wait_until

from tests.cluster.connecting import reaches
from tests.cluster.feeds import applied, condition, feed, pods, ready
from tests.cluster.outside import HOSTS, outside
from tests.support import fake_kite
from tests.support.fake_deribit import server as fake_deribit
from tests.support.fake_deribit.market import Market
from tests.support.fake_deribit.server import FakeDeribit
from tests.support.fake_deribit.ticking import ticking
from tests.support.fake_kite import API_KEY, FakeKite
from tests.support.kite_market import KiteMarket

pytestmark = pytest.mark.timeout(600)
GATEWAY = f"svc/{NAME}-api-gateway"
DERIBIT, KITE = "deribit-btc", "kite"


@dataclass(frozen=True)
class Sources:
    """The exchanges, and a release whose values open both, each for its own feed."""

    system: Cluster
    deribit: FakeDeribit
    kite: FakeKite
    neighbour_port: int
    """Of another host of the same network. No policy opens it."""
    gateway: int
    desk: dict[str, str]
    """The account that the values allow to push."""


def call(port: int, path: str, body: Any = None, token: str = "") -> tuple[int, dict[str, Any]]:
    """Return status and JSON of a GET, or of a POST if there is a body."""
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {token}"}
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", data, headers)
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


def register(port: int) -> tuple[dict[str, str], dict[str, Any]]:
    """Return a new account, and its session."""
    account = {"email": f"{uuid.uuid4().hex}@example.com", "password": "correct horse battery"}
    status, session = call(port, "/api/auth/register", account)
    assert status == 201, session
    return account, session


@pytest.fixture(scope="module")
def sources(system: Cluster, machine: Machine) -> Iterator[Sources]:
    """The exchanges run, and the release is upgraded once for all tests. Afterwards it is restored."""
    now_ns = time.time_ns()
    with ExitStack() as stack:
        network = stack.enter_context(outside(machine))
        exchange = FakeDeribit(Market(now_ns // 1_000_000), listener=network.listen(HOSTS[0]))
        stack.enter_context(fake_deribit.running(exchange))
        stack.enter_context(ticking(exchange, "BTC"))
        market = KiteMarket(("NIFTY", "BANKNIFTY", "SENSEX"), now_ns)
        kite = stack.enter_context(fake_kite.running(market, listener=network.listen(HOSTS[0])))
        neighbour = stack.enter_context(network.listen(HOSTS[1], exchange.port))
        with system.forward(GATEWAY, 8000) as port:
            desk, session = register(port)
        opened = {
            DERIBIT: [{"cidrs": [f"{HOSTS[0]}/32"], "port": exchange.port}],
            KITE: [{"cidrs": [f"{HOSTS[0]}/32"], "port": kite.port}],
        }
        install(
            system,
            f"--set-json=networkPolicy.sources={json.dumps(opened)}",
            # Not --set, which reads an id of digits as a number.
            f'--set-json=auth.ingestAccounts=["{session["user"]["id"]}"]',
            within="180s",
        )
        gateway = stack.enter_context(system.forward(GATEWAY, 8000))
        yield Sources(system, exchange, kite, neighbour.getsockname()[1], gateway, desk)
    install(system, within="180s")


@pytest.fixture(scope="module")
def token(sources: Sources) -> str:
    """A token of the account that may push, as the auth service with the new values issues it."""
    auth = "--selector=app.kubernetes.io/component=auth"
    # The old pod also answers, until it has ended. Each login counts towards the account's limit.
    wait_until(lambda: len(sources.system.items("pods", auth)) == 1, "the old pod of auth is gone")
    status, session = call(sources.gateway, "/api/auth/login", sources.desk)
    assert (status, session["user"]["roles"]) == (200, ["ingest"])
    return str(session["token"])


def sample(file: str, source: str, **changes: str) -> dict[str, Any]:
    """A sample feed with changes of its source, such as the fake exchange's URL."""
    body: dict[str, Any] = yaml.safe_load((SAMPLES / file).read_text())
    body["spec"]["source"][source] |= changes
    return body


@pytest.fixture(scope="module")
def deribit_feed(sources: Sources) -> Iterator[str]:
    """The sample of Deribit, which asks the fake exchange."""
    with applied(sources.system, sample("deribit-btc.yaml", "deribit", url=sources.deribit.url)) as name:
        ready(sources.system, name)
        yield name


@contextmanager
def account_at_kite(system: Cluster, token: str) -> Iterator[None]:
    """A Secret with the credentials of Kite for the duration of a block."""
    values = {"api-key": API_KEY, "access-token": token}
    body = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": KITE}, "stringData": values}
    system.apply(json.dumps(body))
    try:
        yield
    finally:
        system.kubectl("delete", "secret", KITE, "--ignore-not-found")


@pytest.fixture(scope="module")
def kite_feed(sources: Sources) -> Iterator[str]:
    """The sample of Kite, which asks the fake Kite."""
    urls = {"url": sources.kite.url, "apiUrl": sources.kite.api_url}
    with (
        account_at_kite(sources.system, sources.kite.token),
        applied(sources.system, sample("instead/kite.yaml", "kite", **urls)) as name,
    ):
        ready(sources.system, name)
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
    wait_until(lambda: is_true(system, kite_feed, "SourceConnected", "SourceAuthorized"), "it is connected")
    sources.kite.expire("token2")
    wait_until(lambda: condition(system, kite_feed, "SourceAuthorized")["status"] == "False", "it is refused")
    refused = condition(system, kite_feed, "SourceAuthorized")
    assert refused["reason"] == "TokenExpired"
    assert "log in at Kite" in refused["message"]
    system.kubectl("patch", "secret", KITE, "--patch", json.dumps({"stringData": {"access-token": "token2"}}))
    # The kubelet looks at a pod's Secrets every 60 to 90 s, and when the pod changes.
    system.kubectl("annotate", "pod", before["metadata"]["name"], "tests/looked-at=now")
    connected = ("SourceConnected", "SourceAuthorized")
    wait_until(lambda: is_true(system, kite_feed, *connected), "it is connected again", 150)
    (after,) = pods(system, kite_feed, "feed-generator")
    assert after["metadata"]["uid"] == before["metadata"]["uid"]
    (container,) = after["status"]["containerStatuses"]
    assert container["restartCount"] == 0, container["lastState"]
    assert is_true(system, kite_feed, "Ready")


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
