"""Programs built from their Go modules into `cache()/bin`: no downloads but the Go module proxy's.

Go's checksum database vouches for the sources; a build is kept until another version is asked for.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from devcluster.environment import cache

# mongodump and mongorestore 100.6.1, the newest version whose sum the checksum database tells.
MONGO_TOOLS = ("github.com/mongodb/mongo-tools", "v0.0.0-20221102190735-6d9d341edd33")


class GoError(Exception):
    """A program cannot be built; the text says why."""


def mongodump() -> Path:
    """The program, built at first use. Raises GoError."""
    return _mongo_tool("mongodump")


def mongorestore() -> Path:
    """The program, built at first use. Raises GoError."""
    return _mongo_tool("mongorestore")


def _mongo_tool(name: str) -> Path:
    module, version = MONGO_TOOLS
    return program(name, f"{module}/{name}/main", version)


def program(name: str, package: str, version: str, tags: str = "") -> Path:
    """The program of a module's package, built where it is missing or of another version. Raises GoError."""
    target = cache() / "bin" / name
    if built(target, version):
        return target
    if shutil.which("go") is None:
        raise GoError(f"{name} is built from its Go module, and there is no `go` in PATH")
    work = cache() / "build" / name
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    go(work, "mod", "init", f"deltastream.dev/{name}")
    go(work, "get", "-tool", f"{package}@{version}")
    compiled(work, target, package, version, tags=tags)
    return target


def sources(module: str, version: str) -> Path:
    """A module's sources, as its releases are made of; read only. Raises GoError."""
    cache().mkdir(parents=True, exist_ok=True)
    found = json.loads(go(cache(), "mod", "download", "-json", f"{module}@{version}"))
    return Path(found["Dir"])


def compiled(
    work: Path, target: Path, package: str, version: str, *, flags: Sequence[str] = (), tags: str = ""
) -> None:
    """Compile a module's package; the module's folder goes. Raises GoError."""
    # Built beside and moved: a build that was interrupted leaves nothing that looks finished.
    options = ["-trimpath", f"-tags={tags}", "-ldflags", " ".join(["-s", "-w", *flags]), "-o", "out"]
    go(work, "build", *options, package)
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.move(work / "out", target)
    _stamp(target).write_text(version)
    shutil.rmtree(work)


def built(target: Path, version: str) -> bool:
    """Whether the program is there, in this version."""
    stamp = _stamp(target)
    return target.is_file() and stamp.is_file() and stamp.read_text() == version


def go(work: Path, *arguments: str) -> str:
    """What `go` prints. Raises GoError with what it says of an error."""
    env = {**os.environ, "CGO_ENABLED": "0", "GOFLAGS": "-buildvcs=false", "GOWORK": "off"}
    done = subprocess.run(["go", *arguments], cwd=work, env=env, capture_output=True, text=True, check=False)
    if done.returncode:
        last = "\n".join((done.stderr or done.stdout).strip().splitlines()[-5:])
        raise GoError(f"go {' '.join(arguments[:2])} failed in {work}:\n{last}")
    return done.stdout


def _stamp(target: Path) -> Path:
    return target.with_name(f".{target.name}.version")
