"""Build the stand-in for `python:3.11-slim-bookworm`: the same Debian release, with Debian's Python 3.11.

Differences from the official image: another patch level of Python; Python is in /usr, with links in
/usr/local/bin; there is no pip, since the Dockerfiles use the pip of a virtual environment. The image has the
host's certificate authorities, so builds behind a TLS-inspecting proxy need no change in a Dockerfile.
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
# redis-server and libcurl4 are absent on purpose: the images of the stores must install them themselves.
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
    """Return a hash of every input that determines the image."""
    certificates = CERTIFICATES.read_bytes() if CERTIFICATES.exists() else b""
    text = "\n".join((SUITE, *PACKAGES, *_WASTE, str(ENVIRONMENT)))
    return hashlib.sha256(text.encode() + certificates).hexdigest()


def build(store: Store, say: Say) -> None:
    """Build the image in `store`; takes about a minute. Raises ImageError if a command fails."""
    need("debootstrap", "debootstrap", say)
    folder = cache() / "images" / "base.partial"
    shutil.rmtree(folder, ignore_errors=True)
    folder.parent.mkdir(parents=True, exist_ok=True)
    run(
        ["debootstrap", "--variant=minbase", f"--include={','.join(PACKAGES)}", SUITE, folder],
        task="building the Debian file system of the images",
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
    if CERTIFICATES.exists():  # copied after apt has run, since its trigger overwrites the file
        shutil.copyfile(CERTIFICATES, folder / CERTIFICATES.relative_to("/"))
    store.from_folder(PYTHON, folder, ENVIRONMENT)
    shutil.rmtree(folder)
