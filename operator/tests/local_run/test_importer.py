"""Uploaded files become a recording and a feed, or nothing: with the real importer and a real Redis."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis
from devcluster.waiting import wait_until
from tests.support.contracts import example, validator
from tests.support.feeds import a_feed
from tests.support.local_system import ROOT

from deltastream_operator.domain.feed import Feed, Replay
from deltastream_operator.domain.imports import read_request
from deltastream_operator.local import settings
from deltastream_operator.local.importer import Importer
from deltastream_operator.local.services import TABLE, Services
from deltastream_operator.local.state.home import Home
from deltastream_operator.parsing import resource
from deltastream_operator.redis_feeds import RedisFeeds

CLOSE = ROOT / "k8s/samples/data/nifty_2024-06-21_close.csv"
ID = "0f" * 16
ENDLESS = {"converting": "importing", "checking": "check"}
"""The process that is made endless in a stage of an import."""
TOLD = {"as_of": "2024-06-21T15:30:00+05:30", "products": ["NIFTY"]}


class Run:
    """The importer of a local run, whose feeds are kept in `added`."""

    def __init__(self, home: Home, url: str, client: Any) -> None:
        self.home, self.client, self.said = home, client, list[str]()
        self.feeds: dict[str, Feed] = {"a": a_feed()}
        self.added: list[Feed] = []
        services = Services(root=ROOT, home=home, settings=settings.load({}, {}))
        self.importer = Importer(
            services, RedisFeeds(url), feeds=self.feeds, run=self._run, say=self.said.append
        )

    def _run(self, feed: Feed) -> None:
        self.feeds[feed.name] = feed
        self.added.append(feed)

    def drop(self, *files: Path, **stated: Any) -> dict[str, Any]:
        """Upload files as the gateway does, and return the last state of their import."""
        self.ask(*files, **stated)
        return self.end()

    def ask(self, *files: Path, **stated: Any) -> None:
        """Upload files as the gateway does."""
        folder = self.home.imports / "uploads" / ID
        folder.mkdir(parents=True)
        for file in files:
            shutil.copy(file, folder)
        request = {**example("import-request"), "as_of": None, **stated}
        validator("import-request").validate(request)
        self.client.delete(f"import:{ID}")
        self.client.rpush("imports:requests", json.dumps(request))

    def cancel(self) -> None:
        """Ask to cancel the import as the gateway does."""
        self.client.rpush("imports:cancels", json.dumps(example("import-cancel")))

    def end(self) -> dict[str, Any]:
        """Return the last state of the import, when its uploads are gone."""
        wait_until(self._ended, "the import ends")
        wait_until(lambda: not (self.home.imports / "uploads" / ID).exists(), "the uploads are removed")
        return self.state()

    def state(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.client.get(f"import:{ID}") or '{"stage": "waiting"}')
        if len(found) > 1:
            validator("import-state").validate(found)
        return found

    def _ended(self) -> bool:
        self.importer.step()
        return self.state()["stage"] in ("running", "refused", "cancelled")

    def left(self) -> list[str]:
        return sorted(path.name for path in self.home.imports.iterdir() if path.name != "uploads")


@pytest.fixture
def run(tmp_path: Path, redis_url: str) -> Iterator[Run]:
    home = Home(tmp_path)
    home.create()
    with redis.Redis.from_url(redis_url, decode_responses=True) as client:
        yield Run(home, redis_url, client)


def test_files_become_a_recording_and_a_feed_that_replays_it(run: Run) -> None:
    """The report has what was found. The feed's file is kept, so that a later start can replay it too."""
    state = run.drop(CLOSE, **TOLD)
    assert state["stage"] == "running", state
    report = state["report"]
    assert (report["rows"], report["snapshots"], report["products"]) == (224, 1, ["NIFTY"])
    assert report["oi_units"] == ["shares"]
    (feed,) = run.added
    assert isinstance(feed.source, Replay)
    assert (feed.name, feed.products, feed.source.path) == (
        "my-chain",
        ("NIFTY",),
        run.home.imports / "my-chain/recording.csv",
    )
    assert run.left() == ["my-chain"]
    assert str(run.home.imports / "my-chain/feed.yaml") in state["detail"]


def test_what_the_files_do_not_say_is_asked_by_the_name_of_the_field(run: Run) -> None:
    """Nothing is kept, and the same files with the answer are imported."""
    state = run.drop(CLOSE)
    assert state["stage"] == "refused"
    assert "(as_of)" in json.dumps(state)
    assert str(run.home.imports) not in json.dumps(state)
    assert (run.added, run.left()) == ([], [])
    assert "(products)" in run.drop(CLOSE, as_of=TOLD["as_of"])["detail"]
    assert run.drop(CLOSE, **TOLD)["stage"] == "running"


def test_every_kind_of_problem_is_in_the_report_and_nothing_is_half_imported(
    run: Run, tmp_path: Path
) -> None:
    """With its count and its first place, by the file's name."""
    lines = CLOSE.read_text().splitlines()
    bad = tmp_path / "bad.csv"
    bad.write_text("\n".join([lines[0], *(line.replace(",C,", ",X,") for line in lines[1:])]) + "\n")
    state = run.drop(bad, **TOLD)
    assert state["stage"] == "refused"
    problem = next(one for one in state["report"]["problems"] if one["refused"])
    assert (problem["file"], problem["line"]) == ("bad.csv", 2)
    assert problem["count"] > 1
    assert (run.added, run.left()) == ([], [])


def test_a_file_that_is_no_market_is_refused_in_one_line(run: Run, tmp_path: Path) -> None:
    for name, content in (
        ("page.csv", b"<html></html>"),
        ("photo.png", bytes(range(256))),
        ("empty.csv", b""),
    ):
        file = tmp_path / name
        file.write_bytes(content)
        state = run.drop(file)
        assert state["stage"] == "refused", name
        assert state["detail"]
    assert run.left() == []


def test_a_name_or_a_product_of_another_feed_is_refused(run: Run) -> None:
    """A product belongs to one feed, so the recording is kept for a local run of its own."""
    state = run.drop(CLOSE, feed="a", **TOLD)
    assert state["detail"] == "feed: a runs already; choose another name (feed)"
    run.drop(CLOSE, **TOLD)
    state = run.drop(CLOSE, feed="again", **TOLD)
    assert state["stage"] == "refused"
    assert "another feed has them: NIFTY (feed my-chain)" in state["detail"]
    assert [feed.name for feed in run.added] == ["my-chain"]
    path = run.home.imports / "again" / "feed.yaml"
    assert f"make run FEEDS={path} replays it" in state["detail"]
    ((feed,), problems) = resource.parse(path.read_text(), path)
    assert (feed.name, feed.products, problems) == ("again", ("NIFTY",), [])
    assert isinstance(feed.source, Replay)
    assert feed.source.path == path.with_name("recording.csv")
    assert run.left() == ["again", "my-chain"]


@pytest.mark.parametrize("stage", ["waiting", "converting", "checking", "done"])
def test_a_cancelled_import_leaves_nothing(run: Run, monkeypatch: pytest.MonkeyPatch, stage: str) -> None:
    """Whatever works for it is ended: no recording, no feed and no upload stays. The next import runs."""
    endless = (
        sys.executable,
        "-c",
        'print(\'{"read": 1, "of": 2}\', flush=True); import signal; signal.pause()',
    )
    with monkeypatch.context() as patch:
        if stage in ENDLESS:
            patch.setitem(TABLE, ENDLESS[stage], ("feed-generator", endless, 10.0))
        run.ask(CLOSE, **TOLD)
        if stage != "waiting":
            run.importer.step()
        if stage in ENDLESS:
            wait_until(lambda: run.state()["stage"] == stage, f"it is {stage}")
        elif stage == "done":
            wait_until(lambda: not (run.home.imports / "uploads" / ID).exists(), "it is converted")
        run.cancel()
        state = run.end()
    assert (state["stage"], state["detail"]) == ("cancelled", "nothing is imported")
    assert (run.added, run.left()) == ([], [])
    assert run.drop(CLOSE, **TOLD)["stage"] == "running"


def test_a_cancel_after_the_end_changes_nothing(run: Run) -> None:
    """The feed runs already, and its recording stays."""
    state = run.drop(CLOSE, **TOLD)
    run.cancel()
    run.client.rpush("imports:cancels", "[]")
    run.importer.step()
    assert "a request to cancel an import was dropped" in run.said[-1]
    assert (run.state(), run.left()) == (state, ["my-chain"])


@pytest.mark.parametrize(
    "changes", [{"id": "../x"}, {"feed": "../x"}, {"format": "exe"}, {"products": ["--out=x"]}]
)
def test_a_request_that_breaks_its_contract_is_dropped(run: Run, changes: dict[str, Any]) -> None:
    """Its members become paths and arguments."""
    raw = json.dumps({**example("import-request"), **changes})
    with pytest.raises(ValueError, match="breaks the contract"):
        read_request(raw.encode())
    run.client.rpush("imports:requests", raw)
    run.importer.step()
    assert "was dropped" in run.said[0]
