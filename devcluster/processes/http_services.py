"""Run the five HTTP services as processes, connected as in a release, on the caller's stores."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from devcluster.processes.http_process import HttpProcess, gunicorn
from devcluster.waiting import wait_until

SERVICES = Path(__file__).parents[2] / "services"
NAMES = ("auth", "storage", "analytics", "logging-service", "api-gateway")
_SECRET = "a-client-secret-of-tests"  # noqa: S105
_GRANTS = {"api-gateway": ["storage", "analytics", "logging"], "analytics": ["storage"]}


@contextmanager
def http_services(
    home: Path, redis_url: str, mongo_url: str, *, services: Path = SERVICES, **settings: str
) -> Iterator[dict[str, HttpProcess]]:
    """Yield the five running services by name once each is live.

    `settings` are environment variables for all services. A service ignores variables that it does not read.
    """
    clients = home / "clients.json"
    clients.write_text(
        json.dumps({name: {"secret": _SECRET, "audiences": grants} for name, grants in _GRANTS.items()})
    )
    common = {
        "REDIS_URL": redis_url,
        "MONGO_URL": mongo_url,
        "JWT_SECRET": "w7Xo2c9Qz4Lr8Vt1Bn6Hk3Md5Fg0Js-unit",
        "SERVICE_CLIENTS_FILE": str(clients),
        "SERVICE_CLIENT_SECRET": _SECRET,
        **settings,
    }
    running: dict[str, HttpProcess] = {}
    with ExitStack() as stack:
        for name in NAMES:
            urls = {
                f"{other.upper()}_URL": process.url for other, process in running.items() if "-" not in other
            }
            own = {"SERVICE_CLIENT_ID": name, **urls}
            process = gunicorn(services / name, home / f"{name}.log", **{**common, **own})
            running[name] = stack.enter_context(process)
        for name, process in running.items():
            wait_until(process.lives, f"{name} is live")
        yield running
