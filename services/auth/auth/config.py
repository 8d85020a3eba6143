"""Settings of auth, read from the environment once at start."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, Json, SecretStr, field_validator

from auth.chassis import environment, mongo_urls, redis_urls
from auth.clients import Client, ClientId
from auth.secret_rules import broken_rule

_SECRETS = ("JWT_SECRET", "JWT_PREVIOUS_SECRET", "MONGO_URL", "REDIS_URL", "SERVICE_CLIENTS")


class Settings(BaseModel):
    """Settings. Each field is the environment variable of the same name in upper case."""

    model_config = ConfigDict(hide_input_in_errors=True)

    host: str = Field("127.0.0.1", description="Address to listen on.")
    port: int = Field(8001, ge=1, le=65535, description="Port to listen on.")
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
    redis_url: SecretStr = Field(
        SecretStr("redis://localhost:6379/0"), description="Redis for the rate limits."
    )
    jwt_secret: SecretStr = Field(description="Random secret, 32 bytes or more, for the signing key.")
    jwt_previous_secret: SecretStr | None = Field(
        None, description="The old secret during a rotation; tokens signed with its key stay valid."
    )
    access_token_seconds: int = Field(600, ge=60, le=3600, description="Lifetime of an access token.")
    refresh_token_days: int = Field(30, ge=1, le=365, description="Lifetime of a refresh token.")
    service_clients: Json[dict[ClientId, Client]] = Field(
        {}, description='JSON: {client_id: {"secret": ..., "audiences": [...]}}; empty: no service tokens.'
    )
    password_min_length: int = Field(12, ge=7, le=128, description="Minimum length of a new password.")
    first_account_is_operator: bool = Field(
        False, description="Give the oldest account the roles operator and ingest, for a local run."
    )
    ingest_accounts: list[Annotated[str, Field(pattern="^[0-9a-f]{32}$")]] = Field(
        [], description="Ids of the accounts with the role ingest, separated by commas."
    )
    hash_concurrency: int = Field(
        2, ge=1, le=8, description="Passwords hashed at the same time; each takes 19 MiB."
    )
    hash_wait_ms: int = Field(2000, ge=0, le=10_000, description="Maximum wait to hash a password (ms).")
    limit_login_address: int = Field(60, ge=1, description="Logins per minute from one address.")
    limit_login_account: int = Field(
        10, ge=1, description="Logins per minute for one account from one address."
    )
    limit_login_strangers: int = Field(
        60, ge=1, description="Logins per minute for one account from all unknown addresses together."
    )
    limit_register_address: int = Field(30, ge=1, description="Registrations per minute from one address.")
    limit_register_account: int = Field(
        5, ge=1, description="Registrations per minute of one email from one address."
    )
    limit_refresh_address: int = Field(120, ge=1, description="Refreshes per minute from one address.")
    limit_refresh_account: int = Field(30, ge=1, description="Refreshes per minute of one account.")
    limit_token_address: int = Field(120, ge=1, description="Service tokens per minute and address.")
    limit_token_account: int = Field(
        60, ge=1, description="Service tokens per minute for one client at one address."
    )
    trusted_proxies: int = Field(0, ge=0, le=10, description="Number of trusted proxies in front.")

    @field_validator("jwt_secret", "jwt_previous_secret")
    @classmethod
    def _strong(cls, value: SecretStr | None) -> SecretStr | None:
        if value is None or (rule := broken_rule(value.get_secret_value())) is None:
            return value
        raise ValueError(rule)

    @field_validator("jwt_previous_secret", mode="before")
    @classmethod
    def _none(cls, value: object) -> object:
        return value or None  # templates set an empty value if there is no previous secret

    @field_validator("ingest_accounts", mode="before")
    @classmethod
    def _ids(cls, value: object) -> object:
        return (
            [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value
        )

    @field_validator("mongo_url")
    @classmethod
    def _mongo(cls, value: SecretStr) -> SecretStr:
        return SecretStr(mongo_urls.checked(value.get_secret_value()))

    @field_validator("redis_url")
    @classmethod
    def _redis(cls, value: SecretStr) -> SecretStr:
        return SecretStr(redis_urls.checked(value.get_secret_value()))


def load() -> Settings:
    """Return the settings. If any is invalid, print variable, value and rule and exit with status 2."""
    return environment.load(Settings, _SECRETS)
