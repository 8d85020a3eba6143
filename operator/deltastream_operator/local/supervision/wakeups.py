"""Wait for signals, ended children and timeouts in one thread."""

from __future__ import annotations

import contextlib
import os
import select
import signal
from collections.abc import Callable, Iterator


class Wakeups:
    """Delivers signals as bytes in a pipe: handlers run no code, and a signal ends `wait` at once."""

    def __init__(self) -> None:
        self._on_signal: Callable[[], None] = lambda: None
        self._read = -1

    @contextlib.contextmanager
    def handling(self, on_signal: Callable[[], None]) -> Iterator[None]:
        """While the block runs, `wait` calls `on_signal` for each SIGINT, SIGTERM and SIGHUP."""
        self._on_signal = on_signal
        self._read, write = os.pipe()
        os.set_blocking(write, False)
        os.set_blocking(self._read, False)
        numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGCHLD)
        before = {number: signal.signal(number, lambda _number, _frame: None) for number in numbers}
        old = signal.set_wakeup_fd(write, warn_on_full_buffer=False)
        try:
            yield
        finally:
            signal.set_wakeup_fd(old)
            for number, handler in before.items():
                signal.signal(number, handler)
            os.close(self._read)
            os.close(write)

    def wait(self, seconds: float) -> None:
        """Wait for a signal, the end of a child or `seconds`."""
        if select.select([self._read], [], [], seconds)[0]:
            for number in os.read(self._read, 4096):
                if number != signal.SIGCHLD:
                    self._on_signal()
