"""Run buildah with its own image store in the cache, separate from the machine's images."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from devcluster.images.host import cache, run


class Store:
    """The image store. It uses the driver `overlay`, which shares layers on disk; `vfs` copies each layer."""

    def __init__(self, root: Path | None = None) -> None:
        self._root = root or cache() / "images" / "store"
        self._logs = cache() / "images" / "log"

    def ids(self) -> dict[str, str]:
        """Return the image id of every name."""
        return {name: image["id"] for image in self._images() for name in image["names"] or []}

    def megabytes(self) -> dict[str, float]:
        """Return the unpacked size of every image, base included, in MB."""
        units = {"B": 1e-6, "KB": 1e-3, "MB": 1.0, "GB": 1e3}
        sizes = {}
        for image in self._images():
            number, unit = image["size"].split()
            sizes.update(dict.fromkeys(image["names"] or [], float(number) * units[unit.upper()]))
        return sizes

    def build(self, name: str, context: Path, *, dockerfile: Path, options: Sequence[str] = ()) -> None:
        """Build `context`. Unchanged layers come from the store; no registry is contacted.

        The format is `docker`, since the OCI format has no HEALTHCHECK. The build runs in a chroot on the
        host's network, so it needs neither a container runtime nor network interfaces of its own.
        """
        run(
            self._command(
                *("bud", "--layers", "--format=docker", "--isolation=chroot", "--network=host"),
                *("--pull=never", f"--tag={name}", f"--file={dockerfile}", *options, str(context)),
            ),
            task=f"building {name}",
            log=self._logs / f"{_file(name)}.log",
        )

    def from_folder(self, name: str, root: Path, environment: dict[str, str]) -> None:
        """Create an image with one layer: the content of the folder `root`."""
        container = run(self._command("from", "scratch"), task=f"starting {name}").strip()
        try:
            run(self._command("add", "--quiet", container, str(root), "/"), task=f"filling {name}")
            variables = [f"--env={key}={value}" for key, value in environment.items()]
            run(self._command("config", *variables, "--cmd=python3", container), task=f"configuring {name}")
            run(
                self._command("commit", "--quiet", "--format=docker", container, name), task=f"keeping {name}"
            )
        finally:
            run(self._command("rm", container), task=f"cleaning up after {name}")

    def push(self, name: str, layout: Path) -> None:
        """Export an image into the OCI layout. Layers that exist there are not written again."""
        run(self._command("push", "--quiet", name, f"oci:{layout}:{name}"), task=f"exporting {name}")

    def prune(self) -> None:
        """Delete every layer that belongs to no named image."""
        run(self._command("rmi", "--prune"), task="removing unused layers")

    def _images(self) -> list[dict[str, Any]]:
        listing = run(self._command("images", "--json", "--no-trunc"), task="listing the images")
        images: list[dict[str, Any]] | None = json.loads(listing or "null")
        return images or []

    def _command(self, *arguments: str) -> list[str]:
        return [
            *("buildah", f"--root={self._root}", f"--runroot={self._root}-run", "--storage-driver=overlay"),
            *arguments,
        ]


def _file(name: str) -> str:
    return name.replace("/", "_").replace(":", "_")
