"""The rules of docs/kubernetes.md for every Dockerfile. `broken` names the rules that a Dockerfile breaks."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

BASE = "docker.io/library/python:3.11-slim-bookworm"
LABELS = ("title", "description", "version", "vendor", "licenses", "base.name")


@dataclass(frozen=True)
class Line:
    """One instruction of a Dockerfile with its continuation lines joined. `stage` counts from 0."""

    stage: int
    word: str
    rest: str


def instructions(text: str) -> list[Line]:
    """Parse a Dockerfile into its instructions, without comments."""
    kept = "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("#"))
    lines: list[Line] = []
    stage = -1
    for joined in re.sub(r"\\\n\s*", " ", kept).splitlines():
        if joined.strip():
            word, _, rest = joined.strip().partition(" ")
            stage += word == "FROM"
            lines.append(Line(stage, word, rest))
    return lines


def broken(text: str) -> list[str]:
    """The names of the rules that the Dockerfile breaks."""
    lines = instructions(text)
    return [name for name, holds in _RULES.items() if not holds(lines)]


def environment(lines: list[Line]) -> dict[str, str]:
    """The environment variables of the last stage."""
    return dict(re.findall(r'(\w+)="?([^"\s]*)"?', " ".join(_last(lines, "ENV"))))


def health_command(lines: list[Line]) -> list[str]:
    """The command of HEALTHCHECK; empty if it is not in exec form."""
    return _exec(" ".join(_last(lines, "HEALTHCHECK")).partition("CMD ")[2])


def command(lines: list[Line]) -> list[str]:
    """The command that the image runs by default: ENTRYPOINT and CMD."""
    return [word for name in ("ENTRYPOINT", "CMD") for rest in _last(lines, name) for word in _exec(rest)]


def _last(lines: list[Line], word: str) -> list[str]:
    return [line.rest for line in lines if line.stage == lines[-1].stage and line.word == word]


def _exec(rest: str) -> list[str]:
    try:
        value = json.loads(rest)
    except ValueError:
        return []
    return value if isinstance(value, list) and all(isinstance(word, str) for word in value) else []


def _runs(lines: list[Line]) -> Iterator[str]:
    return (line.rest for line in lines if line.word == "RUN")


def _starts(lines: list[Line]) -> list[str]:
    return [rest for word in ("ENTRYPOINT", "CMD") for rest in _last(lines, word)]


def _installs(lines: list[Line]) -> list[str]:
    return [run for run in _runs(lines) if "pip install" in run]


def _labels(lines: list[Line]) -> set[str]:
    return set(re.findall(r'org\.opencontainers\.image\.([\w.]+)="[^"]+"', " ".join(_last(lines, "LABEL"))))


_RULES: dict[str, Callable[[list[Line]], bool]] = {
    "two stages from the one base": lambda lines: (
        [line.rest.split()[0] for line in lines if line.word == "FROM"] == [BASE, BASE]
    ),
    "the environment is /opt/venv, first in PATH": lambda lines: (
        environment(lines).get("PATH") == "/opt/venv/bin:$PATH"
        and any("python -m venv /opt/venv" in run for run in _runs(lines))
    ),
    "installs wheels by hash only": lambda lines: (
        bool(_installs(lines))
        and all("--require-hashes" in run and "--only-binary=:all:" in run for run in _installs(lines))
    ),
    "installs nothing of Debian's": lambda lines: (
        not any(re.search(r"\bapt(-get)?\b", run) for run in _runs(lines))
    ),
    "compiles what it runs": lambda lines: any("-m compileall" in run for run in _runs(lines)),
    "the last stage takes only what the first has built": lambda lines: (
        bool(_last(lines, "COPY")) and all(rest.startswith("--from=build ") for rest in _last(lines, "COPY"))
    ),
    "the user is 10001:10001": lambda lines: _last(lines, "USER") == ["10001:10001"],
    "the user has a passwd entry": lambda lines: any(
        "useradd --uid 10001 --gid 10001" in run for run in _last(lines, "RUN")
    ),
    "any other user can run it": lambda lines: (
        environment(lines).get("HOME") == "/tmp"
        and any(run.endswith("chmod -R a+rX .") for run in _runs(lines))
    ),
    "the workdir is /app": lambda lines: _last(lines, "WORKDIR") == ["/app"],
    "starts in exec form": lambda lines: bool(_starts(lines)) and all(_exec(rest) for rest in _starts(lines)),
    "asks itself for its health": lambda lines: bool(health_command(lines)),
    "listens on all addresses at a port it exposes": lambda lines: (
        environment(lines).get("HOST") == "0.0.0.0"
        and environment(lines).get("PORT") in " ".join(_last(lines, "EXPOSE")).split()
    ),
    "has the OCI labels": lambda lines: _labels(lines) == set(LABELS),
    "adds nothing from elsewhere": lambda lines: not any(line.word == "ADD" for line in lines),
    "carries no secret": lambda lines: (
        not re.search(r"(?i)(secret|password|token)\w*=", " ".join(line.rest for line in lines))
    ),
}
