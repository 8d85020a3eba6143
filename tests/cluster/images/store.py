"""buildah with a store of its own in the cache: nothing of the machine's own images is seen or changed."""

from __future__ import annotations

import json
from pathlib import Path

from tests.cluster.images.host import cache, run


class Store:
    """Images by name. `overlay` shares layers on disk; every layer of `vfs` would be a whole copy."""

    def __init__(self, root: Path | None = None) -> None:
        self._root = root or cache() / "images" / "store"
        self._logs = cache() / "images" / "log"

    def ids(self) -> dict[str, str]:
        """The id behind every name."""
        listing = json.loads(run(self._command("images", "--json", "--no-trunc"), task="buildah images") or "null")
        return {name: image["id"] for image in listing or [] for name in image["names"] or []}

    def build(self, name: str, context: Path, *, dockerfile: Path, version: str | None = None) -> None:
        """Build `context`; unchanged layers come from the store, and no registry is asked.

        `docker` is the format that has HEALTHCHECK. The build runs in a chroot and on the host's network:
        it needs neither a runtime nor interfaces of its own.
        """
        arguments = ["--build-arg", f"VERSION={version}"] if version else []
        run(
            self._command(
                *("bud", "--quiet", "--layers", "--format=docker", "--isolation=chroot", "--network=host"),
                *("--pull=never", f"--tag={name}", f"--file={dockerfile}", *arguments, str(context)),
            ),
            task=f"building {name}",
            log=self._logs / f"{_file(name)}.log",
        )

    def from_folder(self, name: str, root: Path, environment: dict[str, str]) -> None:
        """An image of one layer: the folder as its root."""
        container = run(self._command("from", "scratch"), task=f"starting {name}").strip()
        try:
            run(self._command("add", "--quiet", container, str(root), "/"), task=f"filling {name}")
            variables = [f"--env={key}={value}" for key, value in environment.items()]
            run(self._command("config", *variables, "--cmd=python3", container), task=f"configuring {name}")
            run(self._command("commit", "--quiet", "--format=docker", container, name), task=f"keeping {name}")
        finally:
            run(self._command("rm", container), task=f"cleaning up after {name}")

    def push(self, name: str, layout: Path) -> None:
        """Into the OCI layout, uncompressed: gzip would cost more than reading a local file saves."""
        run(
            self._command("push", "--quiet", "--disable-compression", name, f"oci:{layout}:{name}"),
            task=f"exporting {name}",
        )

    def prune(self) -> None:
        """Forget the images that no name and no cached layer leads to."""
        run(self._command("rmi", "--prune"), task="removing what is not used any more")

    def _command(self, *arguments: str) -> list[str]:
        return [
            *("buildah", f"--root={self._root}", f"--runroot={self._root}-run", "--storage-driver=overlay"),
            *arguments,
        ]


def _file(name: str) -> str:
    return name.replace("/", "_").replace(":", "_")
