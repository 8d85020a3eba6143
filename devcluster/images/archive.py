"""Write one OCI archive with many images. A layer that several images share is stored once.

`ctr images import` takes image names from the annotation `io.containerd.image.name`. buildah does not write
this annotation, so this module adds it.
"""

from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path
from typing import Any

NAME = "org.opencontainers.image.ref.name"
CONTAINERD_NAME = "io.containerd.image.name"
_HEADER = {"imageLayoutVersion": "1.0.0"}


class Layout:
    """A folder in the OCI image layout, filled by `buildah push`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def names(self) -> set[str]:
        """Return the names of the images in the folder."""
        return {_name(entry) for entry in self._manifests()}

    def keep(self, names: set[str]) -> None:
        """Delete all images but `names`, and every blob that these do not need."""
        manifests = [entry for entry in self._manifests() if _name(entry) in names]
        self._index().write_text(json.dumps({"schemaVersion": 2, "manifests": manifests}))
        needed = {digest for entry in manifests for digest in self._blobs(entry)}
        for path in (self.folder / "blobs" / "sha256").iterdir():
            if f"sha256:{path.name}" not in needed:
                path.unlink()

    def write(self, archive: Path) -> None:
        """Write the archive to a new file and rename it, so that hard links keep the old archive."""
        manifests = self._for_containerd()
        half = archive.with_suffix(".partial")
        half.parent.mkdir(parents=True, exist_ok=True)
        with tarfile.open(half, "w") as tar:
            _add(tar, "oci-layout", _HEADER)
            _add(tar, "index.json", {"schemaVersion": 2, "manifests": manifests})
            for digest in sorted({digest for entry in manifests for digest in self._blobs(entry)}):
                place = f"blobs/{digest.replace(':', '/')}"
                tar.add(self.folder / place, place)
        half.replace(archive)

    def is_in(self, archive: Path) -> bool:
        """Return whether the archive contains exactly these images."""
        if not archive.exists():
            return False
        with tarfile.open(archive) as tar:
            index = tar.extractfile("index.json")
            return index is not None and json.load(index)["manifests"] == self._for_containerd()

    def _for_containerd(self) -> list[dict[str, Any]]:
        manifests = self._manifests()
        for entry in manifests:
            entry["annotations"][CONTAINERD_NAME] = _name(entry)
        return manifests

    def _index(self) -> Path:
        return self.folder / "index.json"

    def _manifests(self) -> list[dict[str, Any]]:
        if not self._index().exists():
            return []
        manifests: list[dict[str, Any]] = json.loads(self._index().read_text())["manifests"]
        return manifests

    def _read(self, digest: str) -> dict[str, Any]:
        content: dict[str, Any] = json.loads((self.folder / "blobs" / digest.replace(":", "/")).read_text())
        return content

    def _blobs(self, entry: dict[str, Any]) -> list[str]:
        manifest = self._read(entry["digest"])
        parts = [manifest["config"], *manifest["layers"]]
        return [entry["digest"], *(part["digest"] for part in parts)]


def _name(entry: dict[str, Any]) -> str:
    """Return the image's name, or "" if a newer image has taken the name."""
    return str(entry.get("annotations", {}).get(NAME, ""))


def _add(tar: tarfile.TarFile, name: str, content: dict[str, Any]) -> None:
    data = json.dumps(content).encode()
    member = tarfile.TarInfo(name)
    member.size = len(data)
    tar.addfile(member, io.BytesIO(data))
