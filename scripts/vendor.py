"""Copy the web page's libraries from their npm packages into services/api-gateway/web/vendor.

manifest.json there names each library's version, licence and files, and keeps the hashes of the package and
of the files. This script downloads the packages, writes the files and adds the hashes. The tests of the
api-gateway compare the files with the hashes, and with the packages where npm can download them.
"""

from __future__ import annotations

import base64
import hashlib
import json
import subprocess
import tarfile
import tempfile
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).resolve().parents[1] / "services/api-gateway/web/vendor"
MANIFEST = FOLDER / "manifest.json"


def integrity(content: bytes) -> str:
    """Return the hash of the content in npm's form."""
    return f"sha512-{base64.b64encode(hashlib.sha512(content).digest()).decode()}"


def manifest() -> dict[str, Any]:
    """Return the libraries by name."""
    loaded: dict[str, Any] = json.loads(MANIFEST.read_text())
    return loaded


def package(name: str, version: str) -> tuple[str, dict[str, bytes]]:
    """Download a package. Returns its integrity and its files. Raises CalledProcessError if npm cannot."""
    with tempfile.TemporaryDirectory() as folder:
        command = ["npm", "pack", "--silent", f"--pack-destination={folder}", f"{name}@{version}"]
        subprocess.run(command, check=True, capture_output=True, cwd=folder)
        (archive,) = Path(folder).glob("*.tgz")
        content = archive.read_bytes()
        with tarfile.open(archive) as opened:
            files = {
                member.name.partition("/")[2]: found.read()
                for member in opened
                if (found := opened.extractfile(member))
            }
    return integrity(content), files


def main() -> None:
    libraries = manifest()
    for name, library in libraries.items():
        library["integrity"], files = package(name, library["version"])
        library["hashes"] = {}
        (FOLDER / name).mkdir(exist_ok=True)
        for ours, theirs in library["files"].items():
            (FOLDER / name / ours).write_bytes(files[theirs])
            library["hashes"][ours] = integrity(files[theirs])
            print(f"{name} {library['version']}: {ours}, {len(files[theirs])} bytes")
    MANIFEST.write_text(json.dumps(libraries, indent=2) + "\n")


if __name__ == "__main__":
    main()
