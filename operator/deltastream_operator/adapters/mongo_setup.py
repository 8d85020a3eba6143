"""`python -m … PORT PASSWORD_FILE`: make sure that the application's user exists."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from pymongo import MongoClient
from pymongo.errors import OperationFailure

_ROLES = [{"role": role, "db": "deltastream"} for role in ("readWrite", "dbAdmin")]


def ensure_user(port: int, password: str) -> str | None:
    """None once the user can log in, else what is wrong."""
    place: dict[str, Any] = {
        "host": "127.0.0.1",
        "port": port,
        "serverSelectionTimeoutMS": 60_000,
        "directConnection": True,
    }
    with MongoClient[dict[str, Any]](**place, username="deltastream", password=password) as client:
        try:
            client.admin.command("ping")
            return None
        except OperationFailure as error:
            if error.code != 18:  # AuthenticationFailed
                raise
    with MongoClient[dict[str, Any]](**place) as local:  # the localhost exception: open until a user exists
        try:
            local.admin.command("createUser", "deltastream", pwd=password, roles=_ROLES)
        except OperationFailure:
            return "data/mongo was made with another password: restore secrets/mongo_password or remove it"
    return None


if __name__ == "__main__":
    sys.exit(ensure_user(int(sys.argv[1]), Path(sys.argv[2]).read_text().strip()))
