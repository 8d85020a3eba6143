"""Which images there are: the product's nine, and the stand-ins that a machine without an engine needs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import yaml

from devcluster import golang
from devcluster.images.errors import ImageError

ROOT = Path(__file__).resolve().parents[2]
CHART = ROOT / "charts" / "deltastream" / "Chart.yaml"
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
    base: str = ""  # built before it, and part of its fingerprint
    version: str | None = None  # becomes a label
    brings: tuple[tuple[str, Callable[[], Path]], ...] = ()  # name in the context, and where the file is


def chart_version() -> str:
    """The chart's appVersion, which its templates take as the tag. Raises ImageError."""
    try:
        return str(yaml.safe_load(CHART.read_text())["appVersion"])
    except (OSError, KeyError) as error:
        raise ImageError(
            f"{CHART}: no appVersion ({type(error).__name__}); give a tag: --tag 1.2.3"
        ) from None


def products(tag: str) -> list[Recipe]:
    """The nine images of DeltaStream."""
    folders = [*(ROOT / "services" / name for name in SERVICES), ROOT / "operator"]
    return [
        Recipe(f"docker.io/deltastream/{folder.name}:{tag}", folder, base=PYTHON, version=tag)
        for folder in folders
    ]


def standins(mongod: Callable[[], Path]) -> list[Recipe]:
    """The stores, in place of the official images; `mongod` names the hashed requirement of its wheel.

    MongoDB's tools, which the official image has, are built from their Go module.

    What the node itself needs (DNS, volumes, pause) it writes itself: devcluster/node/images.py.
    """
    return [
        Recipe("docker.io/library/redis:7.2-bookworm", STANDINS / "redis", base=PYTHON),
        Recipe(
            "docker.io/library/mongo:6.0",
            STANDINS / "mongo",
            base=PYTHON,
            brings=(
                ("requirements.txt", mongod),
                ("mongodump", golang.mongodump),
                ("mongorestore", golang.mongorestore),
            ),
        ),
    ]
