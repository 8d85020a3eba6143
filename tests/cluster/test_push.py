"""POST /api/ingest/{feed} in the cluster: accounts in the chart's values may push, and no others."""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.request
import uuid
from typing import Any

import pytest
from devcluster.kube import Cluster
from devcluster.release import NAME, install
from devcluster.waiting import wait_until

from tests.cluster.feeds import applied, feed, pods, ready

pytestmark = pytest.mark.timeout(600)
PRODUCT = "DESK"


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


def tick(name: str) -> dict[str, Any]:
    now = time.time_ns()
    identity = {"kind": "underlying", "mid": f"{now // 10**9}:1", "feed": name, "product": PRODUCT}
    return {**identity, "ts": now, "sent_ts": now, "replay": 0, "price": 100.5, "truth": None}


def test_an_account_in_the_values_may_push_and_no_other(system: Cluster) -> None:
    """The feed gets enrichers only. What is pushed is served, as the market of any other feed."""
    account = {"email": f"{uuid.uuid4().hex}@example.com", "password": "correct horse battery"}
    gateway = f"svc/{NAME}-api-gateway"
    try:
        with applied(system, feed("pushed", products=[PRODUCT], source={"external": {}})) as name:
            ready(system, name)
            assert pods(system, name, "feed-generator") == []
            with system.forward(gateway, 8000) as port:
                status, session = call(port, "/api/auth/register", account)
                assert status == 201, session
                status, problem = call(port, f"/api/ingest/{name}", [tick(name)], session["token"])
                assert (status, problem["code"]) == (403, "ingest_role_needed")
            # Not --set, which reads an id of digits as a number.
            install(system, f'--set-json=auth.ingestAccounts=["{session["user"]["id"]}"]', within="180s")
            with system.forward(gateway, 8000) as port:

                def accepted() -> bool:
                    login, entered = call(port, "/api/auth/login", account)
                    return login == 200 and pushed(port, name, entered["token"])

                wait_until(accepted, "the account may push", 60)
                token = call(port, "/api/auth/login", account)[1]["token"]
                path = f"/api/data/underlying/{PRODUCT}"
                wait_until(lambda: bool(call(port, path, token=token)[1].get("ticks")), "it is stored", 60)
    finally:
        install(system, within="180s")


def pushed(port: int, name: str, token: str) -> bool:
    status, answer = call(port, f"/api/ingest/{name}", [tick(name)], token)
    return status == 200 and answer["accepted"] + answer["repeated"] == 1
