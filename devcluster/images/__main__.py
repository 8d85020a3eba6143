"""`python -m devcluster.images build`: build the product's images with the builder that this machine has."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from devcluster.images import build, host
from devcluster.images.catalogue import chart_version
from devcluster.images.errors import ImageError
from devcluster.terminal import interrupted, say


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
        help="by default the engine that responds, else buildah, which also builds stand-ins and the archive",
    )
    options = parser.parse_args(argv)
    try:
        tag = options.tag or chart_version()
        build.with_available_builder(tag, options.out, say, options.builder)
    except ImageError as error:
        print(f"images: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return interrupted("images")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
