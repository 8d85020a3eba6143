"""Recording a feed against prepared answers: outages, repeats, gaps, kills, and what is left on the disk."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.support.contracts import example
from typer.testing import Result

from deltastream_cli.adapters import message_spool
from deltastream_cli.adapters.recording_file import Reader
from deltastream_cli.domain.recording import message

Run = Callable[..., Result]
PATH = "/api/feeds/spy/messages"
RECORD = ("record", "spy", "--out", "day.parquet", "-o", "json")


def tick(seq: int, **changed: Any) -> dict[str, Any]:
    return example("market-underlying") | {"feed": "spy", "mid": f"7:{seq}", "ts": 10**18 + seq, **changed}


class Feed:
    """A feed at the gateway: a page for each place. A page may be an answer of its own, such as an error.

    `removed` entries were removed from its stream unread, and `unreadable` ones come with each page.
    """

    def __init__(self, prepared: Any) -> None:
        self.pages: list[Any] = []
        self.removed = self.unreadable = 0
        self.asked: list[int | None] = []
        prepared.routes[PATH] = self._answer

    def _answer(self, query: dict[str, str]) -> Any:
        if "after" not in query:
            self.asked.append(None)
            return 200, {"messages": [], "unreadable": 0, "next": "1-0", "more": False, "appended": 100}
        at = int(query["after"].removesuffix("-0")) - 1
        self.asked.append(at)
        page = self.pages[at] if at < len(self.pages) else []
        if isinstance(page, tuple):
            self.pages[at] = []
            return page
        following = at + 2 if at < len(self.pages) else at + 1
        unreadable = self.unreadable if page else 0
        so_far = sum(len(one) + self.unreadable for one in self.pages[: at + 1] if one)
        return 200, {
            "messages": page, "unreadable": unreadable, "next": f"{following}-0",
            "more": at + 1 < len(self.pages), "appended": 100 + self.removed + so_far,
        }  # fmt: skip


@pytest.fixture(autouse=True)
def ctrl_c() -> Iterator[None]:
    """Let SIGINT interrupt, also in a test run that was started in the background and ignores it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture
def feed(prepared: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Feed:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("deltastream_cli.main.time.sleep", lambda _: None)
    return Feed(prepared)


def recorded(file: Path) -> list[dict[str, Any]]:
    return [message(row) for row in Reader(file).rows()]


def without_sending(messages: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{k: v for k, v in one.items() if k not in ("sent_ts", "replay")} for one in messages]


def test_a_recording_has_every_message_once_and_in_order(run: Run, feed: Feed, tmp_path: Path) -> None:
    """A producer sends messages again after an outage of Redis; they have the same mid."""
    sent = [tick(seq) for seq in range(1, 7)]
    feed.pages = [sent[:3], sent[1:4], sent[4:]]
    ended = run(*RECORD, "--count", "6")
    assert ended.exit_code == 0, ended.output
    assert recorded(tmp_path / "day.parquet") == without_sending(sent)
    found = json.loads(ended.stdout)
    assert [found[name] for name in ("messages", "ticks", "chains", "missing", "refused")] == [6, 6, 0, 0, 0]
    assert found["products"] == "NIFTY"
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == ["day.parquet"]


def test_what_is_missing_and_what_was_refused_is_counted(run: Run, feed: Feed, tmp_path: Path) -> None:
    """Each producer numbers its messages without gaps; a message of another shape names its problem."""
    other = [tick(seq, mid=f"8:{seq}") for seq in (5, 6)]
    bad = [tick(3, price="cheap"), {"kind": "trade"}, 7, tick(9, mid=f"7:{10**30}")]
    feed.pages = [[tick(1), *bad, tick(4, replay=[]), *other]]
    ended = run(*RECORD, "--count", "4")
    assert ended.exit_code == 0, ended.output
    found = json.loads(ended.stdout)
    assert (found["messages"], found["missing"], found["refused"]) == (4, 2, 4)
    metadata = Reader(tmp_path / "day.parquet").metadata
    assert (metadata["source"], metadata["missing"], metadata["refused"]) == ("stream", 2, 4)
    feed.unreadable = 3
    text = run("record", "spy", "--out", "text.parquet", "--count", "4").stdout
    assert "refused 1 times: price: must be a number" in text
    assert "refused 1 times: kind: must be one of" in text
    assert "refused 4 times: a message: must be a JSON object" in text


def test_messages_that_left_the_stream_unread_are_missing(run: Run, feed: Feed, tmp_path: Path) -> None:
    """A producer that starts again numbers anew, so only the stream's own count shows it."""
    feed.pages = [[tick(1)], [tick(2)], [tick(1, mid="8:1")]]
    feed.removed = 40
    ended = run(*RECORD, "--count", "3")
    assert json.loads(ended.stdout)["missing"] == 40
    assert Reader(tmp_path / "day.parquet").metadata["missing"] == 40


def test_what_a_producer_writes_neither_fills_the_memory_nor_reaches_the_terminal(
    run: Run, feed: Feed, tmp_path: Path
) -> None:
    """A program of somebody else may name members at random, and with escape sequences."""
    feed.pages = [[tick(1), *(tick(2 + at, **{f"x{at}": 1}) for at in range(200))]]
    feed.pages[0].append(tick(300, **{"\x1b]0;title\x07": 1}))
    feed.pages[0].append(tick(301, expiry="\x1b[31m"))
    ended = run("record", "spy", "--out", "day.parquet", "--count", "1")
    assert ended.exit_code == 0, ended.output
    assert "\x1b" not in ended.output
    assert ended.stdout.count("refused 1 times") == 50
    assert "refused 152 times: other reasons" in ended.stdout


def test_an_outage_of_the_gateway_does_not_end_a_recording(run: Run, feed: Feed, tmp_path: Path) -> None:
    """It asks again behind the same place, and says once that it waits."""
    feed.pages = [[tick(1)], (503, {"detail": "Redis does not answer"}), [tick(2)]]
    feed.pages[1] = (503, {"detail": "Redis does not answer"})
    ended = run(*RECORD, "--count", "2")
    assert ended.exit_code == 0, ended.output
    assert ended.stderr.count("tries again until Ctrl-C") == 1
    assert feed.asked == [None, 0, 1, 1, 2]
    assert len(recorded(tmp_path / "day.parquet")) == 2


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_ends_a_recording_with_a_whole_file(
    run: Run, feed: Feed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: signal.Signals
) -> None:
    """SIGTERM does the same."""
    feed.pages = [[tick(1), tick(2)]]

    def interrupted(_: float) -> None:
        signal.raise_signal(number)

    monkeypatch.setattr("deltastream_cli.main.time.sleep", interrupted)
    before = signal.getsignal(signal.SIGTERM)
    ended = run(*RECORD)
    signal.signal(signal.SIGTERM, before)
    assert ended.exit_code == 0, ended.output
    assert "ends the recording" in ended.stderr
    assert len(recorded(tmp_path / "day.parquet")) == 2


def test_after_a_kill_the_same_command_continues(run: Run, feed: Feed, tmp_path: Path) -> None:
    """It asks behind the last page that it has kept, and refuses to mix two feeds in one file."""
    feed.pages = [[tick(1)], (401, {"detail": "no token"})]
    assert run(*RECORD, "--count", "2").exit_code == 3
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == ["day.parquet.part"]
    other = run("record", "nifty", "--out", "day.parquet")
    assert other.exit_code == 2
    assert "unfinished recording with another feed (spy)" in other.stderr
    feed.pages[1] = [tick(3)]
    feed.asked.clear()
    ended = run(*RECORD, "--count", "2")
    assert "continues after 1 messages" in ended.stderr
    assert feed.asked == [1]
    assert json.loads(ended.stdout)["missing"] == 1
    assert [one["mid"] for one in recorded(tmp_path / "day.parquet")] == ["7:1", "7:3"]


def test_a_file_is_written_by_one_process_only_and_never_replaced(
    run: Run, feed: Feed, tmp_path: Path
) -> None:
    """Each case is one line with the fix."""
    with message_spool.opened(tmp_path / "day.parquet"):
        locked = run(*RECORD)
    (tmp_path / "day.parquet.part").write_text("something else " * 100)
    foreign = run(*RECORD)
    (tmp_path / "day.parquet").write_text("a file")
    there = run(*RECORD)
    for ended, said in ((locked, "another process writes"), (foreign, "is not"), (there, "exists already")):
        assert ended.exit_code == 2
        assert said in ended.stderr
        assert len(ended.stderr.splitlines()) == 1


def test_a_recording_without_messages_writes_no_file(
    run: Run, feed: Feed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An empty file would look like a quiet market."""
    monkeypatch.setattr("deltastream_cli.main.time.sleep", lambda _: signal.raise_signal(signal.SIGINT))
    ended = run(*RECORD)
    assert ended.exit_code == 5
    assert "there was no message" in ended.stderr
    assert not [path for path in tmp_path.iterdir() if path.is_file()]


def test_a_recording_that_ctrl_c_interrupts_in_a_page_counts_right(
    run: Run, feed: Feed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The page is not kept, so none of its messages is between two others that are."""
    feed.pages = [[tick(1)], [tick(2), tick(9), tick(10)]]
    fitting = message_spool.row

    def interrupted(message: Any) -> Any:
        if message["mid"] == "7:10":
            signal.raise_signal(signal.SIGINT)
        return fitting(message)

    monkeypatch.setattr(message_spool, "row", interrupted)
    ended = run(*RECORD)
    assert ended.exit_code == 0, ended.output
    assert (json.loads(ended.stdout)["messages"], json.loads(ended.stdout)["missing"]) == (1, 0)


def test_what_cannot_be_written_is_kept_and_said(run: Run, feed: Feed, tmp_path: Path) -> None:
    """The folder of the recording is gone, or the disk is full when the file is written."""
    feed.pages = [[tick(1)]]
    ended = run("record", "spy", "--out", "none/day.parquet", "--count", "1")
    assert "none/day.parquet.part cannot be written: No such file or directory" in ended.stderr
    (tmp_path / "day.parquet.new").symlink_to("/dev/full")
    ended = run(*RECORD, "--count", "1")
    assert ended.exit_code == 1
    assert "No space left" in ended.stderr
    assert "kept in day.parquet.part: the same command continues" in ended.stderr
    assert run(*RECORD, "--count", "1").exit_code == 0
    assert len(recorded(tmp_path / "day.parquet")) == 1


def test_nothing_of_an_unfinished_recording_is_left(run: Run, feed: Feed, tmp_path: Path) -> None:
    """A journal that a kill has left would belong to the next recording of this name."""
    feed.pages = [[tick(1)]]
    with message_spool.opened(tmp_path / "day.parquet") as spool:
        spool.append([tick(1)], {"url": "", "feed": "spy"}, None)
    (tmp_path / "day.parquet.part").unlink()
    (tmp_path / "day.parquet.part-journal").write_bytes(bytes(512))
    assert run(*RECORD, "--count", "1").exit_code == 0
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == ["day.parquet"]


def test_an_unknown_feed_is_said(run: Run, feed: Feed, prepared: Any) -> None:
    prepared.routes[PATH] = 404, {"detail": "no feed spy: /api/feeds lists the feeds"}
    ended = run(*RECORD)
    assert ended.exit_code == 5
    assert "no feed spy" in ended.stderr
    assert not Path("day.parquet.part").exists()
