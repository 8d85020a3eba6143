"""Run a command of the local run, which has an environment of its own beside this one."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

from deltastream_cli.errors import CommandError, UsageError

ROOT = Path(__file__).parents[3]
PYTHON = ROOT / ".venv-run" / "bin" / "python"


def check_source(file: Path, seconds: float) -> list[dict[str, Any]]:
    """Return what each live source of a feed file gave. Raises UsageError for a wrong file."""
    if not PYTHON.exists():
        raise UsageError(f"check-source needs the services' environment: run `make build` in {ROOT}")
    command = [str(PYTHON), "-m", "deltastream_operator", "check-source"]
    command += ["--feeds", str(file), "--seconds", str(seconds)]
    env = {**os.environ, "PYTHONPATH": str(ROOT / "operator")}
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)  # noqa: S603
    if not done.stdout:
        text = "; ".join(done.stderr.splitlines()) or f"it ended with status {done.returncode}"
        raise UsageError(text) if done.returncode == 2 else CommandError(text)
    return [json.loads(line) for line in done.stdout.splitlines()]
