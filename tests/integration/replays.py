"""Record a feed of a running system, and compare a replay of the recording with what the system stored."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from devcluster.waiting import wait_until
from typer.testing import CliRunner, Result

from deltastream_cli.adapters.recording_file import Reader
from deltastream_cli.domain.recording import message
from deltastream_cli.main import app
from tests.support.local_system import LocalSystem

COLLECTIONS = {
    "underlying": "underlying_ticks",
    "option_quote": "option_quotes",
    "option_chain": "option_chains",
}
OF_PROCESSING = ("_id", "mid", "feed", "replay", "processed_at")
REPLAY = """
apiVersion: deltastream.dev/v1alpha1
kind: DeltaStreamFeed
metadata: {name: %s}
spec:
  mode: Manual
  products: [%s]
  source: {replay: {%s, speedPercent: 2000, loop: Once}}
  enricher: {replicas: 1}
"""
Run = Callable[..., Result]
Document = dict[str, Any]


@dataclass(frozen=True)
class Recorded:
    """A recording in `folder`, its messages in order, and by mid what the live system stored of them."""

    folder: Path
    messages: Sequence[Document]
    stored: dict[str, Document]


def logged_in(system: LocalSystem, folder: Path) -> Run:
    """Return a function that runs a command as a user who is logged in, with a rate limit of his own."""
    environment = {"DELTASTREAM_URL": system.url(""), "XDG_CONFIG_HOME": str(folder / "config")}

    def command(*arguments: str, **options: Any) -> Result:
        ended = CliRunner().invoke(app, arguments, env=environment, **options)
        assert ended.exit_code == 0, ended.output
        return ended

    account = ("--register", "--email", "recorder@example.com", "--password-stdin")
    command("login", *account, input="a-long-password\n")
    return command


def record(run: Run, system: LocalSystem, feed: str, folder: Path, count: int) -> Recorded:
    """Record `count` messages of a feed while it runs, also in the form that a feed replays."""
    file = folder / f"{feed}.parquet"
    ended = run("record", feed, "--out", str(file), "--count", str(count), "-o", "json")
    found = json.loads(ended.stdout)
    assert (found["missing"], found["refused"]) == (0, 0)
    messages = [message(row) for row in Reader(file).rows()]
    assert len(messages) == found["messages"] >= count
    run("convert", str(file), str(folder / f"{feed}.messages.gz"))
    return Recorded(folder, messages, stored(system, feed, [one["mid"] for one in messages]))


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


def compared(recorded: Recorded, system: LocalSystem, feed: str) -> dict[str, int]:
    """Compare what a system stored of a replay, field by field but for the processing.

    A replay drops nothing, so its n-th message is the n-th one. A quote before the first chain of its expiry
    in the recording has no forward in the replay: it is left out. Returns the number of documents by kind.
    """
    with system.database() as database:
        wait_until(lambda: database.underlying_ticks.count_documents({"feed": feed}) > 0, f"{feed} has begun")
        first = database.underlying_ticks.find_one({"feed": feed})
    assert first is not None
    epoch = first["mid"].partition(":")[0]
    mids = [f"{epoch}:{number}" for number in range(1, len(recorded.messages) + 1)]
    replayed = stored(system, feed, mids)
    seen, equal = set(), dict.fromkeys(COLLECTIONS, 0)
    for one, mid in zip(recorded.messages, mids, strict=True):
        series = one["product"], one.get("expiry")
        if one["kind"] == "option_chain":
            seen.add(series)
        if one["kind"] == "option_quote" and series not in seen:
            continue
        expected, found = (
            {name: value for name, value in document.items() if name not in OF_PROCESSING}
            for document in (recorded.stored[one["mid"]], replayed[mid])
        )
        assert found == expected, one["mid"]
        equal[one["kind"]] += 1
    return equal
