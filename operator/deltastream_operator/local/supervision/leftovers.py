"""Kill processes that a killed local run left behind. Pid and start time identify them: pids are reused."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Mapping
from pathlib import Path


def started_at(pid: int) -> str | None:
    """Return the boot id and start time of a process, or None if the pid has no live process.

    The text differs between two processes with the same pid.
    """
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return None
    return None if fields[0] in "ZX" else f"{boot} {fields[19]}"


def recorded(record: Mapping[str, object]) -> dict[str, tuple[int, str]]:
    """Return the valid entries of a record: leaders of process groups with pid and start time, by name."""
    found = {}
    for name, entry in record.items():
        match entry:
            case [int(pid), str(began)] if 1 < pid < 2**31 and _leads(pid):
                found[name] = pid, began
    return found


def _leads(pid: int) -> bool:
    # The supervisor starts each process as the leader of its own group. Never kill this process's own group.
    with contextlib.suppress(OSError):
        return os.getpgid(pid) == pid != os.getpgrp()
    return False


def kill_leftovers(recorded: Mapping[str, tuple[int, str]], within_s: float = 10) -> list[str]:
    """Kill the process groups of an earlier local run. Returns the names of the processes found."""
    found = {name: pid for name, (pid, began) in recorded.items() if started_at(pid) == began}
    for pid in found.values():
        with contextlib.suppress(ProcessLookupError, PermissionError):  # the pid now belongs to another user
            os.killpg(pid, signal.SIGKILL)
    deadline = time.monotonic() + within_s
    while any(started_at(pid) for pid in found.values()) and time.monotonic() < deadline:
        time.sleep(0.02)
    return sorted(found)
