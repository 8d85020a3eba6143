"""Imports go one way only."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

OPERATOR = Path(__file__).resolve().parents[2]


def lint(config: Path, folder: Path = OPERATOR) -> subprocess.CompletedProcess[str]:
    program = Path(sys.executable).with_name("lint-imports")
    env = {**os.environ, "PYTHONPATH": str(folder)}
    return subprocess.run(
        [program, config, "--no-cache"],
        cwd=folder,
        env=env,
        capture_output=True,
        text=True,
        check=False,
    )


def test_domain_ports_adapters_and_wiring_are_layers() -> None:
    """The core knows nothing of what is around it."""
    result = lint(OPERATOR / ".importlinter")
    assert result.returncode == 0, result.stdout


def test_the_rule_rejects_a_domain_that_does_io(tmp_path: Path) -> None:
    """A checker without a planted violation checks nothing."""
    package = tmp_path / "deltastream_operator"
    subprocess.run(["cp", "-r", OPERATOR / "deltastream_operator", package], check=True)
    capacity = package / "domain/capacity.py"
    capacity.write_text(capacity.read_text() + "\nimport deltastream_operator.local.supervision.net\n")
    assert lint(OPERATOR / ".importlinter", tmp_path).returncode == 1
