"""Every setting of storage, read from the environment once, at start."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, Field, SecretStr, field_validator

from storage.chassis import environment, mongo_urls
from storage.chassis.environment import HttpUrl

_SECRETS = ("MONGO_URL",)


class Settings(BaseModel):
    """Names are the environment variables' names in lower case."""

    host: str = Field("127.0.0.1", description="Address to listen on.")
    port: int = Field(8003, ge=1, le=65535, description="Port to listen on.")
    max_connections: int = Field(512, ge=8, le=4096, description="Most connections at the same time.")
    max_connections_per_address: int = Field(
        128, ge=1, le=4096, description="Most connections from one address (IPv6: one /64)."
    )
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field("INFO", description="Least level logged.")
    mongo_url: SecretStr = Field(
        SecretStr("mongodb://localhost:27017/deltastream"),
        description="MongoDB; the database is the path, `deltastream` unless given.",
    )
    auth_url: HttpUrl = Field("http://localhost:8001", description="The auth service: keys of tokens.")
    query_timeout_ms: int = Field(
        3000, ge=10, le=8000, description="Longest a query may run in MongoDB, milliseconds."
    )
    ticks_retention_days: int = Field(30, ge=1, le=3650, description="Ticks are kept so long, days.")
    quotes_retention_days: int = Field(7, ge=1, le=3650, description="Quotes are kept so long, days.")
    chains_retention_days: int = Field(30, ge=1, le=3650, description="Chains are kept so long, days.")
    bars_retention_days: int = Field(400, ge=1, le=3650, description="Bars are kept so long, days.")
    logs_max_mib: int = Field(64, ge=1, le=4096, description="Size of the capped `logs`, MiB.")

    @field_validator("mongo_url")
    @classmethod
    def _mongo(cls, value: SecretStr) -> SecretStr:
        return SecretStr(mongo_urls.checked(value.get_secret_value()))


def load() -> Settings:
    """The settings, or an end of the process (2) that names variable, value and rule."""
    return environment.load(Settings, _SECRETS)
