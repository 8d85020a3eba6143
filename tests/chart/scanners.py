"""Install scanners into separate virtual environments in the cache, apart from the project's dependencies."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from devcluster.environment import cache

CHECKOV = "checkov==3.3.30"
KUBERNETES_VALIDATE = "kubernetes-validate==1.37.0"


def environment(requirement: str) -> Path:
    """Install the requirement at first use. Returns the `bin` folder of its environment."""
    folder = cache() / "venvs" / requirement.replace("==", "-")
    done = folder / ".complete"
    if not done.is_file():
        uv = Path(sys.executable).with_name("uv")
        python = folder / "bin" / "python"
        subprocess.run([uv, "venv", "--quiet", "--clear", f"--python={sys.executable}", folder], check=True)
        subprocess.run([uv, "pip", "install", "--quiet", f"--python={python}", requirement], check=True)
        done.touch()
    return folder / "bin"
