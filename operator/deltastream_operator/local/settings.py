"""Read the local run's settings from the environment, then from `.env` in the working directory."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from deltastream_operator.errors import OperatorError

HTTP_PORTS = {
    "api-gateway": ("API_GATEWAY_PORT", 8000),
    "auth": ("AUTH_PORT", 8001),
    "socket-gateway": ("SOCKET_GATEWAY_PORT", 8002),
    "storage": ("STORAGE_PORT", 8003),
    "analytics": ("ANALYTICS_PORT", 8004),
    "logging-service": ("LOGGING_PORT", 8005),
}
STORE_PORTS = {"redis": "REDIS_PORT", "mongod": "MONGO_PORT"}
KITE_FILES = ("KITE_API_KEY_FILE", "KITE_ACCESS_TOKEN_FILE")
NAMES = (
    "DELTASTREAM_HOME",
    *(variable for variable, _ in HTTP_PORTS.values()),
    *STORE_PORTS.values(),
    "ANONYMOUS_READ",
    "CORS_ORIGINS",
    "LOG_LEVEL",
    *KITE_FILES,
)


@dataclass(frozen=True, kw_only=True)
class Settings:
    """The local run's settings. `store_ports` has only the stores whose port is set.

    `kite_files` has the variables that name the files with Kite's credentials, as far as they are set.
    """

    home: Path
    ports: Mapping[str, int]
    store_ports: Mapping[str, int]
    anonymous_read: str
    cors_origins: str
    log_level: str
    kite_files: Mapping[str, str]


def read_dotenv(file: Path) -> dict[str, str]:
    """Return the NAME=value lines of a file, without comments. Raises OperatorError for other lines."""
    values: dict[str, str] = {}
    try:
        lines = file.read_text(encoding="utf-8-sig").splitlines() if file.is_file() else []
    except (OSError, UnicodeDecodeError):
        raise OperatorError(f"{file}: cannot be read as text") from None
    for number, line in enumerate(lines, start=1):
        text = line.strip().removeprefix("export ")
        if not text or text.startswith("#"):
            continue
        name, equals, value = text.partition("=")
        if not equals or not name.strip():
            raise OperatorError(f"{file}: line {number}: must be NAME=value")
        if not text.replace("\t", " ").isprintable():
            raise OperatorError(f"{file}: line {number}: contains a control character; remove it")
        values[name.strip()] = value.strip().strip("'\"")
    return values


def load(environ: Mapping[str, str], dotenv: Mapping[str, str]) -> Settings:
    """Return validated settings. Raises OperatorError, which names the variable, its value and the rule."""
    given = {name: value for name in NAMES if (value := environ.get(name) or dotenv.get(name))}
    ports = {service: _port(given, name) or default for service, (name, default) in HTTP_PORTS.items()}
    store_ports = {store: port for store, name in STORE_PORTS.items() if (port := _port(given, name))}
    owners: dict[int, str] = {}
    for owner, port in [*ports.items(), *store_ports.items()]:
        if port in owners:
            raise OperatorError(f"port {port} is set for {owners[port]} and for {owner}: change one")
        owners[port] = owner
    anonymous = given.get("ANONYMOUS_READ", "true").lower()
    if anonymous not in ("true", "false"):
        raise OperatorError(f"ANONYMOUS_READ={anonymous!r}: must be true or false")
    level = given.get("LOG_LEVEL", "INFO")
    if level not in ("DEBUG", "INFO", "WARNING", "ERROR"):
        raise OperatorError(f"LOG_LEVEL={level!r}: must be DEBUG, INFO, WARNING or ERROR")
    pages = [
        f"http://{host}:{port}"
        for host in ("localhost", "127.0.0.1")
        for port in (ports["api-gateway"], 3000)
    ]
    return Settings(
        home=Path(given.get("DELTASTREAM_HOME", ".local")),
        ports=ports,
        store_ports=store_ports,
        anonymous_read=anonymous,
        cors_origins=given.get("CORS_ORIGINS", ",".join(pages)),
        log_level=level,
        kite_files={name: str(Path(given[name]).absolute()) for name in KITE_FILES if name in given},
    )


def _port(given: Mapping[str, str], name: str) -> int | None:
    value = given.get(name)
    if value is None:
        return None
    if not value.isascii() or not value.isdigit() or not 1 <= int(value[:6]) <= 65535:
        raise OperatorError(f"{name}={value!r}: must be a port, 1 to 65535")
    return int(value)
