"""The commands `start` and `stop`: run the local system in the background."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from deltastream_operator.errors import OperatorError
from deltastream_operator.local.state.home import Home, unusable
from deltastream_operator.local.supervision.logs import tail

DOWN_WITHIN_S = 120.0


def start(feeds: str, root: Path, table: Path | None) -> str:
    """Start a local run, wait until it is ready and return its output.

    `root` is DELTASTREAM_HOME, `table` an optional file with other commands for the services. Raises
    OperatorError with the end of the log if the run does not become ready.
    """
    home = Home(root)
    home.create()
    if pid := home.running_pid():
        raise OperatorError(f"{home.root} is in use by the local run with pid {pid}: run `make stop` first")
    home.not_ready()
    log = home.logs / "local.log"
    argv = [sys.executable, "-m", "deltastream_operator", "local", "--feeds", feeds]
    argv += ["--services", str(table)] if table else []
    try:
        out = open(log, "ab")  # noqa: SIM115  # closed below
    except OSError as error:
        raise unusable(log, error) from None
    with out:
        began = out.tell()
        local_run = subprocess.Popen(  # noqa: S603
            argv, stdin=subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True
        )
    try:
        while not home.ready_file.exists():
            if local_run.poll() is not None:
                end = "".join(f"\n    {line}" for line in tail(log, 15))
                raise OperatorError(f"the system did not start; log {log}:{end}")
            time.sleep(0.1)
    except KeyboardInterrupt:
        local_run.terminate()
        local_run.wait()
        raise OperatorError("interrupted; nothing is left running") from None
    # All of its output: it may also report repaired or lost files.
    return "\n".join([*tail(log, 100, began), "  stop it with make stop"])


def stop(root: Path) -> str:
    """Stop the local run of this home and wait for its end. Raises OperatorError after a timeout."""
    home = Home(root)
    pid = home.running_pid()
    if pid is None:
        return f"nothing runs in {home.root}"
    with contextlib.suppress(ProcessLookupError):  # it has just ended
        os.kill(pid, signal.SIGTERM)
    deadline = time.monotonic() + DOWN_WITHIN_S
    while home.running_pid() is not None:
        if time.monotonic() > deadline:
            raise OperatorError(f"the local run with pid {pid} did not stop within {DOWN_WITHIN_S:g} s")
        time.sleep(0.1)
    return "stopped"
