"""Settings of storage, read from the environment once at start."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, Field, SecretStr, field_validator

from storage.chassis import environment, mongo_urls
from storage.chassis.environment import HttpUrl

_SECRETS = ("MONGO_URL",)


class Settings(BaseModel):
    """Settings. Each field is the environment variable of the same name in upper case."""

    host: str = Field("127.0.0.1", description="Address to listen on.")
    port: int = Field(8003, ge=1, le=65535, description="Port to listen on.")
    max_connections: int = Field(512, ge=8, le=4096, description="Maximum simultaneous connections.")
    max_connections_per_address: int = Field(
        128, ge=1, le=4096, description="Maximum simultaneous connections from one address (IPv6: a /64)."
    )
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(
        "INFO", description="Lowest level to log."
    )
    mongo_url: SecretStr = Field(
        SecretStr("mongodb://localhost:27017/deltastream"),
        description="URL of MongoDB; its path is the database, by default `deltastream`.",
    )
    auth_url: HttpUrl = Field("http://localhost:8001", description="URL of auth, for its keys.")
    query_timeout_ms: int = Field(
        3000, ge=10, le=8000, description="Time limit of a query in MongoDB, in milliseconds."
    )
    ticks_retention_days: int = Field(30, ge=1, le=3650, description="Retention of ticks, in days.")
    quotes_retention_days: int = Field(7, ge=1, le=3650, description="Retention of quotes, in days.")
    chains_retention_days: int = Field(30, ge=1, le=3650, description="Retention of chains, in days.")
    bars_retention_days: int = Field(400, ge=1, le=3650, description="Retention of bars, in days.")
    logs_max_mib: int = Field(64, ge=1, le=4096, description="Size of the capped collection `logs`, in MiB.")

    @field_validator("mongo_url")
    @classmethod
    def _mongo(cls, value: SecretStr) -> SecretStr:
        return SecretStr(mongo_urls.checked(value.get_secret_value()))


def load() -> Settings:
    """Return the settings. If any is invalid, print variable, value and rule and exit with status 2."""
    return environment.load(Settings, _SECRETS)
