"""Rate limits in steps: few round trips, exact in one process, almost exact in several."""

from __future__ import annotations

from typing import Any

import pytest
from limits import RateLimitItemPerMinute
from limits.storage import MemoryStorage

from api_gateway.windows import WindowsInSteps


class Storage(MemoryStorage):
    """A storage that counts its round trips, and that can fail."""

    def __init__(self) -> None:
        super().__init__()
        self.trips, self.fails = 0, False

    def incr(self, *args: Any, **options: Any) -> int:
        self.trips += 1
        if self.fails:
            raise ConnectionError
        return super().incr(*args, **options)


@pytest.mark.parametrize("amount", [1, 2, 100, 600, 5000])
def test_one_process_refuses_exactly(amount: int) -> None:
    """One process accepts exactly the limit."""
    window, item = WindowsInSteps(Storage()), RateLimitItemPerMinute(amount)
    assert sum(window.hit(item, "a") for _ in range(amount + 50)) == amount
    assert window.hit(item, "b")


def test_a_step_is_many_requests_far_from_the_limit() -> None:
    """Far from the limit most requests need no round trip. A full window needs none until it ends."""
    storage = Storage()
    window, item = WindowsInSteps(storage), RateLimitItemPerMinute(100_000)
    for _ in range(6400):
        assert window.hit(item, "a")
    assert storage.trips < 6400 / 20
    full, few = WindowsInSteps(storage), RateLimitItemPerMinute(1)
    full.hit(few, "b")
    assert not full.hit(few, "b")
    trips = storage.trips
    assert not any(full.hit(few, "b") for _ in range(100))
    assert full.get_window_stats(few, "b").remaining == 0
    assert storage.trips == trips


@pytest.mark.parametrize("replicas", [2, 4])
def test_replicas_share_a_limit_almost_exactly(replicas: int) -> None:
    """Each further replica accepts at most 1/64 of the limit more."""
    storage, item = Storage(), RateLimitItemPerMinute(6400)
    windows = [WindowsInSteps(storage) for _ in range(replicas)]
    accepted = sum(windows[n % replicas].hit(item, "a") for n in range(10_000))
    assert 6400 <= accepted <= 6400 + (replicas - 1) * 100


def test_replicas_share_a_small_limit_exactly() -> None:
    """Limits up to 64 are counted in the storage at every request."""
    storage, item = Storage(), RateLimitItemPerMinute(10)
    windows = [WindowsInSteps(storage) for _ in range(3)]
    assert sum(windows[n % 3].hit(item, "a") for n in range(40)) == 10


def test_a_failed_step_is_reported_and_forgotten() -> None:
    """flask-limiter gets the storage's error and counts in memory; then the storage counts again."""
    storage, item = Storage(), RateLimitItemPerMinute(2)
    window = WindowsInSteps(storage)
    assert window.hit(item, "a")
    storage.fails = True
    with pytest.raises(ConnectionError):
        window.hit(item, "a")
    storage.fails = False
    assert [window.hit(item, "a") for _ in range(2)] == [True, False]
