"""End a process in its own time on SIGTERM or SIGINT."""

from __future__ import annotations

import signal
import threading
from queue import SimpleQueue


def stop_event() -> threading.Event:
    """Return an event that the first SIGTERM or SIGINT sets. Call it in the main thread.

    The handler only fills a queue, whose `put` may interrupt itself. `Event.set` may not: called in a handler
    while the main thread is inside `Event.wait`, it waits for ever for the lock that this thread holds.
    """
    event = threading.Event()
    signals: SimpleQueue[int] = SimpleQueue()

    def wait() -> None:
        signals.get()
        event.set()

    threading.Thread(target=wait, name="stop-signals", daemon=True).start()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda caught, _: signals.put(caught))
    return event
