"""A process ends on a signal, wherever the signal interrupts it."""

from __future__ import annotations

import subprocess
import sys
from contextlib import ExitStack

from tests.support.local_system import ROOT

# Most of the time it is inside of `wait`, where a handler that sets the event itself never returns.
WAITS = """
from chassis.stop_signals import stop_event
stop = stop_event()
print(flush=True)
while not stop.is_set():
    stop.wait(0)
"""
PROCESSES = 20


def test_a_signal_in_the_middle_of_a_wait_ends_the_process() -> None:
    """With a handler that calls `Event.set`, about half of these processes hang."""
    with ExitStack() as stack:
        processes = [
            stack.enter_context(
                subprocess.Popen(
                    [sys.executable, "-c", WAITS], cwd=ROOT / "services/chassis", stdout=subprocess.PIPE
                )
            )
            for _ in range(PROCESSES)
        ]
        for process in processes:
            stack.callback(process.kill)
        for process in processes:
            assert process.stdout is not None
            process.stdout.readline()
            process.terminate()
        assert [process.wait(timeout=60) for process in processes] == [0] * PROCESSES
