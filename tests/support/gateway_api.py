"""The Gateway API's definitions, from its Go module: the sources that its releases are made of."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

MODULE = "sigs.k8s.io/gateway-api"
ROUTES = "/apis/gateway.networking.k8s.io/v1/httproutes"


def http_routes(version: str, work: Path) -> Path:
    """The definition of HTTPRoute in its standard channel. Without Go: a skip on a desk, a failure in CI."""
    if shutil.which("go") is None:
        reason = f"no `go` in PATH: the definition of HTTPRoute comes from the Go module {MODULE}"
        (pytest.fail if os.environ.get("CI") else pytest.skip)(reason)
    command = ["go", "mod", "download", "-json", f"{MODULE}@{version}"]
    env = {**os.environ, "GOFLAGS": "", "GOWORK": "off"}
    done = subprocess.run(command, cwd=work, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    folder = Path(json.loads(done.stdout)["Dir"], "config/crd/standard")
    return folder / "gateway.networking.k8s.io_httproutes.yaml"
