"""Command `PORT ADMIN_PASSWORD_FILE PASSWORD_FILE`: make sure that the application's MongoDB user exists."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from pymongo import MongoClient
from pymongo.errors import OperationFailure

# MongoDB's localhost exception allows only a first user in the database `admin`. So the first user is an
# administrator, which creates the application's user with rights only in `deltastream`.
_ADMIN_ROLES = [{"role": "userAdminAnyDatabase", "db": "admin"}]
_ROLES = [{"role": role, "db": "deltastream"} for role in ("readWrite", "dbAdmin")]
_AUTHENTICATION_FAILED = 18


def ensure_user(port: int, admin_password: str, password: str) -> str | None:
    """Create the user if needed. Returns None once it can log in, else the problem."""
    if _can_log_in(port, "deltastream", password):
        return None
    try:
        if not _can_log_in(port, "admin", admin_password):
            with _client(port) as local:  # without login: allowed until the first user exists
                local.admin.command("createUser", "admin", pwd=admin_password, roles=_ADMIN_ROLES)
        with _client(port, username="admin", password=admin_password) as admin:
            known = admin.admin.command("usersInfo", "deltastream")["users"]
            command = "updateUser" if known else "createUser"  # its password may have changed
            admin.admin.command(command, "deltastream", pwd=password, roles=_ROLES)
    except OperationFailure as error:
        print(error.details, file=sys.stderr)
        return "data/mongo was created with another password: restore secrets/mongo_* or remove data/mongo"
    return None


def _client(port: int, **login: Any) -> MongoClient[dict[str, Any]]:
    return MongoClient("127.0.0.1", port, serverSelectionTimeoutMS=60_000, directConnection=True, **login)


def _can_log_in(port: int, username: str, password: str) -> bool:
    with _client(port, username=username, password=password) as client:
        try:
            client.admin.command("ping")
        except OperationFailure as error:
            if error.code != _AUTHENTICATION_FAILED:
                raise
            return False
    return True


if __name__ == "__main__":
    sys.exit(ensure_user(int(sys.argv[1]), *(Path(file).read_text().strip() for file in sys.argv[2:4])))
