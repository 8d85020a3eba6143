"""`make chassis`: copy the modules of services/chassis into the services.

Each service gets the chassis modules that its own code imports, and the modules that these import.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]


def services(root: Path) -> list[Path]:
    """Return the folder of every service."""
    return sorted(path.parent for path in root.glob("services/*/requirements.in"))


def package(service: Path) -> Path:
    """Return the folder of the service's Python package."""
    return service / service.name.replace("-", "_")


def copies(root: Path) -> dict[Path, bytes]:
    """Return the required content of every copy.

    Raises FileNotFoundError if a service imports a module that services/chassis does not have.
    """
    origin = root / "services/chassis/chassis"
    made = {}
    for service in services(root):
        folder = package(service) / "chassis"
        for name in {"__init__", *_closure(_taken(service), origin)}:
            made[folder / f"{name}.py"] = (origin / f"{name}.py").read_bytes()
    # The operator needs only the module that reads Redis URLs.
    for path in (root / "operator/deltastream_operator").rglob("redis_urls.py"):
        made[path] = (origin / path.name).read_bytes()
    return made


def present(root: Path) -> Iterator[Path]:
    """Yield every file in the services' chassis folders."""
    for service in services(root):
        for path in (package(service) / "chassis").rglob("*"):
            if path.is_file() and path.parent.name != "__pycache__":
                yield path


def write(root: Path) -> None:
    """Write the copies, and delete all other files from the chassis folders."""
    made = copies(root)
    for path, content in made.items():
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content)
    for path in set(present(root)) - made.keys():
        path.unlink()


def _taken(service: Path) -> set[str]:
    """Return the chassis modules that the service's own code imports."""
    own = package(service)
    sources = [path for path in own.rglob("*.py") if path.relative_to(own).parts[0] != "chassis"]
    return {
        name
        for path in (*sources, *service.glob("*.py"))
        for name in _imported(path, level=0, prefix=f"{own.name}.chassis")
    }


def _closure(names: Iterable[str], origin: Path) -> set[str]:
    """Return `names` and all modules that these import, directly or indirectly."""
    found, left = set[str](), list(names)
    while left:
        name = left.pop()
        if name not in found:
            found.add(name)
            left += _imported(origin / f"{name}.py", level=1, prefix="")
    return found


def _imported(path: Path, *, level: int, prefix: str) -> Iterator[str]:
    """Yield `name` of each `from {prefix} import name` and `from {prefix}.name import …` in a file."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.level == level:
            module = node.module or ""
            if module == prefix:
                yield from (alias.name for alias in node.names)
            elif module.startswith(dotted := f"{prefix}." if prefix else ""):
                yield module.removeprefix(dotted)


if __name__ == "__main__":
    write(ROOT)
