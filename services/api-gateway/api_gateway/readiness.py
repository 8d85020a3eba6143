"""Readiness: check all dependencies in parallel."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor, wait

import structlog
import urllib3

SWEEP_S = 1.5  # because /readyz must answer within 2 s


def answers_ok(http: urllib3.PoolManager, url: str) -> Callable[[], object]:
    """Return a check that raises unless `url` answers 200."""

    def check() -> None:
        timeout = urllib3.Timeout(connect=0.5, read=1.0)
        response = http.request(
            "GET", url, timeout=timeout, retries=False, redirect=False, preload_content=False
        )
        response.close()
        response.release_conn()
        if response.status != 200:
            raise RuntimeError(f"status {response.status}")

    return check


class Sweep:
    """Runs the checks `targets` in parallel and caches the results for half a second.

    Health calls its checks one after another: the first call runs all targets, the others read the cache.
    `within_s` is the time limit of a run, in seconds.
    """

    def __init__(
        self,
        targets: Mapping[str, Callable[[], object]],
        *,
        within_s: float = SWEEP_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._targets, self._within_s, self._clock = targets, within_s, clock
        self._lock = threading.Lock()
        self._until = float("-inf")
        self._bad: frozenset[str] = frozenset()
        # The pool starts its threads on first use, in gunicorn's worker: threads do not survive a fork.
        self._threads = ThreadPoolExecutor(max(1, len(targets)), thread_name_prefix="readiness")

    def checks(self) -> dict[str, Callable[[], object]]:
        """Return a check for each target, for Health."""
        return {name: lambda name=name: self._check(name) for name in self._targets}  # type: ignore[misc]

    def _check(self, name: str) -> None:
        with self._lock:
            if self._clock() > self._until:
                self._bad = self._sweep()
                self._until = self._clock() + 0.5
        if name in self._bad:
            raise RuntimeError(f"{name} is not ready")

    def _sweep(self) -> frozenset[str]:
        running = {self._threads.submit(check): name for name, check in self._targets.items()}
        done, late = wait(running, timeout=self._within_s)
        bad = {future: type(future.exception()).__name__ for future in done if future.exception()}
        bad |= {future: "late" for future in late if not future.cancel()}
        for future, error in bad.items():
            structlog.get_logger("readiness").info("not_ready", dependency=running[future], error=error)
        return frozenset(running[future] for future in (*bad, *late))
