"""`python -m devcluster.images build`: the product's images, by whatever this machine has."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import yaml

from devcluster.images import build, host
from devcluster.images.catalogue import ROOT
from devcluster.images.errors import ImageError

CHART = ROOT / "charts" / "deltastream" / "Chart.yaml"


def say(text: str) -> None:
    """One line for the person at the terminal."""
    print(text, flush=True)


def chart_version() -> str:
    """The chart's appVersion, which its templates take as the tag. Raises ImageError."""
    try:
        return str(yaml.safe_load(CHART.read_text())["appVersion"])
    except (OSError, KeyError) as error:
        raise ImageError(
            f"{CHART}: no appVersion ({type(error).__name__}); give a tag: --tag 1.2.3"
        ) from None


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m devcluster.images", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    one = commands.add_parser("build", help="build what has changed")
    one.add_argument("--tag", help="by default the chart's appVersion")
    one.add_argument("--out", type=Path, default=host.cache() / "images", help="the archive's folder")
    one.add_argument(
        "--with",
        dest="builder",
        choices=("docker", "podman", "buildah"),
        help="by default the engine that answers, else buildah, which also makes stand-ins and the archive",
    )
    options = parser.parse_args(argv)
    try:
        tag = options.tag or chart_version()
        builder = options.builder or host.engine() or "buildah"
        if builder == "buildah":
            build.without_engine(tag, options.out, say)
        else:
            build.with_engine(builder, tag, say)
    except ImageError as error:
        print(f"images: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
