"""What the stores' data folders hold: a store that does not find all of its files may start without any."""

from __future__ import annotations

import re

from deltastream_operator.errors import OperatorError
from deltastream_operator.local.state.home import Home, unusable

_AOF_PART = re.compile(r"appendonly\.aof\.\d+\.(base\.(rdb|aof)|incr\.aof)")
_MONGO_NEEDS = ("WiredTiger", "WiredTiger.wt", "_mdb_catalog.wt", "journal")


def check(home: Home) -> None:
    """Raises OperatorError where data is there that its store would not find or not take.

    A folder that is empty in a home that was used before may be meant: that is said, and the start goes on.
    """
    try:
        found = (_redis(home), _mongo(home))
    except OSError as error:
        raise unusable(home.root / "data", error) from None
    except UnicodeDecodeError:
        raise OperatorError(_lost(home, "is not text")) from None
    for store, folder, holds in zip(
        ("Redis", "MongoDB"), (home.redis_data, home.mongo_data), found, strict=True
    ):
        if home.used_before and not holds:
            home.say(f"{folder} is empty, though this home was used before: {store} starts without data")


def _lost(home: Home, what: str) -> str:
    manifest = home.redis_data / "appendonlydir/appendonly.aof.manifest"
    return (
        f"{manifest}: {what}, and Redis finds its data by it: restore it from a copy, "
        f"or remove {manifest.parent} to start without data"
    )


def _redis(home: Home) -> bool:
    folder = home.redis_data / "appendonlydir"
    if not folder.exists():
        return (home.redis_data / "appendonly.aof").exists()  # of Redis 6, which takes it over by itself
    parts = sorted(file.name for file in folder.iterdir() if _AOF_PART.fullmatch(file.name))
    manifest = folder / "appendonly.aof.manifest"
    if not manifest.exists():
        if parts:
            raise OperatorError(_lost(home, f"is missing beside {parts[0]}"))
        return False
    named = re.findall(r"^file (\S+) ", manifest.read_text(encoding="utf-8"), re.MULTILINE)
    if not named:
        raise OperatorError(_lost(home, "names no file"))
    for name in named:
        if not (folder / name).is_file():
            raise OperatorError(_lost(home, f"names {name}, which is missing"))
    return True


def _mongo(home: Home) -> bool:
    names = {file.name for file in home.mongo_data.iterdir()}
    holds = any(name.startswith("collection-") for name in names)
    for needed in _MONGO_NEEDS:
        if holds and needed not in names:
            raise OperatorError(
                f"{home.mongo_data / needed}: is missing beside collections, which are lost without it: "
                f"restore {home.mongo_data} from a copy, or remove it to start without data"
            )
    return holds
