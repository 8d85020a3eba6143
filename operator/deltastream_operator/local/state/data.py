"""Check the stores' data folders: a store that misses one of its files may start without data."""

from __future__ import annotations

import re

from deltastream_operator.errors import OperatorError
from deltastream_operator.local.state.home import Home, unusable

_AOF_PART = re.compile(r"appendonly\.aof\.\d+\.(base\.(rdb|aof)|incr\.aof)")
_MONGO_NEEDS = ("WiredTiger", "WiredTiger.wt", "_mdb_catalog.wt", "journal")


def check(home: Home) -> None:
    """Raise OperatorError if a folder has data that its store would not find or not accept.

    An empty folder in a home that was used before can be intended, so only a message reports it.
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
        f"{manifest}: {what}, and Redis needs it to find its data: restore it from a backup, "
        f"or remove {manifest.parent} to start without data"
    )


def _redis(home: Home) -> bool:
    folder = home.redis_data / "appendonlydir"
    if not folder.exists():
        return (home.redis_data / "appendonly.aof").exists()  # Redis 6; a newer server converts it
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
                f"restore {home.mongo_data} from a backup, or remove it to start without data"
            )
    return holds
