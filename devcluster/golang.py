"""Build programs from their Go modules into `cache()/bin`. Only the Go module proxy is needed for downloads.

Go's checksum database verifies the sources. A build is kept until another version is requested.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from devcluster.environment import cache

# mongodump and mongorestore 100.6.1: the newest version that the checksum database lists.
MONGO_TOOLS = ("github.com/mongodb/mongo-tools", "v0.0.0-20221102190735-6d9d341edd33")


class GoError(Exception):
    """A program cannot be built. The text says why."""


def mongodump() -> Path:
    """Return the path of mongodump, built at first use. Raises GoError if the build fails."""
    return _mongo_tool("mongodump")


def mongorestore() -> Path:
    """Return the path of mongorestore, built at first use. Raises GoError if the build fails."""
    return _mongo_tool("mongorestore")


def _mongo_tool(name: str) -> Path:
    module, version = MONGO_TOOLS
    return program(name, f"{module}/{name}/main", version)


def program(name: str, package: str, version: str, tags: str = "") -> Path:
    """Return the path of the program `name`, built from the Go package `package` at `version`.

    Builds only if the program is missing or has another version. Raises GoError if the build fails.
    """
    target = cache() / "bin" / name
    if built(target, version):
        return target
    if shutil.which("go") is None:
        raise GoError(f"{name} is built from its Go module, but there is no `go` in PATH; install Go")
    work = cache() / "build" / name
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    go(work, "mod", "init", f"deltastream.dev/{name}")
    go(work, "get", "-tool", f"{package}@{version}")
    compiled(work, target, package, version, tags=tags)
    return target


def sources(module: str, version: str) -> Path:
    """Return the folder with a module's released sources; it is read-only. Raises GoError if go fails."""
    cache().mkdir(parents=True, exist_ok=True)
    found = json.loads(go(cache(), "mod", "download", "-json", f"{module}@{version}"))
    return Path(found["Dir"])


def compiled(
    work: Path, target: Path, package: str, version: str, *, flags: Sequence[str] = (), tags: str = ""
) -> None:
    """Compile `package` of the module in `work` to `target`, then delete `work`. Raises GoError."""
    # The program is moved to its place after the build, so an interrupted build leaves no broken program.
    options = ["-trimpath", f"-tags={tags}", "-ldflags", " ".join(["-s", "-w", *flags]), "-o", "out"]
    go(work, "build", *options, package)
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.move(work / "out", target)
    _stamp(target).write_text(version)
    shutil.rmtree(work)


def built(target: Path, version: str) -> bool:
    """Return whether the program exists and has this version."""
    stamp = _stamp(target)
    return target.is_file() and stamp.is_file() and stamp.read_text() == version


def go(work: Path, *arguments: str) -> str:
    """Run `go` in the folder `work` and return its output. Raises GoError with its error message."""
    env = {**os.environ, "CGO_ENABLED": "0", "GOFLAGS": "-buildvcs=false", "GOWORK": "off"}
    done = subprocess.run(["go", *arguments], cwd=work, env=env, capture_output=True, text=True, check=False)
    if done.returncode:
        last = "\n".join((done.stderr or done.stdout).strip().splitlines()[-5:])
        raise GoError(f"go {' '.join(arguments[:2])} failed in {work}:\n{last}")
    return done.stdout


def _stamp(target: Path) -> Path:
    return target.with_name(f".{target.name}.version")
