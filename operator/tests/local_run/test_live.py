"""Test the lines of the live display. The cache holds the examples of the contracts."""

from __future__ import annotations

import io
import json

import redis
from tests.support.contracts import example

from deltastream_operator.domain.feed import Enricher, Feed, Synthetic
from deltastream_operator.local.live import Board, Screen

FEED = Feed(name="nifty-replay", products=("NIFTY", "SPY"), source=Synthetic(), enricher=Enricher(replicas=1))


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_line_shows_the_cached_tick_and_the_nearest_expiry(redis_url: str) -> None:
    """A line has price, expiry, PCR, max pain, ATM IV and feed rate. Without a cached tick it is None."""
    clock = Clock()
    with redis.Redis.from_url(redis_url) as client:
        chain = example("cache-latest-chain")
        client.set("latest:underlying:NIFTY", json.dumps(example("cache-latest-underlying")))
        client.set(f"latest:chain:NIFTY:{chain['expiry']}", json.dumps(chain))
        index = json.dumps(example("cache-index"))
        client.hset(
            "index:NIFTY",
            mapping={"underlying": index, f"chain:{chain['expiry']}": index, "chain:2031-01-01": index},
        )
        board = Board(client, lambda: [FEED], clock)
        board.lines()
        for _ in range(2):
            client.xadd("feed:nifty-replay", {"kind": "underlying"})
        board.lines()
        for _ in range(20):
            client.xadd("feed:nifty-replay", {"kind": "underlying"})
        clock.now = 2.0
        lines = board.lines()
    assert lines["SPY"] is None
    assert (lines["NIFTY"] or "").split() == [
        "NIFTY", "23,501.10", chain["expiry"], "0.789", "23,450", "10.6%", "nifty-replay", "10", "messages/s",
    ]  # fmt: skip


def test_a_terminal_is_refreshed_in_place_and_messages_appear_above() -> None:
    """The screen erases the block of lines before it prints a message, and then prints the block again."""
    out = Terminal()
    screen = Screen(out, Clock())
    screen.show({"NIFTY": "NIFTY 1", "SPY": None})
    screen.say("worker ended")
    assert out.getvalue().count("\x1b[3F\x1b[J") == 1
    assert out.getvalue().index("worker ended") < out.getvalue().rindex("NIFTY 1")
    assert "waiting for SPY" in out.getvalue()


def test_without_a_terminal_a_line_is_printed_at_first_and_then_every_thirty_seconds() -> None:
    """Refreshes must not fill a log."""
    out, clock = io.StringIO(), Clock()

    def advancing() -> float:
        clock.now += 1e-7  # a real clock never returns the same time twice
        return clock.now

    screen = Screen(out, advancing)
    for second in range(61):
        clock.now = float(second)
        screen.show({"NIFTY": f"NIFTY {second}", "SPY": None if second < 10 else f"SPY {second}"})
    assert out.getvalue().split("\n")[:-1] == ["NIFTY 0", "SPY 10", "NIFTY 30", "SPY 40", "NIFTY 60"]
