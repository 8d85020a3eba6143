"""Scanners in environments of their own, in the cache: their dependencies are none of ours."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from devcluster.environment import cache

CHECKOV = "checkov==3.3.30"
KUBERNETES_VALIDATE = "kubernetes-validate==1.37.0"


def environment(requirement: str) -> Path:
    """The `bin` folder of an environment that has the requirement, made at first use."""
    folder = cache() / "venvs" / requirement.replace("==", "-")
    done = folder / ".complete"
    if not done.is_file():
        uv = Path(sys.executable).with_name("uv")
        python = folder / "bin" / "python"
        subprocess.run([uv, "venv", "--quiet", "--clear", f"--python={sys.executable}", folder], check=True)
        subprocess.run([uv, "pip", "install", "--quiet", f"--python={python}", requirement], check=True)
        done.touch()
    return folder / "bin"
