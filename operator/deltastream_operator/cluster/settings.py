"""Read the controller's settings from environment variables. Errors name the variable, value and rule."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deltastream_operator.cluster import redis_urls
from deltastream_operator.domain.feed import Component
from deltastream_operator.errors import OperatorError, SettingsError
from deltastream_operator.kubernetes import names
from deltastream_operator.parsing import strict_yaml

_NAMESPACE_FILE = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")
_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR")


@dataclass(frozen=True, kw_only=True)
class ClusterSettings:
    """The controller's settings. `templates` are the chart's pod templates by component."""

    namespace: str
    redis_url: str
    templates: Mapping[Component, Mapping[str, Any]]
    host: str
    port: int
    log_level: str


def load(environ: Mapping[str, str]) -> ClusterSettings:
    """Return the settings. Raises SettingsError, which lists every problem."""
    problems: list[str] = []
    namespace = environ.get("WATCH_NAMESPACE") or _read(_NAMESPACE_FILE)
    if not namespace:
        problems.append("WATCH_NAMESPACE: must be set if the operator does not run in a pod")
    redis_url, variable = environ.get("REDIS_URL", ""), "REDIS_URL"
    if path := environ.get("REDIS_URL_FILE"):
        redis_url, variable = _read(Path(path)), "REDIS_URL_FILE"
        if not redis_url:
            problems.append(f"REDIS_URL_FILE={path!r}: cannot be read, or is empty")
    elif not redis_url:
        problems.append("REDIS_URL: must be set (or REDIS_URL_FILE)")
    if redis_url:
        try:
            redis_url = redis_urls.checked(redis_url)
        except ValueError as error:
            problems.append(f"{variable}=(secret): {error}")
    folder = Path(environ.get("WORKLOADS_DIR", "/etc/deltastream/workloads"))
    templates: dict[Component, Mapping[str, Any]] = {}
    for component in names.KINDS:
        try:
            templates[component] = _template(folder / f"{component}.yaml")
        except OperatorError as error:
            problems.append(str(error))
    level = environ.get("LOG_LEVEL", "INFO")
    if level not in _LEVELS:
        problems.append(f"LOG_LEVEL={level!r}: must be one of {', '.join(_LEVELS)}")
    port = environ.get("PORT", "8080")
    if not port.isascii() or not port.isdigit() or int(port[:6]) > 65535:
        problems.append(f"PORT={port!r}: must be a port, 0 to 65535")
    if problems:
        raise SettingsError("\n".join(problems))
    return ClusterSettings(
        namespace=namespace,
        redis_url=redis_url,
        templates=templates,
        host=environ.get("HOST", "127.0.0.1"),
        port=int(port),
        log_level=level,
    )


def _read(file: Path) -> str:
    try:
        return file.read_text().strip()
    except (OSError, UnicodeDecodeError):
        return ""


def _template(file: Path) -> Mapping[str, Any]:
    try:
        loaded: Any = strict_yaml.read(file)
        if not all([isinstance(one, dict) for one in loaded["spec"]["containers"]] or [False]):
            raise TypeError
        metadata = loaded.get("metadata") or {}
        return {**loaded, "metadata": {**metadata, "labels": {**(metadata.get("labels") or {})}}}
    except strict_yaml.YamlError as error:
        raise OperatorError(f"{file}: {error}") from None
    except (LookupError, TypeError, AttributeError):
        raise OperatorError(f"{file}: must be a PodTemplateSpec with spec.containers") from None
