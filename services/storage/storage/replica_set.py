"""`python -m storage init-mongo`: form a replica set from new mongods and create its two users.

The command is idempotent: it performs only the missing steps. It runs as a job while the members may still be
starting. It cannot use a shell on the members, and MongoDB's localhost exception does not apply to remote
clients. So it logs in like a member does: as the user `__system` of the database `local`, with the key file's
content as the password.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from pydantic import BaseModel, Field, SecretStr, field_validator
from pymongo import MongoClient
from pymongo.errors import OperationFailure
from tenacity import Retrying, retry_if_exception, stop_after_delay, wait_fixed

from storage.chassis import environment

SECRETS = ("MONGO_KEY", "MONGO_ROOT_PASSWORD", "MONGO_APP_PASSWORD")
DATABASE, APP, ROOT = "deltastream", "app", "root"
_NOT_YET_INITIALIZED, _AUTHENTICATION_FAILED = 94, 18
# Codes of transient errors: the set is electing a primary, is applying a configuration (109), has not yet
# replicated it (308), or has just changed it automatically (103), as it does when a new member has caught up.
# A member that has just started does not yet have the keys that sign cluster times (211).
_TRANSIENT = frozenset({91, 103, 109, 189, 211, 308, 10107, 11600, 13435, 13436})
Client = MongoClient[dict[str, Any]]


class Settings(BaseModel):
    """Settings. Each field is the environment variable of the same name in upper case."""

    mongo_members: str = Field(description="host:port of every member, comma-separated.")
    mongo_replica_set: str = Field("deltastream", pattern="^[a-z0-9-]{1,64}$", description="The set's name.")
    mongo_key: SecretStr = Field(description="Content of the members' key file.")
    mongo_root_password: SecretStr = Field(min_length=16, description="Password of root@admin.")
    mongo_app_password: SecretStr = Field(min_length=16, description="Password of app@deltastream.")
    mongo_ca_file: str = Field("", description="CA of the members' TLS certificates; no TLS if empty.")
    mongo_wait_seconds: int = Field(120, ge=1, le=3600, description="Time limit for the members to answer.")

    @field_validator("mongo_members")
    @classmethod
    def _hosts(cls, value: str) -> str:
        hosts = value.split(",")
        if not all(host.rpartition(":")[0] and host.rpartition(":")[2].isdigit() for host in hosts):
            raise ValueError("must be host:port pairs, separated by commas")
        if len(hosts) % 2 == 0:
            raise ValueError("must be an odd number of members: an even number can split into halves")
        return value


def load() -> Settings:
    """Return the settings. If any is invalid, print variable, value and rule and exit with status 2."""
    return environment.load(Settings, SECRETS)


def ensure(settings: Settings) -> Iterator[str]:
    """Perform the missing steps and yield a line after each.

    The first member in the settings initiates the set. Raises PyMongoError if the members do not answer.
    """
    wanted = settings.mongo_members.split(",")
    wait_ms = settings.mongo_wait_seconds * 1000
    with _system(settings, wanted[0], direct=True, wait_ms=wait_ms) as first:
        if not _initiated(first):
            members = [{"_id": number, "host": host} for number, host in enumerate(wanted)]
            first.admin.command("replSetInitiate", {"_id": settings.mongo_replica_set, "members": members})
            yield f"initiated the replica set {settings.mongo_replica_set}, members: {len(wanted)}"
    with _system(settings, wanted[0], direct=False, wait_ms=wait_ms) as primary:
        yield from iter(
            lambda: _retry_transient(lambda: _step(primary, wanted), settings.mongo_wait_seconds), None
        )
        root = settings.mongo_root_password.get_secret_value()
        app = settings.mongo_app_password.get_secret_value()
        tls = _tls(settings)
        yield from _user(primary, "admin", ROOT, root, [{"role": "root", "db": "admin"}], tls)
        roles = [{"role": role, "db": DATABASE} for role in ("readWrite", "dbAdmin")]
        yield from _user(primary, DATABASE, APP, app, roles, tls)


def _system(settings: Settings, host: str, *, direct: bool, wait_ms: int) -> Client:
    return MongoClient(
        host,
        username="__system",
        password="".join(settings.mongo_key.get_secret_value().split()),
        authSource="local",
        authMechanism="SCRAM-SHA-256",
        directConnection=direct,
        replicaSet=None if direct else settings.mongo_replica_set,
        serverSelectionTimeoutMS=wait_ms,
        tz_aware=True,
        **_tls(settings),
    )


def _tls(settings: Settings) -> dict[str, Any]:
    return {"tls": True, "tlsCAFile": settings.mongo_ca_file} if settings.mongo_ca_file else {}


def _initiated(client: Client) -> bool:
    try:
        client.admin.command("replSetGetStatus")
    except OperationFailure as error:
        if error.code != _NOT_YET_INITIALIZED:
            raise
        return False
    return True


def _step(primary: Client, wanted: list[str]) -> str | None:
    """Add or remove one member and return a line about it; None if the members match `wanted`.

    MongoDB accepts one membership change at a time.
    """
    config = primary.admin.command("replSetGetConfig")["config"]
    present = [member["host"] for member in config["members"]]
    if missing := [host for host in wanted if host not in present]:
        number = max(member["_id"] for member in config["members"]) + 1
        config["members"].append({"_id": number, "host": missing[0]})
        change = f"added {missing[0]}"
    elif surplus := [host for host in present if host not in wanted]:
        config["members"] = [member for member in config["members"] if member["host"] != surplus[-1]]
        change = f"removed {surplus[-1]}"
    else:
        return None
    config["version"] += 1
    primary.admin.command("replSetReconfig", config)
    return change


def _user(
    primary: Client,
    database: str,
    name: str,
    password: str,
    roles: list[dict[str, str]],
    tls: dict[str, Any],
) -> Iterator[str]:
    """Create the user, or set its password if that differs, for example after a Secret was restored."""
    found = primary[database].command("usersInfo", name)["users"]
    if not found:
        primary[database].command("createUser", name, pwd=password, roles=roles)
        yield f"created {name}@{database}"
    elif not _logs_in(primary, database, name, password, tls):
        primary[database].command("updateUser", name, pwd=password)
        yield f"set the password of {name}@{database}"


def _logs_in(primary: Client, database: str, name: str, password: str, tls: dict[str, Any]) -> bool:
    host, port = primary.primary or ("", 0)
    client: Client = MongoClient(
        host, port, username=name, password=password, authSource=database, directConnection=True, **tls
    )
    with client:
        try:
            client.admin.command("connectionStatus")
        except OperationFailure as error:
            if error.code != _AUTHENTICATION_FAILED:
                raise
            return False
    return True


def _retry_transient(step: Callable[[], str | None], seconds: float) -> str | None:
    """Call `step` again while it fails with a transient error, for at most `seconds`."""
    transient = retry_if_exception(lambda e: isinstance(e, OperationFailure) and e.code in _TRANSIENT)
    return Retrying(retry=transient, stop=stop_after_delay(seconds), wait=wait_fixed(0.5), reraise=True)(step)
