"""Settings of the Socket.IO gateway, read from the environment once at start."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Literal

from pydantic import BaseModel, Field, field_validator

from socket_gateway.chassis import environment, redis_urls
from socket_gateway.chassis.environment import HttpUrl

_SECRETS = ("REDIS_URL",)
_LOOPBACK = ("localhost", "127.0.0.1", "[::1]")
_TRANSPORTS = ("websocket", "polling")


class Settings(BaseModel):
    """Settings (see the README). Each field is the environment variable of that name in upper case."""

    port: int = Field(8002, ge=1, le=65535)
    host: str = "127.0.0.1"
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    redis_url: str = "redis://127.0.0.1:6379/0"
    auth_url: HttpUrl = "http://127.0.0.1:8001"
    anonymous_read: bool = False
    cors_origins: str = ""
    allowed_hosts: str = ""
    trusted_proxies: int = Field(0, ge=0, le=10)
    connections_per_address: int = Field(500, ge=1, le=100_000)
    transports: str = "websocket,polling"
    max_clients: int = Field(1000, ge=1, le=100_000)
    max_subscriptions: int = Field(100, ge=1, le=10_000)
    request_rate: float = Field(10, gt=0, le=10_000)
    request_burst: int = Field(120, ge=1, le=100_000)
    max_payload_bytes: int = Field(65_536, ge=1024, le=16_777_216)
    send_window: int = Field(8, ge=1, le=12)
    outbox_limit: int = Field(2048, ge=16, le=1_000_000)
    slow_client_seconds: float = Field(10, gt=0, le=300)
    handshake_seconds: float = Field(10, gt=0, le=300)
    grace_seconds: float = Field(5, gt=0, le=300)

    @field_validator("redis_url")
    @classmethod
    def _redis(cls, value: str) -> str:
        return redis_urls.checked(value)

    @field_validator("transports")
    @classmethod
    def _known_transports(cls, value: str) -> str:
        names = _split(value)
        if not names or any(name not in _TRANSPORTS for name in names):
            raise ValueError("must be websocket, polling, or both separated by a comma")
        return value

    @property
    def transport_names(self) -> list[str]:
        return _split(self.transports)

    @property
    def max_connections(self) -> int:
        """Maximum Engine.IO connections: all clients, and some more that are connecting or disconnecting."""
        return self.max_clients + self.max_clients // 4 + 8

    def allows_origin(self, origin: str | None, environ: Mapping[str, Any]) -> bool:
        """Return whether a web page of `origin` may connect: a listed origin, or the host of the request.

        The owner of any host name can point it at this address, and then its pages come from the host of the
        request (DNS rebinding). With tokens this is harmless: such a page has no token. With anonymous reads
        the host must be a known name of this service.
        """
        names = _split(self.cors_origins)
        host = environ.get("HTTP_HOST", "")  # compared without scheme: a proxy may terminate TLS
        own = origin in (f"http://{host}", f"https://{host}") and (
            not self.anonymous_read or self._is_own_host(host)
        )
        return "*" in names or origin in names or own

    def allows_host(self, environ: Mapping[str, Any]) -> bool:
        """Return whether a request without an Origin header names an allowed host.

        Browsers omit Origin in a GET to the page's own host, but never in a WebSocket handshake.
        """
        if not self.anonymous_read or "HTTP_ORIGIN" in environ or "*" in _split(self.cors_origins):
            return True
        return environ.get("HTTP_UPGRADE", "").lower() == "websocket" or self._is_own_host(
            environ.get("HTTP_HOST", "")
        )

    def _is_own_host(self, host: str) -> bool:
        name = host.rpartition(":")[0] if re.search(r":[0-9]+\Z", host) else host
        origins = [origin.partition("://")[2].partition(":")[0] for origin in _split(self.cors_origins)]
        return name.lower() in (*_LOOPBACK, *_split(self.allowed_hosts.lower()), *origins)


def _split(value: str) -> list[str]:
    return [part.strip() for part in value.split(",") if part.strip()]


def load() -> Settings:
    """Return the settings. If any is invalid, print variable, value and rule and exit with status 2."""
    return environment.load(Settings, _SECRETS)
