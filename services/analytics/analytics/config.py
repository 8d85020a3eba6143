"""Every setting of analytics, read from the environment once, at start."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, Field, SecretStr, field_validator

from analytics.chassis import environment, redis_urls
from analytics.chassis.environment import HttpUrl

_SECRETS = ("REDIS_URL", "SERVICE_CLIENT_SECRET")


class Settings(BaseModel):
    """Names are the environment variables' names in lower case."""

    host: str = Field("127.0.0.1", description="Address to listen on.")
    port: int = Field(8004, ge=1, le=65535, description="Port to listen on.")
    max_connections: int = Field(512, ge=8, le=4096, description="Most connections at the same time.")
    max_connections_per_address: int = Field(
        128, ge=1, le=4096, description="Most connections from one address (IPv6: one /64)."
    )
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field("INFO", description="Least level logged.")
    redis_url: SecretStr = Field(
        SecretStr("redis://localhost:6379/0"), description="The cache that the enricher fills."
    )
    auth_url: HttpUrl = Field("http://localhost:8001", description="The auth service: keys and our tokens.")
    storage_url: HttpUrl = Field("http://localhost:8003", description="The storage service.")
    service_client_id: str = Field("analytics", min_length=1, description="Who analytics is towards auth.")
    service_client_secret: SecretStr = Field(min_length=1, description="Its secret.")

    @field_validator("redis_url")
    @classmethod
    def _redis(cls, value: SecretStr) -> SecretStr:
        return SecretStr(redis_urls.checked(value.get_secret_value()))


def load() -> Settings:
    """The settings, or an end of the process (2) that names variable, value and rule."""
    return environment.load(Settings, _SECRETS)
