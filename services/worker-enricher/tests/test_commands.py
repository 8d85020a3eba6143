"""Tests for the commands: settings, dead letters, Celery's settings."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from celery.app.defaults import DEFAULTS
from tests.support.contracts import example

from worker_enricher.adapters.celery_app import SETTINGS, create
from worker_enricher.adapters.redis_client import connect as redis_client
from worker_enricher.adapters.stream import Entry
from worker_enricher.bootstrap import feed_stream
from worker_enricher.chassis.market_refusal import RefusedError
from worker_enricher.config import load

SERVICE = Path(__file__).parents[1]
GOOD = {
    "FEED": "nifty",
    "REDIS_URL": "redis://:pw-1@h/0",
    "MONGO_URL": "mongodb://u:pw-2@h/x",
    "CELERY_BROKER_URL": "redis://h/1",
}


def run(*args: str, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "worker_enricher", *args],
        cwd=SERVICE,
        env={"PATH": os.environ["PATH"], **env},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("FEED", "Not A Feed"),
        ("CONCURRENCY", "0"),
        ("REDIS_URL", "http://x"),
        ("MONGO_URL", ""),
        ("FEED", None),
    ],
)
def test_a_wrong_setting_stops_the_start_with_one_line_that_names_it(name: str, value: str | None) -> None:
    """The message names the variable and the rule, but shows no URL: it may contain a password."""
    env = {**GOOD, **({name: value} if value is not None else {})}
    if value is None:
        del env[name]
    done = run("worker", **env)
    assert done.returncode == 2
    assert done.stderr.startswith((f"{name}=", f"{name}: "))
    assert done.stderr.count("\n") == 1
    assert "pw-" not in done.stderr


def test_the_subscriber_runs_without_numpy_and_pymongo(redis_url: str) -> None:
    """The subscriber needs neither module, and they would double its memory."""
    code = (
        "import sys, worker_enricher.__main__, worker_enricher.bootstrap as b, worker_enricher.config as c;"
        "c.load(); print({'numpy', 'pymongo'} & set(sys.modules))"
    )
    env = {"PATH": os.environ["PATH"], **GOOD}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=SERVICE, env=env, capture_output=True, text=True, check=True
    )
    assert done.stdout == "set()\n"


def test_a_secret_may_come_from_a_file(tmp_path: Path) -> None:
    """Kubernetes mounts secrets as files. A file wins over the variable."""
    (tmp_path / "url").write_text("redis://from-file/0\n")
    assert load({**GOOD, "REDIS_URL_FILE": str(tmp_path / "url")}).redis_url == "redis://from-file/0"
    done = run("subscriber", **GOOD, REDIS_URL_FILE=str(tmp_path / "none"))
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert done.stderr.startswith("REDIS_URL_FILE: must name a file that can be read")


def test_celery_knows_every_setting_of_the_service() -> None:
    """Celery silently ignores unknown settings, so a typo could disable late acknowledgement."""
    app = create("redis://localhost:1/1", "nifty")
    server = app.conf.broker_transport_options.pop("server")
    for name, value in SETTINGS.items():
        assert name in DEFAULTS, name
        assert app.conf[name] == value, name
    assert server == {"host": "localhost", "port": 1, "db": 1}
    assert app.conf.task_default_queue == "enrich.nifty"


def test_dead_letters_are_listed_shown_and_replayed(redis_url: str) -> None:
    """A replayed message keeps its mid, so it cannot be stored twice."""
    settings = load({**GOOD, "REDIS_URL": redis_url, "FEED": "nifty-replay"})
    client = redis_client(redis_url)
    stream = feed_stream(client, settings)
    stream.ensure_group()
    body = json.dumps(example("market-underlying")).encode()
    stream.move_to_dead_letters(
        Entry("1-1", body), RefusedError("schema", "$.price: x"), mid="3:17", deliveries=1
    )
    stream.move_to_dead_letters(
        Entry("1-2", b"x" * ((1 << 20) + 1)), RefusedError("too_large", "big"), mid=None, deliveries=1
    )
    env = {**GOOD, "REDIS_URL": redis_url, "FEED": "nifty-replay"}

    listed = [json.loads(line) for line in run("dlq", "list", **env).stdout.splitlines()]
    assert [letter["reason"] for letter in listed] == ["too_large", "schema"]
    shown = json.loads(run("dlq", "show", listed[1]["id"], **env).stdout)
    assert json.loads(shown["body"]) == example("market-underlying")

    refused = run("dlq", "replay", listed[0]["id"], **env)
    assert (refused.returncode, "cut at 1 MiB" in refused.stderr) == (1, True)
    assert run("dlq", "show", "77-7", **env).returncode == 1

    assert run("dlq", "replay", "--all", **env).returncode == 0
    [entry] = stream.read_new("s", 10, 4 << 20)
    assert (entry.body, entry.readmitted) == (body, True)
    assert client.xlen("dlq:nifty-replay") == 1
    client.close()


def test_dead_letters_are_bounded(redis_url: str) -> None:
    """A broken producer must not fill Redis: the oldest letters are dropped."""
    client = redis_client(redis_url)
    stream = feed_stream(client, load({**GOOD, "REDIS_URL": redis_url, "DLQ_MAX_ENTRIES": "3"}))
    stream.ensure_group()
    for n in range(5):
        stream.move_to_dead_letters(
            Entry(f"1-{n + 1}", b"x"), RefusedError("not_json", "x"), mid=None, deliveries=1
        )
    assert client.xlen("dlq:nifty") == 3
    client.close()
