"""The stand-in for `python:3.11-slim-bookworm`: the same Debian, with Debian's Python 3.11.

It differs from the official image in Python's patch level and place (/usr; /usr/local/bin has the names), and
in having no pip: the Dockerfiles use a virtual environment's. It has the host's certificate authorities, so
that a build behind an inspecting proxy works without a word about it in any Dockerfile.
"""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

from devcluster.images.catalogue import PYTHON
from devcluster.images.host import cache, need, run
from devcluster.images.store import Store
from devcluster.terminal import Say

SUITE = "bookworm"
# NB: no redis-server and no libcurl4: they would hide what the images of the stores forget to install.
PACKAGES = ("ca-certificates", "netbase", "python3", "python3-venv", "tzdata")
CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")
ENVIRONMENT = {
    "PATH": "/usr/local/bin:/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin",
    "LANG": "C.UTF-8",
    "PIP_CERT": str(CERTIFICATES),
}
_WASTE = (
    "var/cache/apt",
    "var/lib/apt/lists",
    "var/log",
    "usr/share/doc",
    "usr/share/man",
    "usr/share/locale",
)


def fingerprint() -> str:
    """Of everything that decides what the image is."""
    certificates = CERTIFICATES.read_bytes() if CERTIFICATES.exists() else b""
    text = "\n".join((SUITE, *PACKAGES, *_WASTE, str(ENVIRONMENT)))
    return hashlib.sha256(text.encode() + certificates).hexdigest()


def build(store: Store, say: Say) -> None:
    """Make the image; about a minute."""
    need("debootstrap", "debootstrap", say)
    folder = cache() / "images" / "base.partial"
    shutil.rmtree(folder, ignore_errors=True)
    folder.parent.mkdir(parents=True, exist_ok=True)
    run(
        ["debootstrap", "--variant=minbase", f"--include={','.join(PACKAGES)}", SUITE, folder],
        task="making the Debian for the images",
        log=cache() / "images" / "log" / "debootstrap.log",
    )
    for name in _WASTE:
        for path in (folder / name).iterdir():
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink()
    for alias in ("python", "python3"):
        (folder / "usr" / "local" / "bin" / alias).symlink_to("/usr/bin/python3")
    if CERTIFICATES.exists():  # after apt, whose trigger would write the file anew
        shutil.copyfile(CERTIFICATES, folder / CERTIFICATES.relative_to("/"))
    store.from_folder(PYTHON, folder, ENVIRONMENT)
    shutil.rmtree(folder)
