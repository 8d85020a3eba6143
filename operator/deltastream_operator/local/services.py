"""The commands and environments of the services in a local run."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from deltastream_operator.domain.environment import SPEC_FIELDS, environment
from deltastream_operator.domain.feed import Component, Feed, Replay
from deltastream_operator.local.settings import Settings
from deltastream_operator.local.state import stores
from deltastream_operator.local.state.home import Home
from deltastream_operator.local.supervision.net import answers
from deltastream_operator.local.supervision.probes import livez
from deltastream_operator.local.supervision.processes import Command

PYTHON = sys.executable
_GUNICORN = (PYTHON, "-m", "gunicorn", "-c", "gunicorn.conf.py", "app:app")
# kind of process: (folder under services/, command, grace in seconds)
TABLE: dict[str, tuple[str, tuple[str, ...], float]] = {
    "auth": ("auth", _GUNICORN, 20),
    "storage": ("storage", _GUNICORN, 20),
    "analytics": ("analytics", _GUNICORN, 20),
    "logging-service": ("logging-service", _GUNICORN, 20),
    "socket-gateway": ("socket-gateway", (PYTHON, "app.py"), 15),
    "api-gateway": ("api-gateway", _GUNICORN, 20),
    "migrate": ("storage", (PYTHON, "-m", "storage", "migrate"), 90),
    "generator": ("feed-generator", (PYTHON, "-m", "feed_generator"), 10),
    "check": ("feed-generator", (PYTHON, "-m", "feed_generator", "check"), 10),
    "importing": ("feed-generator", (PYTHON, "-m", "feed_generator.importing"), 10),
    "subscriber": ("worker-enricher", (PYTHON, "-m", "worker_enricher", "subscriber"), 15),
    "worker": ("worker-enricher", (PYTHON, "-m", "worker_enricher", "worker"), 30),
}
HTTP = ("auth", "storage", "analytics", "logging-service", "socket-gateway", "api-gateway")
CLIENTS = {"api-gateway": ["storage", "analytics", "logging"], "analytics": ["storage"]}
# One BLAS thread a process: the arrays are small, and each thread would need its own buffer.
_NUMERIC = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}

Runner = Callable[[Sequence[str], Mapping[str, str], Path], subprocess.CompletedProcess[str]]
"""Runs a command with an environment in a folder, to its end, and returns what it printed."""

_PROXY = ("HTTPS_PROXY", "https_proxy", "NO_PROXY", "no_proxy", "SSL_CERT_FILE")

# The generator's texts name its variables at the start of a line or in brackets. A feed's author sets fields.
_VARIABLE = re.compile(r"(?:^|(?<=\())[A-Z_]+(?=[:=)])")
_FIELDS = {
    **SPEC_FIELDS,
    "REPLAY_PATH": "source.replay.path",
    "REPLAY_FORMAT": "source.replay.format",
    "REPLAY_AS_OF": "source.replay.asOf",
    "REPLAY_EXPIRY": "source.replay.expiry",
    "REPLAY_SPOT": "source.replay.spot",
    "REPLAY_GROUP_MILLIS": "source.replay.groupMillis",
    "REPLAY_FROM": "source.replay.from",
    "REPLAY_TO": "source.replay.to",
}


def base_env(folder: Path | None = None) -> dict[str, str]:
    """Return the variables that every child gets. Children inherit no others from this process."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    if folder is not None:
        kept["PYTHONPATH"] = str(folder)
    return {**kept, "PYTHONUNBUFFERED": "1", "MALLOC_ARENA_MAX": "2"}


def _proxy() -> dict[str, str]:
    """Return the variables that lead a live source through this machine's proxy."""
    return {name: os.environ[name] for name in _PROXY if name in os.environ}


def _field(found: re.Match[str]) -> str:
    """Return the field of the feed's spec for a variable's name; a name that no field sets stays as it is."""
    return f"spec.{_FIELDS[found[0]]}" if found[0] in _FIELDS else found[0]


def _captured(argv: Sequence[str], env: Mapping[str, str], cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(argv, env=env, cwd=cwd, capture_output=True, text=True, check=False)  # noqa: S603


@dataclass(frozen=True)
class Checked:
    """What the generator says of a feed: why it refuses it, or None, and what the user has to know."""

    refusal: str | None
    notes: Sequence[str]


@dataclass(frozen=True, kw_only=True)
class Services:
    """Builds the commands of one local system's processes."""

    root: Path  # the folder that contains services/
    home: Home
    settings: Settings
    table: Mapping[str, tuple[str, tuple[str, ...], float]] = field(default_factory=lambda: TABLE)

    def write_secrets(self, redis_port: int, mongo_port: int) -> None:
        """Write the secrets that the services read through X_FILE variables."""
        home = self.home
        home.secret("jwt_secret", least=32)
        for name, database in (("redis_url", 0), ("celery_broker_url", 1), ("celery_result_backend", 2)):
            home.write_secret(name, stores.redis_url(home, redis_port, database))
        home.write_secret("mongo_url", stores.mongo_url(home, mongo_port))
        clients = {
            name: {"secret": home.secret(f"client_{name}"), "audiences": audiences}
            for name, audiences in CLIENTS.items()
        }
        home.write_secret("service_clients", json.dumps(clients))

    def command(
        self,
        kind: str,
        *,
        port: int,
        name: str | None = None,
        extra: Mapping[str, str] | None = None,
        path: str = "/readyz",
    ) -> Command:
        """Return the command of one process.

        `kind` is a key of the table, `port` its HTTP port or 0 for none, `extra` more variables. The process
        is ready when `path` returns status 200.
        """
        folder, argv, grace_s = self.table[kind]
        cwd = self.root / "services" / folder
        name = name or kind
        env = {**base_env(cwd), **self._env(kind), **(extra or {})}
        if port:
            env |= {"PORT": str(port), "HOST": "127.0.0.1"}
        ready: Callable[[], bool] = answers(port, path)
        return Command(
            name=name,
            argv=argv,
            env=env,
            cwd=cwd,
            log=self.home.logs / f"{name}.log",
            ready=ready,
            livez=livez(port) if port else None,
            grace_s=grace_s,
        )

    def checked(self, feed: Feed, run: Runner = _captured) -> Checked:
        """Let the generator check this feed: unknown products, a malformed recording.

        The texts name fields of the feed's spec. `run` runs the generator.
        """
        folder, argv, _ = self.table["check"]
        cwd = self.root / "services" / folder
        variables = environment_of(feed, "generator", index=0, replicas=1)
        env = {**base_env(cwd), **variables, **self.settings.kite_files, "REDIS_URL": "redis://127.0.0.1"}
        done = run(argv, env, cwd)
        notes = [_VARIABLE.sub(_field, line) for line in done.stdout.splitlines()]
        lines = done.stderr.strip().splitlines() or [f"its check ended with status {done.returncode}"]
        if done.returncode == 0:
            return Checked(None, notes)
        return Checked(_VARIABLE.sub(_field, lines[-1].removeprefix("feed-generator: ")), notes)

    def importing(self, arguments: Sequence[str]) -> tuple[Sequence[str], Path, dict[str, str]]:
        """Return the command that converts files to a recording, its folder and its environment."""
        folder, argv, _ = self.table["importing"]
        cwd = self.root / "services" / folder
        return (*argv, *arguments), cwd, base_env(cwd)

    def check_source(self, feed: Feed, seconds: float) -> int:
        """Connect to the feed's live source; the generator prints what came. Returns its exit code."""
        folder, argv, _ = self.table["generator"]
        cwd = self.root / "services" / folder
        variables = environment_of(feed, "generator", index=0, replicas=1)
        env = {**base_env(cwd), **_proxy(), **variables, **self.settings.kite_files}
        env["REDIS_URL"] = "redis://127.0.0.1"
        command = (*argv, "check-source", str(seconds))
        return subprocess.run(command, env=env, cwd=cwd, check=False).returncode  # noqa: S603

    def _env(self, kind: str) -> dict[str, str]:
        settings, ports = self.settings, self.settings.ports
        urls = {
            f"{name.upper()}_URL": f"http://127.0.0.1:{ports[name]}"
            for name in ("auth", "storage", "analytics")
        }
        auth = {"AUTH_URL": urls["AUTH_URL"]}
        redis, mongo = self._files("redis_url"), self._files("mongo_url")
        public = {"ANONYMOUS_READ": settings.anonymous_read, "CORS_ORIGINS": settings.cors_origins}
        celery = self._files("celery_broker_url", "celery_result_backend")
        of_kind: dict[str, dict[str, str]] = {
            "auth": {
                **redis,
                **mongo,
                **self._files("jwt_secret", "service_clients"),
                "PASSWORD_MIN_LENGTH": "7",  # the original's examples register passwords of 7 characters
                "FIRST_ACCOUNT_IS_OPERATOR": "true",
            },
            "storage": {**mongo, **auth},
            "migrate": {**mongo, **auth},
            "analytics": {
                **redis,
                **auth,
                "STORAGE_URL": urls["STORAGE_URL"],
                **self._client("analytics"),
                **_NUMERIC,
            },
            "logging-service": {**mongo, **auth},
            "socket-gateway": {**redis, **auth, **public},
            "api-gateway": {
                **redis,
                **urls,
                **public,
                **self._client("api-gateway"),
                "SOCKET_URL": f":{ports['socket-gateway']}",
                "LOCAL_RUN": "true",
                "IMPORT_FOLDER": str(self.home.imports / "uploads"),
            },
            "generator": {**redis, **_NUMERIC, **_proxy(), **settings.kite_files},
            "subscriber": {**redis, **mongo, **celery},
            "worker": {**redis, **mongo, **celery, **_NUMERIC},
        }
        return {"LOG_LEVEL": settings.log_level, **of_kind.get(kind, {})}

    def _files(self, *names: str) -> dict[str, str]:
        return {f"{name.upper()}_FILE": str(self.home.secrets / name) for name in names}

    def _client(self, name: str) -> dict[str, str]:
        return {
            "SERVICE_CLIENT_ID": name,
            "SERVICE_CLIENT_SECRET_FILE": str(self.home.secrets / f"client_{name}"),
        }


def environment_of(feed: Feed, component: Component, *, index: int, replicas: int) -> dict[str, str]:
    """Return the variables of a feed's process on this machine. `index` is a generator's SHARD_INDEX."""
    recording = feed.source.path if isinstance(feed.source, Replay) else ""
    variables = environment(feed, component, shards=replicas, recording=str(recording))
    return variables | ({"SHARD_INDEX": str(index)} if component == "generator" else {})
