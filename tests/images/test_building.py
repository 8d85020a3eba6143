"""The image builder without a build: contexts, archives, and what it says when it cannot."""

from __future__ import annotations

import hashlib
import importlib
import json
import os
import tarfile
from pathlib import Path

import pytest
from devcluster.images import __main__ as command
from devcluster.images import catalogue, context, host
from devcluster.images.archive import CONTAINERD_NAME, NAME, Layout
from devcluster.images.errors import ImageError


def put(folder: Path, *names: str) -> None:
    """Files with their name as content."""
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name)


@pytest.mark.parametrize(
    ("rules", "admitted"),
    [
        ("", ["a.py", "p/b.md", "p/b.py", "p/c/d.pyc"]),
        ("*", []),
        ("*\n!p", ["p/b.md", "p/b.py", "p/c/d.pyc"]),
        ("*\n!p\n**/*.pyc\n", ["p/b.md", "p/b.py"]),
        ("p/*.md", ["a.py", "p/b.py", "p/c/d.pyc"]),
        ("*.py", ["p/b.md", "p/b.py", "p/c/d.pyc"]),
        ("**/*.py\n# p\n!a.py", ["a.py", "p/b.md", "p/c/d.pyc"]),
        ("p/c/", ["a.py", "p/b.md", "p/b.py"]),
    ],
)
def test_the_last_rule_that_matches_decides(tmp_path: Path, rules: str, admitted: list[str]) -> None:
    """The builder and Docker select the same files by a `.dockerignore`."""
    put(tmp_path, "a.py", "p/b.py", "p/b.md", "p/c/d.pyc")
    (tmp_path / ".dockerignore").write_text(f".dockerignore\n{rules}")
    assert [path.as_posix() for path in context.files(tmp_path) if path.name != ".dockerignore"] == admitted


def test_a_digest_changes_only_with_the_files_of_the_image(tmp_path: Path) -> None:
    """The digest decides whether an image is built again."""
    put(tmp_path, "Dockerfile", "app.py", "tests/test_app.py")
    (tmp_path / ".dockerignore").write_text("*\n!app.py\n")
    first = context.digest(tmp_path)
    put(tmp_path, "tests/test_more.py")
    os.utime(tmp_path / "app.py", (1, 1))
    assert context.digest(tmp_path) == first
    seen = {first, context.digest(tmp_path, "another base")}
    (tmp_path / "app.py").write_text("changed")
    seen.add(context.digest(tmp_path))
    (tmp_path / "app.py").chmod(0o755)
    seen.add(context.digest(tmp_path))
    (tmp_path / "Dockerfile").write_text("FROM scratch")
    seen.add(context.digest(tmp_path))
    assert len(seen) == 5


def blob(layout: Path, content: bytes) -> dict[str, object]:
    """Write a blob into the layout. Returns its descriptor."""
    digest = hashlib.sha256(content).hexdigest()
    (layout / "blobs" / "sha256").mkdir(parents=True, exist_ok=True)
    (layout / "blobs" / "sha256" / digest).write_bytes(content)
    return {"digest": f"sha256:{digest}", "size": len(content)}


def make_layout(folder: Path) -> Layout:
    """Create a layout in which images a and b share a layer, and c has lost its name to a newer image."""
    base = blob(folder, b"base layer")
    entries = []
    for name in ("a", "b", "c"):
        manifest = {
            "config": blob(folder, name.encode()),
            "layers": [base, blob(folder, f"{name} layer".encode())],
        }
        entry = blob(folder, json.dumps(manifest).encode())
        entries.append(entry if name == "c" else {**entry, "annotations": {NAME: name}})
    (folder / "index.json").write_text(json.dumps({"manifests": entries}))
    return Layout(folder)


def test_an_archive_has_a_shared_layer_once_and_a_name_for_containerd(tmp_path: Path) -> None:
    """`ctr images import` reads an image's name from the annotation."""
    layout = make_layout(tmp_path / "layout")
    layout.keep({"a", "b"})
    layout.write(tmp_path / "images.tar")
    with tarfile.open(tmp_path / "images.tar") as tar:
        names = tar.getnames()
        index = tar.extractfile("index.json")
        assert index is not None
        manifests = json.load(index)["manifests"]
    assert [entry["annotations"][CONTAINERD_NAME] for entry in manifests] == ["a", "b"]
    assert (
        len([name for name in names if name.startswith("blobs/")]) == 7
    )  # 2 manifests, configs, layers, 1 base
    assert len(names) == len(set(names))


def test_an_archive_of_other_images_is_detected(tmp_path: Path) -> None:
    """The archive is written again exactly when its images differ from the layout's."""
    layout = make_layout(tmp_path / "layout")
    layout.keep({"a", "b"})
    assert not layout.is_in(tmp_path / "images.tar")
    layout.write(tmp_path / "images.tar")
    assert layout.is_in(tmp_path / "images.tar")
    layout.keep({"a"})
    assert not layout.is_in(tmp_path / "images.tar")


def test_blobs_that_no_kept_image_needs_are_deleted(tmp_path: Path) -> None:
    """A layout that only grows would fill the disk."""
    layout = make_layout(tmp_path)
    layout.keep({"b"})
    assert layout.names() == {"b"}
    assert len(list((tmp_path / "blobs" / "sha256").iterdir())) == 4


def test_a_new_archive_does_not_change_hard_links_to_the_old_one(tmp_path: Path) -> None:
    """A running node keeps its archive by a hard link, so a new archive must not overwrite the old file."""
    layout = make_layout(tmp_path / "layout")
    archive = tmp_path / "images.tar"
    archive.write_text("old")
    (tmp_path / "link").hardlink_to(archive)
    layout.keep({"a"})
    layout.write(archive)
    assert (tmp_path / "link").read_text() == "old"
    assert tarfile.is_tarfile(archive)
    assert not list(tmp_path.glob("*.partial"))


def test_a_failed_command_is_reported_with_its_output(tmp_path: Path) -> None:
    """The error message contains the task, the end of the output, and the path of the full log."""
    with pytest.raises(ImageError, match=r"(?s)building x failed:.*no such wheel.*build\.log"):
        host.run(
            ["sh", "-c", "echo no such wheel >&2; exit 3"], task="building x", log=tmp_path / "build.log"
        )


def test_only_an_engine_that_responds_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A docker command without a running service, which many machines have, is skipped."""
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    for name, code in (("docker", 1), ("podman", 0)):
        (tmp_path / name).write_text(f"#!/bin/sh\nexit {code}\n")
        (tmp_path / name).chmod(0o755)
    assert host.engine() == "podman"


def test_with_an_engine_the_nine_folders_are_built_unchanged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """No stand-in and no archive is needed: the engine pulls missing images itself."""
    (tmp_path / "docker").write_text(f'#!/bin/sh\necho "$@" >> {tmp_path}/calls\n')
    (tmp_path / "docker").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    assert command.main(["build", "--tag", "7"]) == 0
    calls = [line for line in (tmp_path / "calls").read_text().splitlines() if line.startswith("build ")]
    assert len(calls) == 9
    assert "--tag=docker.io/deltastream/storage:7 --build-arg=VERSION=7" in "\n".join(calls)
    assert "docker.io/deltastream/operator:7" in capsys.readouterr().out


def test_without_a_chart_the_tag_is_required(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The default tag is the chart's version, so without a chart the tag is required."""
    monkeypatch.setattr(catalogue, "CHART", tmp_path / "Chart.yaml")
    assert command.main(["build"]) == 1
    assert "--tag" in capsys.readouterr().err
    (tmp_path / "Chart.yaml").write_text('appVersion: "1.2.3"\n')
    assert catalogue.chart_version() == "1.2.3"


def test_without_root_or_an_engine_the_error_names_the_fix(monkeypatch: pytest.MonkeyPatch) -> None:
    """One error line appears before anything starts, so debootstrap cannot fail in the middle."""
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(ImageError, match="become root"):
        host.need_root()
    monkeypatch.setenv("PATH", "/nonexistent")
    with pytest.raises(ImageError, match="install the package buildah"):
        host.need("buildah", "buildah", lambda _text: None)


@pytest.mark.parametrize(
    ("module", "arguments", "part"),
    [
        ("devcluster.__main__", ["up"], "up"),
        ("devcluster.node.__main__", ["build"], "build"),
        ("devcluster.images.__main__", ["build"], "build.with_available_builder"),
    ],
)
def test_ctrl_c_ends_a_long_build_with_one_line(
    module: str,
    arguments: list[str],
    part: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The first `make up` takes long, and its user must not think that it crashed."""

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(f"{module}.{part}", interrupted)
    assert importlib.import_module(module).main(arguments) == 130
    (line,) = capsys.readouterr().err.splitlines()
    assert "interrupted" in line
