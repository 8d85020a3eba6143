"""Imports go one way only."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

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


def test_imports_go_from_the_programs_to_the_domain() -> None:
    """The core knows nothing of what is around it, and no program of another."""
    result = lint(OPERATOR / ".importlinter")
    assert result.returncode == 0, result.stdout


@pytest.mark.parametrize(
    ("module", "imported"),
    [
        ("domain/capacity", "local.supervision.net"),
        ("domain/capacity", "ports"),
        ("parsing/resource", "kubernetes.names"),
        ("local/services", "kubernetes.names"),
        ("local/services", "cluster.signal_reader"),
        ("cluster/reconcile", "hooks.refused"),
        ("hooks/run", "cluster.watching.handlers"),
        ("cluster/watching/table", "cluster.writing.merge"),
    ],
)
def test_the_rules_reject_an_import_upwards_or_sideways(tmp_path: Path, module: str, imported: str) -> None:
    """A checker without a planted violation checks nothing."""
    package = tmp_path / "deltastream_operator"
    subprocess.run(["cp", "-r", OPERATOR / "deltastream_operator", package], check=True)
    file = package / f"{module}.py"
    file.write_text(f"{file.read_text()}\nimport deltastream_operator.{imported}\n")
    assert lint(OPERATOR / ".importlinter", tmp_path).returncode == 1
