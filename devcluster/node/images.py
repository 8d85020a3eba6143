"""Write the node's own images as an OCI archive, without a container engine.

The images are DNS, the volume provisioner, its helper and the pause container. Each is a few files and a
command. They have the names of the public images. Their programs are built here (`binaries.py`) or come from
Debian (busybox).
"""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_EPOCH = 0  # the modification time in archives: a fixed time gives the same files the same digest


@dataclass(frozen=True, kw_only=True)
class Image:
    """One image. `files` are by path in the image; `links` are paths of symbolic links to /bin/busybox."""

    name: str
    files: dict[str, Path]
    links: Sequence[str] = ()
    command: Sequence[str]


def catalogue(root: Path, programs: Path) -> list[Image]:
    """Return the node's images, made from its Debian in `root` and the built programs in `programs`."""
    busybox = {"bin/busybox": root / "bin" / "busybox"}
    applets = ("sh", "mkdir", "rm", "sleep", "cat", "ls", "nc", "wget", "true")
    return [
        Image(name="deltastream.test/pause:1", files=busybox, command=("/bin/busybox", "sleep", "infinity")),
        Image(
            name="docker.io/library/busybox:1.35",
            files=busybox,
            links=[f"bin/{applet}" for applet in applets],
            command=("/bin/sh",),
        ),
        Image(
            name="docker.io/coredns/coredns:1.14.3",
            files={"coredns": programs / "coredns"},
            command=("/coredns",),
        ),
        Image(
            name="docker.io/rancher/local-path-provisioner:v0.0.30",
            files={"usr/bin/local-path-provisioner": programs / "local-path-provisioner"},
            command=("/usr/bin/local-path-provisioner",),
        ),
    ]


def write(images: Sequence[Image], archive: Path) -> None:
    """Write the images to an OCI archive for `ctr images import`. An identical archive is kept."""
    blobs: dict[str, bytes] = {}
    manifests = [_manifest(image, blobs) for image in images]
    index = {"schemaVersion": 2, "mediaType": _type("index"), "manifests": manifests}
    content = {
        "oci-layout": _json({"imageLayoutVersion": "1.0.0"}),
        "index.json": _json(index),
        **{f"blobs/sha256/{digest}": blob for digest, blob in blobs.items()},
    }
    key = hashlib.sha256(content["index.json"]).hexdigest()
    mark = archive.with_suffix(".key")
    if archive.exists() and mark.exists() and mark.read_text() == key:
        return
    archive.parent.mkdir(parents=True, exist_ok=True)
    half = archive.with_suffix(".partial")
    half.write_bytes(_tar(content, {}))
    half.rename(archive)
    mark.write_text(key)


def _manifest(image: Image, blobs: dict[str, bytes]) -> dict[str, Any]:
    """Add the image's blobs to `blobs` and return its entry in the index."""
    layer = _tar({path: file.read_bytes() for path, file in image.files.items()}, _links(image))
    config = {
        "architecture": "amd64",
        "os": "linux",
        "config": {"Entrypoint": list(image.command), "Env": ["PATH=/bin:/usr/bin"]},
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{hashlib.sha256(layer).hexdigest()}"]},
    }
    manifest = {
        "schemaVersion": 2,
        "mediaType": _type("manifest"),
        "config": _blob(blobs, _json(config), _type("config")),
        "layers": [_blob(blobs, layer, _type("layer"))],
    }
    entry = _blob(blobs, _json(manifest), _type("manifest"))
    return {**entry, "annotations": {"io.containerd.image.name": image.name}}


def _links(image: Image) -> dict[str, str]:
    return dict.fromkeys(image.links, "/bin/busybox")


def _type(kind: str) -> str:
    return f"application/vnd.oci.image.{kind}.v1" + (".tar" if kind == "layer" else "+json")


def _blob(blobs: dict[str, bytes], content: bytes, kind: str) -> dict[str, Any]:
    digest = hashlib.sha256(content).hexdigest()
    blobs[digest] = content
    return {"mediaType": kind, "digest": f"sha256:{digest}", "size": len(content)}


def _json(value: object) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()


def _tar(files: dict[str, bytes], links: dict[str, str]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for path, content in files.items():
            member = tarfile.TarInfo(path)
            member.size, member.mode, member.mtime = len(content), 0o755, _EPOCH
            tar.addfile(member, io.BytesIO(content))
        for path, target in links.items():
            member = tarfile.TarInfo(path)
            member.type, member.linkname, member.mtime = tarfile.SYMTYPE, target, _EPOCH
            tar.addfile(member)
    return out.getvalue()
