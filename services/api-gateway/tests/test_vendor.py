"""The page's libraries are exactly the files of their npm packages (`python scripts/vendor.py`)."""

from __future__ import annotations

import shutil
import subprocess

import pytest
from scripts.vendor import FOLDER, MANIFEST, integrity, manifest, package

LIBRARIES = manifest()


def test_every_library_is_in_the_manifest() -> None:
    """With version, licence and its text, so nothing is vendored that nobody knows the origin of."""
    files = {path.relative_to(FOLDER).as_posix() for path in FOLDER.rglob("*") if path.is_file()}
    named = {f"{name}/{file}" for name, library in LIBRARIES.items() for file in library["files"]}
    assert files == named | {MANIFEST.name}
    for name, library in LIBRARIES.items():
        assert library["licence"]
        assert "LICENSE.txt" in library["files"], name


@pytest.mark.parametrize("name", LIBRARIES)
def test_the_files_have_the_hashes_of_the_manifest(name: str) -> None:
    library = LIBRARIES[name]
    found = {file: integrity((FOLDER / name / file).read_bytes()) for file in library["files"]}
    assert found == library["hashes"]


@pytest.mark.parametrize("name", LIBRARIES)
def test_the_files_are_those_of_the_package(name: str) -> None:
    """Byte for byte. Skipped where npm cannot download: the hashes above are then the only check."""
    library = LIBRARIES[name]
    if shutil.which("npm") is None:
        pytest.skip("there is no npm to download the package with")
    try:
        found, files = package(name, library["version"])
    except subprocess.CalledProcessError:
        pytest.skip("npm cannot download the package here")
    assert found == library["integrity"]
    for ours, theirs in library["files"].items():
        assert (FOLDER / name / ours).read_bytes() == files[theirs]
