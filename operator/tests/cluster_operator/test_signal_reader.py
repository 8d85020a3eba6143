"""Test the signal reader: it returns a reading for each feed in time, even if the source fails or hangs."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Mapping, Sequence

import pytest

from deltastream_operator.cluster.run import STALLED_S
from deltastream_operator.cluster.signal_reader import READ_MAX_S, SignalReader
from deltastream_operator.domain.signals import WAITING, Reading, Unknown


class Source:
    """A source that raises `error`, or hangs until the event `free` is set."""

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
def test_an_exception_of_the_source_makes_all_readings_unknown(error: Exception) -> None:
    """The next read calls the source again."""

    async def twice() -> Mapping[str, Reading]:
        readings = SignalReader(source)
        await readings.read(["a", "b"])
        return await readings.read(["a", "b"])

    source = Source(error)
    seen = asyncio.run(twice())
    assert seen.keys() == {"a", "b"}
    assert all(isinstance(one, Unknown) and one.reason == "ReadingFailed" for one in seen.values())
    assert source.calls == 2


def test_a_source_that_hangs_uses_one_thread_and_its_late_result_is_dropped() -> None:
    """A DNS lookup has no timeout of its own, so a read can hang. A late result is out of date."""
    source = Source()

    async def read_until_released() -> list[Mapping[str, Reading]]:
        readings = SignalReader(source, longest_s=0.05)
        seen = [await readings.read(["a"]) for _ in range(3)]
        assert source.calls == 1
        source.free.set()
        while not readings.idle:
            await asyncio.sleep(0.01)
        return [*seen, await readings.read(["b"])]

    *late, then = asyncio.run(read_until_released())
    assert all(isinstance(one["a"], Unknown) and one["a"].reason == "RedisUnreachable" for one in late)
    assert then == {"b": WAITING}
    assert source.calls == 2


def test_the_longest_read_does_not_fail_the_liveness_probe() -> None:
    """The liveness probe must not restart an operator while Redis is unavailable."""
    assert READ_MAX_S < STALLED_S / 2
