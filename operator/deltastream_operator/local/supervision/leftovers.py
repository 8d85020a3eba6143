"""Find and end processes that a killed local run left, by pid and start time, since pids are used again."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Mapping
from pathlib import Path


def started_at(pid: int) -> str | None:
    """When the process began, as text that tells two owners of one pid apart; None if there is none."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return None
    return None if fields[0] in "ZX" else f"{boot} {fields[19]}"


def recorded(record: Mapping[str, object]) -> dict[str, tuple[int, str]]:
    """The leaders of process groups that a record names; anything else in it is no record of ours."""
    found = {}
    for name, entry in record.items():
        match entry:
            case [int(pid), str(began)] if 1 < pid < 2**31 and _leads(pid):
                found[name] = pid, began
    return found


def _leads(pid: int) -> bool:
    # We start each process as the leader of a group of its own; never our own group.
    with contextlib.suppress(OSError):
        return os.getpgid(pid) == pid != os.getpgrp()
    return False


def kill_leftovers(recorded: Mapping[str, tuple[int, str]], within_s: float = 10) -> list[str]:
    """Kill the process groups that an earlier local run left; returns the names of those found."""
    found = {name: pid for name, (pid, began) in recorded.items() if started_at(pid) == began}
    for pid in found.values():
        with contextlib.suppress(ProcessLookupError, PermissionError):  # another user's by now
            os.killpg(pid, signal.SIGKILL)
    deadline = time.monotonic() + within_s
    while any(started_at(pid) for pid in found.values()) and time.monotonic() < deadline:
        time.sleep(0.02)
    return sorted(found)
