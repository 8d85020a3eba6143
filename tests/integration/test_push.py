"""Programs push messages into the external feed `pushed` of the running system, as users do."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from typing import Any

import pytest
import redis
from devcluster.waiting import wait_until

from tests.integration.conftest import OPERATOR
from tests.support.contracts import example
from tests.support.local_system import ROOT, LocalSystem

pytestmark = pytest.mark.timeout(400)  # the first test also waits for the system
FEED, PRODUCT = "pushed", "DESK"


def environment(system: LocalSystem) -> dict[str, str]:
    """What the examples read, for the account of the local run that has the role ingest."""
    account = {"EMAIL": OPERATOR, "PASSWORD": "test123"}
    return {**os.environ, **account, "BASE_URL": system.url(""), "FEED": FEED, "PRODUCT": PRODUCT}


def tick(price: float) -> dict[str, Any]:
    return {"kind": "underlying", "product": PRODUCT, "ts": time.time_ns(), "price": price}


def chain() -> dict[str, Any]:
    """The contract's example, as a chain of DESK that lives now and expires in 30 days."""
    now, day_ns = time.time_ns(), 86_400 * 10**9
    settles = now // day_ns * day_ns + 30 * day_ns + day_ns // 2
    expiry = time.strftime("%Y-%m-%d", time.gmtime(settles / 1e9))
    made = {**example("market-option_chain"), "product": PRODUCT, "ts": now, "expiry": expiry}
    for added in ("mid", "feed", "sent_ts", "replay", "truth"):
        del made[added]
    return {**made, "expiry_ts": settles}


def push(
    system: LocalSystem, *messages: dict[str, Any] | str, feed: str = FEED
) -> subprocess.CompletedProcess[str]:
    """Run the Python example with these messages on its standard input. The last line has no newline."""
    return subprocess.run(
        [sys.executable, ROOT / "examples/push.py", feed],
        input="\n".join(one if isinstance(one, str) else json.dumps(one) for one in messages),
        env=environment(system),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
def test_the_curl_example_is_accepted_once(system: LocalSystem) -> None:
    """It sends its tick twice; the second answer says so."""
    done = subprocess.run(
        [ROOT / "examples/push.sh"], env=environment(system), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    first, again = map(json.loads, done.stdout.splitlines())
    assert (first["accepted"], again["repeated"]) == (1, 1)
    mid = first["lines"][0]["mid"]
    with system.database() as database:
        wait_until(lambda: database["underlying_ticks"].count_documents({"mid": mid}) == 1, "it is stored")


def test_the_python_example_s_messages_become_analytics(system: LocalSystem) -> None:
    """A chain gets its forward and its volatilities. A wrong line is named, and the others are accepted."""
    done = push(system, {**tick(1.0), "price": "x"}, "[1]", "{", tick(23501.1), chain())
    assert done.returncode == 0, done.stderr
    assert sum(int(line.split()[1].rstrip(",")) for line in done.stdout.splitlines()) == 2, done.stdout
    assert "$.price" in done.stderr
    assert done.stderr.count("no JSON object") == 2, done.stderr
    path = f"/api/data/chain/{PRODUCT}?limit=1"
    wait_until(lambda: (system.call(path)[1] or {}).get("chains"), "the chain is stored")
    stored = system.get(path)["chains"][0]
    sent = example("market-option_chain")
    puts, calls = (sum(sent[side]["open_interest"]) for side in ("puts", "calls"))
    assert stored["forward"] == pytest.approx(23465, rel=0.01)
    assert stored["pcr_oi"] == pytest.approx(puts / calls)
    assert any(leg["iv"] for leg in stored["calls"])


def test_the_python_example_says_why_a_request_is_refused(system: LocalSystem) -> None:
    """The gateway's sentence instead of a traceback."""
    done = push(system, tick(1.0), feed="no-such-feed")
    assert (done.returncode, done.stderr.splitlines()) == (1, [done.stderr.strip()])
    assert done.stderr.startswith("404: no feed no-such-feed")


def test_an_external_feed_has_enrichers_only(system: LocalSystem) -> None:
    """Nothing of the product writes its market."""

    def row() -> dict[str, Any]:
        return next(one for one in system.get("/api/feeds")["feeds"] if one["name"] == FEED)

    assert (row()["source"], row()["generator"]) == ("external", {"desired": 0, "ready": 0})
    wait_until(lambda: row()["enricher"]["ready"] >= 1, "its enrichers serve")
    assert not [name for name in system.pids() if name.startswith(f"{FEED}-generator")]


def test_every_message_is_stored_once_although_the_gateway_dies_under_the_program(
    system: LocalSystem,
) -> None:
    """The program sends again what was not answered. Its mids make that harmless."""
    command = [sys.executable, str(ROOT / "examples/push.py"), FEED]
    prices = [1000.0 + number for number in range(4_000)]
    with subprocess.Popen(
        command, env=environment(system), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as program:
        assert program.stdin
        assert program.stdout
        for at in range(0, len(prices), 200):
            program.stdin.write("".join(f"{json.dumps(tick(price))}\n" for price in prices[at : at + 200]))
            program.stdin.flush()
            if at in (1000, 2400):
                system.kill("api-gateway")
        program.stdin.close()
        answers = program.stdout.read()
        assert program.wait(timeout=60) == 0
    known = {"product": PRODUCT, "price": {"$gte": prices[0], "$lte": prices[-1]}}
    with system.database() as database:
        ticks = database["underlying_ticks"]
        wait_until(lambda: ticks.count_documents(known) >= len(prices), "all are stored", 60)
        assert sorted(one["price"] for one in ticks.find(known)) == prices, answers


def test_a_program_beside_redis_appends_as_a_user_of_its_own(system: LocalSystem) -> None:
    """The URL is a secret of the local run. What is appended twice is stored once."""
    url = system.secret(f"writer-{FEED}_redis_url")
    mid = f"{int(time.time())}:1"
    now = time.time_ns()
    message = {**tick(777.25), "feed": FEED, "mid": mid, "sent_ts": now, "replay": 0, "truth": None}
    with redis.Redis.from_url(url) as writer:
        for _ in range(2):
            writer.xadd(f"feed:{FEED}", {"body": json.dumps(message)})
    with system.database() as database:
        ticks = database["underlying_ticks"]
        wait_until(lambda: ticks.count_documents({"mid": mid, "price": 777.25}) == 1, "it is stored once")
    with redis.Redis.from_url(url) as writer, pytest.raises(redis.exceptions.NoPermissionError):
        writer.xlen(f"feed:{FEED}")


def test_a_message_of_another_feed_s_product_reaches_no_cache(system: LocalSystem) -> None:
    """The writer is no part of the product, so the enrichers refuse what the gateway cannot see."""
    now = time.time_ns()
    message = {**tick(1.0), "product": "NIFTY", "feed": FEED, "mid": "9:1", "sent_ts": now, "replay": 0}
    with redis.Redis.from_url(system.secret(f"writer-{FEED}_redis_url")) as writer:
        writer.xadd(f"feed:{FEED}", {"body": json.dumps({**message, "truth": None})})

    def letters() -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = system.get(f"/api/feeds/{FEED}/dead-letters?limit=100")["letters"]
        return [letter for letter in found if letter["mid"] == "9:1"]

    wait_until(letters, "it is a dead letter")
    assert (letters()[0]["reason"], "$.product" in letters()[0]["detail"]) == ("inconsistent", True)
    assert system.get("/api/data/underlying/NIFTY?limit=1")["ticks"][0]["price"] > 1.0
