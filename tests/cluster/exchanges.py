"""Fake exchanges outside of the node, and a release whose values open each for its own feed."""

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

import yaml
from devcluster.kube import Cluster
from devcluster.node.machine import Machine
from devcluster.release import NAME, SAMPLES, install

from tests.cluster.feeds import pods
from tests.cluster.outside import HOSTS, outside
from tests.support import fake_kite
from tests.support.fake_deribit import server as fake_deribit
from tests.support.fake_deribit.market import Market
from tests.support.fake_deribit.server import FakeDeribit
from tests.support.fake_deribit.ticking import ticking
from tests.support.fake_kite import API_KEY, FakeKite
from tests.support.kite_market import KiteMarket

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


@contextmanager
def exchanges(system: Cluster, machine: Machine) -> Iterator[Sources]:
    """Run the exchanges, and open them in the values of the release. Afterwards restore the values."""
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


def sample(file: str, source: str, **changes: str) -> dict[str, Any]:
    """A sample feed with changes of its source, such as the fake exchange's URL."""
    body: dict[str, Any] = yaml.safe_load((SAMPLES / file).read_text())
    body["spec"]["source"][source] |= changes
    return body


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


def refresh(system: Cluster, name: str) -> None:
    """Let the kubelet look at the Secret of the feed's generator: when a pod changes, and each 60 to 90 s."""
    (pod,) = pods(system, name, "feed-generator")
    system.kubectl("annotate", "pod", pod["metadata"]["name"], "tests/looked-at=now", "--overwrite")
