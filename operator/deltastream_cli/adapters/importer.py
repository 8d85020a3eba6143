"""Runs the feed generator's importer as a process: the command line shares no code with the services."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from collections.abc import Generator, Mapping, Sequence
from pathlib import Path
from typing import Any

from deltastream_cli.errors import CommandError

_GENERATOR = Path(__file__).resolve().parents[3] / "services" / "feed-generator"
Event = Mapping[str, Any]


def events(arguments: Sequence[str]) -> Generator[Event]:
    """Yield what the importer says: progress, and at the end a report or an error.

    Raises CommandError if it cannot run. Closing the iterator ends the process.
    """
    if not _GENERATOR.is_dir():
        raise CommandError(f"needs the feed generator's code, and there is no {_GENERATOR}")
    argv = [sys.executable, "-m", "feed_generator.importing", *arguments]
    with subprocess.Popen(  # noqa: S603 - our own module, and arguments without a shell
        argv,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={"PYTHONPATH": str(_GENERATOR), "PYTHONDONTWRITEBYTECODE": "1"},
    ) as process:
        ended = False
        try:
            for line in process.stdout or ():
                event: Event = json.loads(line)
                ended = "report" in event or "error" in event
                yield event
            if not ended:
                words = (process.stderr or io.StringIO()).read().strip().splitlines() or ["no message"]
                raise CommandError(f"the importer ended without a report: {words[-1]:.300}")
        finally:
            process.terminate()
