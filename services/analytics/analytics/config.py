"""Settings of analytics, read from the environment once at start."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, Field, SecretStr, field_validator

from analytics.chassis import environment, redis_urls
from analytics.chassis.environment import HttpUrl

_SECRETS = ("REDIS_URL", "SERVICE_CLIENT_SECRET")


class Settings(BaseModel):
    """Settings. Each field is the environment variable of the same name in upper case."""

    host: str = Field("127.0.0.1", description="Address to listen on.")
    port: int = Field(8004, ge=1, le=65535, description="Port to listen on.")
    max_connections: int = Field(512, ge=8, le=4096, description="Maximum simultaneous connections.")
    max_connections_per_address: int = Field(
        128, ge=1, le=4096, description="Maximum simultaneous connections from one address (IPv6: a /64)."
    )
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(
        "INFO", description="Lowest level to log."
    )
    redis_url: SecretStr = Field(
        SecretStr("redis://localhost:6379/0"), description="Redis with the values that the enricher caches."
    )
    auth_url: HttpUrl = Field("http://localhost:8001", description="URL of auth.")
    storage_url: HttpUrl = Field("http://localhost:8003", description="URL of storage.")
    service_client_id: str = Field("analytics", min_length=1, description="Analytics' client id at auth.")
    service_client_secret: SecretStr = Field(min_length=1, description="The secret of that client.")

    @field_validator("redis_url")
    @classmethod
    def _redis(cls, value: SecretStr) -> SecretStr:
        return SecretStr(redis_urls.checked(value.get_secret_value()))


def load() -> Settings:
    """Return the settings. If any is invalid, print variable, value and rule and exit with status 2."""
    return environment.load(Settings, _SECRETS)
