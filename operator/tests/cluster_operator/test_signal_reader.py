"""Readings for the loop: whatever the source does, there is one for each feed, in time."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Mapping, Sequence

import pytest

from deltastream_operator.cluster.run import STALLED_S
from deltastream_operator.cluster.signal_reader import READ_MAX_S, SignalReader
from deltastream_operator.domain.signals import WAITING, Reading, Unknown


class Source:
    """A source that raises, or hangs until it is let go."""

    def __init__(self, error: Exception | None = None) -> None:
        self.calls, self.error, self.free = 0, error, threading.Event()

    def read(self, feeds: Sequence[str]) -> Mapping[str, Reading]:
        self.calls += 1
        if self.error:
            raise self.error
        self.free.wait(10)
        return dict.fromkeys(feeds, WAITING)


@pytest.mark.parametrize(
    "error", [ValueError("a bug"), UnicodeDecodeError("utf-8", b"", 0, 1, "x"), OSError()]
)
def test_an_exception_of_the_source_ends_nothing(error: Exception) -> None:
    """Rule: every feed is Unknown, and the next reading is asked for as ever."""

    async def twice() -> Mapping[str, Reading]:
        readings = SignalReader(source)
        await readings.read(["a", "b"])
        return await readings.read(["a", "b"])

    source = Source(error)
    seen = asyncio.run(twice())
    assert seen.keys() == {"a", "b"}
    assert all(isinstance(one, Unknown) and one.reason == "ReadingFailed" for one in seen.values())
    assert source.calls == 2


def test_a_source_that_hangs_has_one_thread_and_is_not_waited_for_again() -> None:
    """Rule: looking up a name has no timeout of its own; late answers are old and are thrown away."""
    source = Source()

    async def readings_of_a_while() -> list[Mapping[str, Reading]]:
        readings = SignalReader(source, longest_s=0.05)
        seen = [await readings.read(["a"]) for _ in range(3)]
        assert source.calls == 1
        source.free.set()
        while not readings.idle:
            await asyncio.sleep(0.01)
        return [*seen, await readings.read(["b"])]

    *late, then = asyncio.run(readings_of_a_while())
    assert all(isinstance(one["a"], Unknown) and one["a"].reason == "RedisUnreachable" for one in late)
    assert then == {"b": WAITING}
    assert source.calls == 2


def test_the_longest_wait_for_a_reading_is_no_stall() -> None:
    """Rule: liveness must not restart an operator whose Redis is away."""
    assert READ_MAX_S < STALLED_S / 2
