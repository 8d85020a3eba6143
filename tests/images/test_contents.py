"""The files that go into an image, and a check that the service can import everything it needs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from devcluster.images import context
from devcluster.images.catalogue import products

FOLDERS = [recipe.folder for recipe in products("1")]
ENTRIES = {"app.py", "gunicorn.conf.py", "supervisord.conf", "requirements.txt"}
EXTRAS = {"requirements-dbn.txt"}  # installed only into an image that asks for it

each_folder = pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)


def package(folder: Path) -> str:
    """The Python package of a folder."""
    return "deltastream_operator" if folder.name == "operator" else folder.name.replace("-", "_")


@each_folder
def test_an_image_contains_only_the_package_and_its_entry_point(folder: Path) -> None:
    """Tests, documents, requirements.in and stray files stay out."""
    taken = context.files(folder)
    outside = {path.as_posix() for path in taken if path.parts[0] not in (package(folder), "web")}
    assert outside <= ENTRIES | EXTRAS
    assert "requirements.txt" in outside
    assert Path(package(folder), "__init__.py") in taken
    assert not [path for path in taken if path.suffix in (".pyc", ".md")]


@each_folder
def test_an_image_contains_the_complete_package(folder: Path) -> None:
    """No ignore rule leaves out a file of the package, neither Python nor data."""
    root = folder / package(folder)
    have = {path.relative_to(folder) for path in root.rglob("*") if path.is_file() and path.suffix != ".pyc"}
    assert have <= set(context.files(folder))


_IMPORT_ALL = """
import importlib, importlib.metadata, json, pkgutil, sys
package, *allowed = json.loads(sys.argv[1])
owners = importlib.metadata.packages_distributions()
normal = lambda name: name.lower().replace("_", "-").replace(".", "-")

class Absent:  # wraps a finder and hides the packages that are not in the image
    def __init__(self, finder):
        self.finder = finder
    def __getattr__(self, name):
        return getattr(self.finder, name)
    def find_spec(self, name, path=None, target=None):
        owner = owners.get(name.partition(".")[0])
        if owner and not any(normal(one) in allowed for one in owner):
            return None
        return self.finder.find_spec(name, path, target)

sys.meta_path[:] = [Absent(finder) for finder in sys.meta_path]
for module in pkgutil.walk_packages(importlib.import_module(package).__path__, package + "."):
    if not module.name.endswith("__main__"):
        importlib.import_module(module.name)
"""


def _import_all(folder: Path, requirements: list[str]) -> subprocess.CompletedProcess[str]:
    """Import every module of the package in a process that finds no packages but `requirements`."""
    return subprocess.run(
        [sys.executable, "-c", _IMPORT_ALL, json.dumps([package(folder), *requirements])],
        capture_output=True,
        text=True,
        check=False,
        cwd=folder,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(folder)},
    )


def _requirements(folder: Path) -> list[str]:
    lines = (folder / "requirements.txt").read_text().splitlines()
    return [line.partition("==")[0].partition("[")[0] for line in lines if "==" in line and line[0].isalpha()]


@each_folder
def test_an_image_contains_every_imported_module(folder: Path) -> None:
    """A package that only another service requires is missing in the image, as `packaging` once was."""
    done = _import_all(folder, _requirements(folder))
    assert done.returncode == 0, done.stderr[-600:]


def test_a_module_that_no_requirement_provides_is_found() -> None:
    """The check finds what a fresh environment would lack."""
    folder = next(folder for folder in FOLDERS if folder.name == "worker-enricher")
    done = _import_all(folder, [name for name in _requirements(folder) if name != "packaging"])
    assert "No module named 'packaging" in done.stderr


@each_folder
def test_no_image_needs_an_installer(folder: Path) -> None:
    """The Dockerfiles remove pip and setuptools, so no service may require them."""
    assert not {"pip", "setuptools"} & set(_requirements(folder))
