"""Services share no code. Each has its own copies of modules from services/chassis, and they stay equal."""

from __future__ import annotations

import shutil
from collections import Counter
from pathlib import Path

import pytest
from scripts import copy_chassis

ROOT = copy_chassis.ROOT
SERVICES = [path.name for path in copy_chassis.services(ROOT)]


def differences(root: Path) -> list[str]:
    """The paths of missing copies, of changed copies and of files that are not copies."""
    made = copy_chassis.copies(root)
    there = {path: path.read_bytes() for path in {*copy_chassis.present(root), *made} if path.exists()}
    wrong = {path for path in made.keys() | there.keys() if made.get(path) != there.get(path)}
    return sorted(str(path.relative_to(root)) for path in wrong)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """Two services and the operator, with fresh copies."""
    origin = tmp_path / "services/chassis/chassis"
    origin.mkdir(parents=True)
    modules = {"__init__": "", "a": "from .b import B\n", "b": "B = 1\n", "c": "C = 1\n", "redis_urls": ""}
    for name, text in modules.items():
        (origin / f"{name}.py").write_text(text)
    for service, text in {
        "one-two": "from one_two.chassis import a",
        "three": "from three.chassis.c import C",
    }.items():
        folder = tmp_path / "services" / service
        (folder / folder.name.replace("-", "_")).mkdir(parents=True)
        (folder / "requirements.in").touch()
        (folder / "app.py").write_text(text)
    (tmp_path / "operator/deltastream_operator").mkdir(parents=True)
    (tmp_path / "operator/deltastream_operator/redis_urls.py").touch()
    copy_chassis.write(tmp_path)
    return tmp_path


def test_every_copy_is_byte_equal_to_its_origin() -> None:
    """A fix must reach all copies. `make chassis` writes them again."""
    assert len(SERVICES) == 8
    assert differences(ROOT) == []


def test_each_chassis_module_is_used_by_more_than_one_service() -> None:
    """A module that only one service needs belongs to that service."""
    takers = Counter(path.stem for path in copy_chassis.copies(ROOT) if path.parent.name == "chassis")
    origins = {path.stem for path in (ROOT / "services/chassis/chassis").glob("*.py")}
    assert {name for name in origins if takers[name] < 2} == set()


def test_the_operator_reads_a_redis_url_as_the_services_do() -> None:
    """A Redis URL has one meaning in the whole product."""
    operator = ROOT / "operator"
    assert [path.name for path in copy_chassis.copies(ROOT) if path.is_relative_to(operator)] == [
        "redis_urls.py"
    ]


def test_a_service_gets_the_modules_that_it_imports_directly_or_indirectly(tree: Path) -> None:
    """The imports decide which modules are copied, so there is no list to maintain."""
    found = sorted(str(path.relative_to(tree / "services")) for path in copy_chassis.present(tree))
    assert found == [
        *(f"one-two/one_two/chassis/{name}.py" for name in ("__init__", "a", "b")),
        *(f"three/three/chassis/{name}.py" for name in ("__init__", "c")),
    ]
    assert differences(tree) == []


@pytest.mark.parametrize(
    "path",
    [
        "services/three/three/chassis/c.py",
        "services/three/three/chassis/own.py",
        "services/three/three/chassis/b.py",
        "operator/deltastream_operator/redis_urls.py",
    ],
)
def test_a_changed_or_unknown_file_is_found_and_repaired(path: str, tree: Path) -> None:
    """Proves that the comparison can fail."""
    (tree / path).write_text("print('mine')\n")
    assert differences(tree) == [path]
    copy_chassis.write(tree)
    assert differences(tree) == []


def test_a_missing_copy_is_found(tree: Path) -> None:
    """This also holds for a whole missing folder."""
    shutil.rmtree(tree / "services/three/three/chassis")
    assert differences(tree) == [f"services/three/three/chassis/{name}.py" for name in ("__init__", "c")]


def test_an_import_without_an_origin_is_named(tree: Path) -> None:
    """The message contains the path of the missing module."""
    (tree / "services/three/app.py").write_text("from three.chassis import absent")
    with pytest.raises(FileNotFoundError, match=r"services/chassis/chassis/absent\.py"):
        copy_chassis.copies(tree)
