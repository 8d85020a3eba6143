"""Change MongoDB to match schema.py. The migration is idempotent: a second run changes nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pymongo.database import Database

from storage.config import Settings
from storage.schema import COLLECTIONS, LOGS, Index, indexes

Document = dict[str, Any]


def migrate(database: Database[Document], settings: Settings) -> Iterator[str]:
    """Apply the schema and yield a line after each change.

    This is a generator: it makes changes only while the caller iterates.
    """
    found = {each["name"]: each for each in database.list_collections()}
    for name in COLLECTIONS:
        if name not in found:
            database.create_collection(name)
            yield f"{name}: created"
    yield from _logs(database, found.get(LOGS), settings.logs_max_mib << 20)
    existing: dict[str, Mapping[str, Any]] = {
        name: database[name].index_information() for name in COLLECTIONS
    }
    for index in indexes(settings):
        yield from _index(database, index, existing[index.collection].get(index.name))


def _logs(database: Database[Document], found: Mapping[str, Any] | None, size: int) -> Iterator[str]:
    """Create `logs` as a capped collection. Convert it if a write has created it uncapped."""
    if found is None:
        database.create_collection(LOGS, capped=True, size=size)
        yield f"{LOGS}: created, capped at {size} bytes"
    elif not found["options"].get("capped"):
        database.command("convertToCapped", LOGS, size=size)
        yield f"{LOGS}: converted to capped, {size} bytes"
    elif found["options"]["size"] != size:
        database.command("collMod", LOGS, cappedSize=size)
        yield f"{LOGS}: capped at {size} bytes instead of {found['options']['size']}"


def _index(database: Database[Document], index: Index, found: Mapping[str, Any] | None) -> Iterator[str]:
    what = f"{index.collection}.{index.name}"
    if found and _same_but_ttl(index, found):
        before = found.get("expireAfterSeconds")
        if before != index.expire_after_s:
            change = {"name": index.name, "expireAfterSeconds": index.expire_after_s}
            database.command("collMod", index.collection, index=change)
            yield f"{what}: expires after {index.expire_after_s} s instead of {before} s"
        return
    if found:
        database[index.collection].drop_index(index.name)
        yield f"{what}: dropped, its definition has changed"
    options: dict[str, Any] = {"unique": True} if index.unique else {}
    if index.expire_after_s is not None:
        options["expireAfterSeconds"] = index.expire_after_s
    database[index.collection].create_index(list(index.keys.items()), name=index.name, **options)
    yield f"{what}: created"


def _same_but_ttl(index: Index, found: Mapping[str, Any]) -> bool:
    if (index.expire_after_s is None) != ("expireAfterSeconds" not in found):
        return False  # collMod cannot remove expireAfterSeconds
    same_keys = [(key, int(way)) for key, way in found["key"]] == list(index.keys.items())
    return same_keys and bool(found.get("unique")) == index.unique
