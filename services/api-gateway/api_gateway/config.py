"""Settings of the gateway, read from the environment once at start."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, Field, SecretStr, field_validator

from api_gateway.chassis import environment, redis_urls
from api_gateway.chassis.environment import HttpUrl

_SECRETS = ("SERVICE_CLIENT_SECRET", "REDIS_URL")


def _commas(value: object) -> object:
    return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value


def _is_origin(value: str) -> bool:
    parts = urlsplit(value)
    return parts.scheme in ("http", "https") and value == f"{parts.scheme}://{parts.netloc}"


class Settings(BaseModel):
    """Settings. Each field is the environment variable of the same name in upper case."""

    host: str = Field("127.0.0.1", description="Address to listen on.")
    port: int = Field(8000, ge=1, le=65535, description="Port to listen on.")
    max_connections: int = Field(512, ge=8, le=4096, description="Maximum simultaneous connections.")
    max_connections_per_address: int = Field(
        128, ge=1, le=4096, description="Maximum simultaneous connections from one address (IPv6: a /64)."
    )
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(
        "INFO", description="Lowest level to log."
    )
    redis_url: SecretStr = Field(
        SecretStr("redis://localhost:6379/0"), description="Redis for the rate limits."
    )
    auth_url: HttpUrl = Field("http://localhost:8001", description="URL of auth.")
    storage_url: HttpUrl = Field("http://localhost:8003", description="URL of storage.")
    analytics_url: HttpUrl = Field("http://localhost:8004", description="URL of analytics.")
    service_client_id: str = Field("api-gateway", description="The gateway's client id at auth.")
    service_client_secret: SecretStr = Field(min_length=1, description="The secret of that client.")
    anonymous_read: bool = Field(False, description="Serve data and analytics without a token.")
    cors_origins: list[str] = Field([], description="Web origins that may read responses.")
    allowed_hosts: list[str] = Field(
        [], description="Host names, besides loopback names, that anonymous reads may use."
    )
    socket_url: str = Field(
        "",
        description="Where the web page finds the Socket.IO gateway: empty for the page's own origin, "
        "`:8002` for the page's host name with this port, or an origin such as https://live.example.",
    )
    local_run: bool = Field(False, description="Tell the web page that it belongs to a local run.")
    import_folder: Path | None = Field(
        None,
        description="Folder for uploaded files, which a local run shares; without it there is no upload.",
    )
    trusted_proxies: int = Field(0, ge=0, le=10, description="Number of trusted proxies in front.")
    rate_limit_per_minute: int = Field(600, ge=1, description="Reads per account or address.")
    auth_rate_limit_per_minute: int = Field(30, ge=1, description="/api/auth calls per address.")
    ingest_rate_limit_per_minute: int = Field(
        6000, ge=1, description="/api/ingest calls per account or address."
    )
    ingest_high_water: int = Field(
        50_000,
        ge=1,
        description="Messages of a feed that wait for its enrichers, from which on it is refused.",
    )
    read_cache_seconds: float = Field(
        0.25, ge=0, le=1, description="Time for which identical reads share an answer."
    )
    ready_urls: dict[str, HttpUrl] = Field({}, description="Further URLs that /readyz checks.")
    upstream_max_bytes: int = Field(16 << 20, ge=1024, description="Largest upstream response.")

    @property
    def cors_hosts(self) -> list[str]:
        """The host names of `cors_origins`: a page's origin may be a proxy in front of this service."""
        return [name for origin in self.cors_origins if (name := urlsplit(origin).hostname)]

    @field_validator("redis_url")
    @classmethod
    def _redis(cls, value: SecretStr) -> SecretStr:
        return SecretStr(redis_urls.checked(value.get_secret_value()))

    @field_validator("cors_origins", "allowed_hosts", mode="before")
    @classmethod
    def _origins(cls, value: object) -> object:
        return _commas(value)

    @field_validator("cors_origins")
    @classmethod
    def _valid_origins(cls, value: list[str]) -> list[str]:
        if not all(map(_is_origin, value)):
            raise ValueError("must be origins like https://desk.example:8443, separated by commas")
        return value

    @field_validator("socket_url")
    @classmethod
    def _valid_place(cls, value: str) -> str:
        if value and not re.fullmatch(r":[0-9]{1,5}", value, re.ASCII) and not _is_origin(value):
            raise ValueError("must be empty, a port like :8002, or an origin like https://live.example")
        return value

    @field_validator("allowed_hosts")
    @classmethod
    def _names(cls, value: list[str]) -> list[str]:
        if any(not re.fullmatch(r"[a-z0-9.-]{1,253}", name) for name in value):
            raise ValueError(
                "must be host names or IPv4 addresses in lower case without ports, separated by commas"
            )
        return value

    @field_validator("ready_urls", mode="before")
    @classmethod
    def _named_urls(cls, value: object) -> object:
        pairs = _commas(value)
        if not isinstance(pairs, list):
            return value
        if any("=" not in pair for pair in pairs):
            raise ValueError("must be name=url, separated by commas")
        return dict(pair.split("=", 1) for pair in pairs)


def load() -> Settings:
    """Return the settings. If any is invalid, print variable, value and rule and exit with status 2."""
    return environment.load(Settings, _SECRETS)
