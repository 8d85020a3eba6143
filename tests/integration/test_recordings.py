"""Recordings through the real system: replaying what was recorded gives the same analytics."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from devcluster.waiting import wait_until
from typer.testing import CliRunner, Result

from deltastream_cli.adapters.recording_file import Reader
from deltastream_cli.domain.recording import message
from deltastream_cli.domain.times import instant
from deltastream_cli.main import app
from tests.support.local_system import LocalSystem, running

pytestmark = pytest.mark.timeout(500)  # the first test also waits for the system
FEED, PRODUCTS, MESSAGES = "load", ["MIDCPNIFTY", "MSFT", "NVDA", "SPX"], 3000
COLLECTIONS = {
    "underlying": "underlying_ticks",
    "option_quote": "option_quotes",
    "option_chain": "option_chains",
}
OF_PROCESSING = ("_id", "mid", "feed", "replay", "processed_at")
Run = Callable[..., Result]
Document = dict[str, Any]
REPLAY = """
apiVersion: deltastream.dev/v1alpha1
kind: DeltaStreamFeed
metadata: {name: again}
spec:
  mode: Manual
  products: [%s]
  source: {replay: {path: day.messages.gz, speedPercent: 2000, loop: Once}}
  enricher: {replicas: 1}
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("recordings")


@pytest.fixture(scope="module")
def run(system: LocalSystem, folder: Path) -> Run:
    """Run a command as a user who is logged in, so that his reads have their own rate limit."""
    environment = {"DELTASTREAM_URL": system.url(""), "XDG_CONFIG_HOME": str(folder / "config")}

    def command(*arguments: str, **options: Any) -> Result:
        ended = CliRunner().invoke(app, arguments, env=environment, **options)
        assert ended.exit_code == 0, ended.output
        return ended

    account = ("--register", "--email", "recorder@example.com", "--password-stdin")
    command("login", *account, input="a-long-password\n")
    return command


@pytest.fixture(scope="module")
def recorded(run: Run, folder: Path) -> list[Document]:
    """The messages of a recording of the feed `load`, while it runs."""
    ended = run("record", FEED, "--out", str(folder / "day.parquet"), "--count", str(MESSAGES), "-o", "json")
    found = json.loads(ended.stdout)
    assert (found["missing"], found["refused"]) == (0, 0)
    messages = [message(row) for row in Reader(folder / "day.parquet").rows()]
    assert len(messages) == found["messages"] >= MESSAGES
    assert {one["product"] for one in messages} == set(PRODUCTS)
    return messages


def stored(system: LocalSystem, feed: str, mids: list[str]) -> dict[str, Document]:
    """Return the documents of these messages by mid, after all of them are stored."""
    wanted = {"feed": feed, "mid": {"$in": mids}}
    with system.database() as database:
        collections = [database[name] for name in COLLECTIONS.values()]
        wait_until(
            lambda: sum(each.count_documents(wanted) for each in collections) == len(mids),
            f"{len(mids)} messages of {feed} are stored",
        )
        return {document["mid"]: document for each in collections for document in each.find(wanted)}


def test_a_replay_of_a_recording_gives_the_same_analytics(
    system: LocalSystem, recorded: list[Document], run: Run, folder: Path
) -> None:
    """Field by field, but for the processing. A replay drops nothing, so its n-th message is the n-th one.

    A quote before the first chain of its expiry in the recording has no forward in the replay.
    """
    run("convert", str(folder / "day.parquet"), str(folder / "day.messages.gz"))
    (folder / "again.yaml").write_text(REPLAY % ", ".join(PRODUCTS))
    live = stored(system, FEED, [one["mid"] for one in recorded])
    with running(folder / "home", str(folder / "again.yaml")) as second:
        with second.database() as database:
            wait_until(lambda: database.underlying_ticks.count_documents({}) > 0, "the replay has begun")
            epoch = database.underlying_ticks.find_one()["mid"].partition(":")[0]  # type: ignore[index]
        mids = [f"{epoch}:{number}" for number in range(1, len(recorded) + 1)]
        replayed = stored(second, "again", mids)
    seen, compared = set(), dict.fromkeys(COLLECTIONS, 0)
    for one, mid in zip(recorded, mids, strict=True):
        series = one["product"], one.get("expiry")
        if one["kind"] == "option_chain":
            seen.add(series)
        if one["kind"] == "option_quote" and series not in seen:
            continue
        expected, found = (
            {name: value for name, value in documents[key].items() if name not in OF_PROCESSING}
            for documents, key in ((live, one["mid"]), (replayed, mid))
        )
        assert found == expected, one["mid"]
        compared[one["kind"]] += 1
    assert compared["underlying"] > MESSAGES / 4
    assert compared["option_quote"] > MESSAGES / 3
    assert compared["option_chain"] >= 24


def test_an_export_of_what_was_stored_has_the_messages_of_the_recording(
    recorded: list[Document], system: LocalSystem, run: Run, folder: Path
) -> None:
    """MongoDB and the stream give the same recording; only the truth of ticks and quotes is not stored."""
    ours = [one for one in recorded if one["product"] == "SPX"]
    stored(system, FEED, [one["mid"] for one in ours])
    times = [one["ts"] for one in ours]
    span = (
        "--from",
        instant(min(times) // 10**9 * 10**9),
        "--to",
        instant((max(times) // 10**9 + 1) * 10**9),
    )
    run("export", "SPX", "--as-recording", *span, "-f", str(folder / "SPX.parquet"))
    mids = {one["mid"] for one in ours}
    exported = [one for row in Reader(folder / "SPX.parquet").rows() if (one := message(row))["mid"] in mids]
    kept = [one if one["kind"] == "option_chain" else one | {"truth": None} for one in ours]
    assert exported == kept
