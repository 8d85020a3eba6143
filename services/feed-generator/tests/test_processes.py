"""The generator as a process on a real Redis, started like in production."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis
from devcluster.ports import free_port
from devcluster.processes.stores import RedisServer
from devcluster.waiting import wait_until
from tests.support import fake_kite
from tests.support.contracts import validator
from tests.support.fake_deribit.market import Market
from tests.support.fake_deribit.server import FakeDeribit, running
from tests.support.kite_market import KiteMarket

from feed_generator.sources.replay import QUOTED_STRIKES

SERVICE = Path(__file__).parents[1]


class Generator:
    """Starts the generator processes of one feed, and reads their messages from Redis."""

    def __init__(self, home: Path, redis_url: str) -> None:
        self.home, self.port = home, free_port()
        self.client = redis.Redis.from_url(redis_url)
        self.running: list[subprocess.Popen[bytes]] = []
        self.env = {
            "PATH": os.environ["PATH"],
            "FEED": "synthetic",
            "PRODUCTS": "NIFTY,BANKNIFTY,AAPL",
            "MESSAGES_PER_SECOND": "2000",
            "REDIS_URL": redis_url,
        }

    def start(self, **env: str) -> subprocess.Popen[bytes]:
        with open(self.home / "log", "ab") as log:
            process = subprocess.Popen(
                [sys.executable, "app.py"], cwd=SERVICE, env={**self.env, **env}, stdout=log, stderr=log
            )
        self.running.append(process)
        return process

    def fails(self, **env: str) -> list[str]:
        """Start with invalid settings. Returns the lines on stderr."""
        answer = subprocess.run(
            [sys.executable, "app.py"],
            cwd=SERVICE,
            env={**self.env, **env},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert answer.returncode == 2
        assert answer.stdout == ""
        return answer.stderr.splitlines()

    def get(self, path: str) -> tuple[int, str]:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=10) as answer:
                return int(answer.status), answer.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return int(error.code), error.read().decode()
        except OSError:
            return 0, ""

    def messages(self, feed: str = "synthetic") -> list[dict[str, Any]]:
        return [json.loads(fields[b"body"]) for _, fields in self.client.xrange(f"feed:{feed}")]

    def wait_entries(self, count: int, feed: str = "synthetic") -> None:
        wait_until(lambda: self.client.xlen(f"feed:{feed}") >= count, f"{count} entries")

    def close(self) -> None:
        for process in self.running:
            process.kill()
            process.wait()
        self.client.close()


@pytest.fixture
def generator(tmp_path: Path, redis_url: str) -> Iterator[Generator]:
    made = Generator(tmp_path, redis_url)
    yield made
    made.close()


def _by_epoch(messages: list[dict[str, Any]]) -> dict[int, list[int]]:
    """Return the sequence numbers of each epoch in stream order."""
    found: dict[int, list[int]] = {}
    for message in messages:
        epoch, seq = map(int, message["mid"].split(":"))
        found.setdefault(epoch, []).append(seq)
    return found


def test_it_publishes_answers_probes_and_ends_cleanly(generator: Generator) -> None:
    """Messages are valid and their mids have no gaps. After SIGTERM the exit code is 0."""
    process = generator.start(PORT=str(generator.port))
    wait_until(lambda: generator.get("/readyz")[0] == 200, "ready")
    generator.wait_entries(500)
    status, body = generator.get("/livez")
    assert (status, json.loads(body)["status"]) == (200, "healthy")
    wait_until(lambda: 'feed_published_total{kind="option_chain"}' in generator.get("/metrics")[1], "metrics")
    assert generator.get("/")[0] == 404
    process.terminate()
    assert process.wait(timeout=30) == 0
    messages = generator.messages()
    assert list(_by_epoch(messages).values()) == [list(range(1, len(messages) + 1))]
    assert {message["product"] for message in messages} == {"NIFTY", "BANKNIFTY", "AAPL"}
    for message in messages[:500]:
        validator(f"market-{message['kind']}").validate(message)


def test_a_killed_generator_restarts_with_a_new_epoch(generator: Generator) -> None:
    """After kill -9 at any moment no mid repeats, and no sequence number is missing within an epoch."""
    for run in range(1, 4):
        before = generator.client.xlen("feed:synthetic")
        process = generator.start()
        generator.wait_entries(before + 700)
        process.kill()
        process.wait()
        assert len(_by_epoch(generator.messages())) == run
    found = _by_epoch(generator.messages())
    assert list(found) == sorted(found)
    for names in found.values():
        assert names == list(range(1, len(names) + 1))


def test_two_shards_divide_the_products_of_the_feed(generator: Generator) -> None:
    """Each shard has its own products and epoch; together the shards have all products."""
    for index in range(2):
        generator.start(SHARD_INDEX=str(index), SHARD_COUNT="2", PRODUCTS="NIFTY,BANKNIFTY,SENSEX,SPY,TSLA")
    wait_until(lambda: len({message["product"] for message in generator.messages()}) == 5, "all products")
    owners: dict[str, set[str]] = {}
    for message in generator.messages():
        owners.setdefault(message["product"], set()).add(message["mid"].split(":")[0])
    assert all(len(epochs) == 1 for epochs in owners.values())
    assert len(set.union(*owners.values())) == 2


def test_a_recording_is_played_once_and_completely(generator: Generator, sample: Path) -> None:
    """All messages have the recording's event times and belong to pass 1; then the process idles."""
    process = generator.start(
        FEED="nifty-replay",
        SOURCE="replay",
        PRODUCTS="NIFTY",
        REPLAY_PATH=str(sample),
        REPLAY_AS_OF="2024-06-20T12:30:00+05:30",
        REPLAY_LOOP="Once",
    )
    with sample.open() as file:
        expiries = len({row["expiry"] for row in csv.DictReader(file)})
    whole = 1 + expiries + expiries * 2 * QUOTED_STRIKES
    generator.wait_entries(whole, "nifty-replay")
    process.terminate()
    assert process.wait(timeout=30) == 0
    messages = generator.messages("nifty-replay")
    assert list(_by_epoch(messages).values()) == [list(range(1, len(messages) + 1))]
    assert len(messages) == whole
    (epoch,) = _by_epoch(messages)
    assert {(message["ts"], message["replay"]) for message in messages} == {
        (1_718_866_800_000_000_000, epoch * 1_000_000 + 1)
    }


def test_an_outage_of_redis_ends_readiness_but_not_the_process(tmp_path: Path) -> None:
    """Without Redis the process starts and reports not ready. It publishes once Redis runs, and can stop."""
    server = RedisServer(tmp_path / "redis")
    generator = Generator(tmp_path, server.url())
    try:
        process = generator.start(PORT=str(generator.port))
        wait_until(lambda: generator.get("/readyz")[0] == 503, "not ready")
        assert generator.get("/livez")[0] == 200, "liveness does not depend on Redis"
        server.start()
        wait_until(lambda: generator.get("/readyz")[0] == 200, "ready")
        generator.wait_entries(500)
        messages = generator.messages()
        assert list(_by_epoch(messages).values()) == [list(range(1, len(messages) + 1))]
        server.kill()
        wait_until(lambda: generator.get("/readyz")[0] == 503, "no longer ready")
        process.terminate()
        assert process.wait(timeout=30) == 0
        assert b"stopped_with_unsent_messages" in (tmp_path / "log").read_bytes()
    finally:
        generator.close()
        server.stop()


@pytest.mark.parametrize(
    ("env", "line"),
    [
        ({"SPEED_PERCENT": "fast"}, "SPEED_PERCENT='fast': "),
        ({"PRODUCTS": "NIFTI"}, "feed-generator: PRODUCTS: the rulebook has no 'NIFTI'; it knows AAPL, "),
        (
            {"SOURCE": "replay", "PRODUCTS": "NIFTY", "REPLAY_PATH": "none.csv"},
            "feed-generator: none.csv: cannot be read: No such file",
        ),
    ],
    ids=["setting", "product", "recording"],
)
def test_an_invalid_setting_gives_one_line_and_exit_code_2(
    generator: Generator, env: dict[str, str], line: str
) -> None:
    """The line names the setting to change, without a traceback. Nothing is written to Redis."""
    (output,) = generator.fails(**env)
    assert output.startswith(line)
    assert generator.client.keys() == []


def _source_state(client: redis.Redis, feed: str = "deribit-btc") -> bytes:
    found: Any = client.hget(f"feed:{feed}:source", "0")
    return bytes(found or b"")


def test_a_deribit_source_publishes_what_the_exchange_sends(generator: Generator) -> None:
    """Quotes, chains and prices reach the stream; the state is in Redis; SIGTERM ends it."""
    market = Market(time.time_ns() // 1_000_000, strikes=3)
    with running(FakeDeribit(market)) as exchange:
        process = generator.start(
            FEED="deribit-btc",
            PRODUCTS="BTC",
            SOURCE="deribit",
            DERIBIT_URL=exchange.url,
            DERIBIT_EXPIRIES="2",
            DERIBIT_STRIKES_PER_SIDE="2",
            DERIBIT_CHAIN_INTERVAL_MILLIS="100",
            PORT=str(generator.port),
        )
        wait_until(lambda: b'"Connected"' in _source_state(generator.client), "the state")
        wait_until(lambda: _has(generator, "deribit-btc", option_quote=16, option_chain=2), "all options")
        exchange.tick()
        wait_until(lambda: _has(generator, "deribit-btc", option_quote=32, option_chain=4), "all again")
        assert 'feed_source_connected{source="deribit"} 1.0' in generator.get("/metrics")[1]
        process.terminate()
        assert process.wait(30) == 0
    assert _source_state(generator.client) == b""  # its connections must not count for 15 s more
    messages = generator.messages("deribit-btc")
    for message in messages:
        validator(f"market-{message['kind']}").validate(message)
    kinds = Counter(message["kind"] for message in messages)
    assert kinds["option_quote"] == 32
    assert kinds["underlying"] == 2
    assert kinds["option_chain"] >= 4


def test_a_deribit_source_without_the_currency_of_a_product_is_refused(generator: Generator) -> None:
    """The line names the variable, the rule and the product."""
    lines = generator.fails(SOURCE="deribit", PRODUCTS="BTC,SOL-USDC", DERIBIT_CURRENCIES="BTC")
    assert lines == ["DERIBIT_CURRENCIES='BTC': must have the currency of every product: SOL-USDC"]


def test_a_kite_source_publishes_until_its_token_ends_and_then_says_so(generator: Generator) -> None:
    """An ended token is a state of a running generator. Neither the state nor the log has the token."""
    key, token = generator.home / "key", generator.home / "token"
    key.write_text(fake_kite.API_KEY)
    with fake_kite.running(KiteMarket(("NIFTY", "SENSEX"), time.time_ns())) as kite:
        token.write_text(kite.token)
        process = generator.start(
            FEED="kite",
            PRODUCTS="NIFTY,SENSEX",
            SOURCE="kite",
            KITE_URL=kite.url,
            KITE_API_URL=kite.api_url,
            KITE_CHAIN_INTERVAL_MILLIS="100",
            KITE_API_KEY_FILE=str(key),
            KITE_ACCESS_TOKEN_FILE=str(token),
            LOG_LEVEL="DEBUG",
        )
        wait_until(lambda: b'"Connected"' in _source_state(generator.client, "kite"), "connected")
        kite.advance(60)
        wait_until(lambda: _kinds(generator, "kite")["option_chain"] >= 12, "chains")
        kite.expire("token2")
        wait_until(lambda: b'"TokenExpired"' in _source_state(generator.client, "kite"), "the state")
        state = json.loads(_source_state(generator.client, "kite"))
        process.terminate()
        assert process.wait(30) == 0
    validator("feed-source").validate(state)
    assert (state["connected"], state["authorized"]) == (False, False)
    messages = generator.messages("kite")
    for message in messages:
        validator(f"market-{message['kind']}").validate(message)
    assert {message["product"] for message in messages} == {"NIFTY", "SENSEX"}
    said = (generator.home / "log").read_text() + json.dumps(state)
    assert "source_disconnected" in said
    assert fake_kite.API_KEY not in said
    assert "token1" not in said


def test_check_source_counts_what_kite_sends_and_ends(generator: Generator) -> None:
    """It publishes nothing. A refused token gives exit code 1 and the reason."""
    files = {"KITE_API_KEY_FILE": generator.home / "key", "KITE_ACCESS_TOKEN_FILE": generator.home / "token"}
    files["KITE_API_KEY_FILE"].write_text(fake_kite.API_KEY)
    with fake_kite.running(KiteMarket(("NIFTY", "SENSEX"), time.time_ns())) as kite:
        found = {}
        for token in (kite.token, "ended"):
            files["KITE_ACCESS_TOKEN_FILE"].write_text(token)
            done = subprocess.run(
                [sys.executable, "app.py", "check-source", "1"],
                cwd=SERVICE,
                env={
                    **generator.env,
                    **{name: str(path) for name, path in files.items()},
                    "SOURCE": "kite",
                    "PRODUCTS": "NIFTY,SENSEX",
                    "KITE_URL": kite.url,
                    "KITE_API_URL": kite.api_url,
                },
                capture_output=True,
                timeout=60,
                check=False,
            )
            found[done.returncode] = json.loads(done.stdout)
        contracts = len(kite.market.keys)
    assert (found[0]["connected"], found[0]["refused"], found[0]["contracts"]) == (True, 0, contracts)
    assert (found[1]["authorized"], found[1]["reason"]) == (False, "TokenExpired")
    assert generator.client.keys() == []


def _kinds(generator: Generator, feed: str) -> Counter[str]:
    return Counter(message["kind"] for message in generator.messages(feed))


def _has(generator: Generator, feed: str, **least: int) -> bool:
    """Whether the stream has at least so many messages of each kind."""
    return _kinds(generator, feed) >= Counter(least)


def test_a_kite_source_without_its_files_is_refused(generator: Generator) -> None:
    """The lines name the variables. The content of the files is a matter of the running generator."""
    lines = generator.fails(SOURCE="kite", PRODUCTS="NIFTY")
    names = ["KITE_ACCESS_TOKEN_FILE", "KITE_API_KEY_FILE"]
    assert sorted(lines) == [f"{name}: must name the file when SOURCE=kite" for name in names]
