"""Settings from the environment, validated at start."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, AwareDatetime, Field, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from feed_generator.chassis import redis_urls
from feed_generator.errors import ConfigError

_SECRETS = ("REDIS_URL",)
_PRODUCT = re.compile(r"[A-Z0-9&-]{1,20}")
_MAX_PRODUCTS = 500


class Settings(BaseSettings):
    """Every environment variable of the feed generator."""

    model_config = SettingsConfigDict(extra="ignore")

    feed: Annotated[str, Field(pattern="^[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?$", description="Its feed.")]
    source: Annotated[Literal["synthetic", "replay"], Field(description="Where messages come from.")] = (
        "synthetic"
    )
    products: Annotated[
        str,
        Field(
            description="Products of the whole feed, comma-separated, 1 to 500; a shard takes its part.",
        ),
    ]
    shard_index: Annotated[int, Field(ge=0, le=499, description="Which part of the products is ours.")] = 0
    shard_count: Annotated[int, Field(ge=1, le=500, description="Into how many parts they are split.")] = 1
    redis_url: Annotated[
        str, AfterValidator(redis_urls.checked), Field(description="Stream and Pub/Sub (db 0).")
    ]
    seed: Annotated[
        int, Field(ge=0, le=2**63 - 1, description="Same seed and start time: same synthetic market.")
    ] = 7
    speed_percent: Annotated[
        int,
        Field(ge=1, le=1_000_000, description="Speed of market time (synthetic) or of a recording's gaps."),
    ] = 100
    messages_per_second: Annotated[
        int,
        Field(
            ge=1,
            le=100_000,
            description="Rate of the whole feed's synthetic messages; a shard makes its share.",
        ),
    ] = 60
    replay_path: Annotated[str | None, Field(description="The recording, a CSV file.")] = None
    replay_as_of: Annotated[
        AwareDatetime | None, Field(description="Time of a snapshot without timestamps, RFC 3339 with zone.")
    ] = None
    replay_interval_millis: Annotated[
        int, Field(ge=1, le=86_400_000, description="Between passes over a recording, milliseconds.")
    ] = 1000
    replay_loop: Annotated[
        Literal["Forever", "Once"], Field(description="After the last snapshot: start again, or idle.")
    ] = "Forever"
    buffer_bytes: Annotated[
        int, Field(ge=2 * 1024 * 1024, description="Bodies kept while Redis is away, bytes.")
    ] = 64 * 1024 * 1024
    stream_high_water: Annotated[
        int, Field(ge=1, description="Entries not yet processed at which quotes are conflated.")
    ] = 50_000
    host: Annotated[str, Field(description="Address of the probe server.")] = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535, description="Port of the probe server; 0 = none.")] = 0
    log_level: Annotated[
        str, Field(pattern="^(DEBUG|INFO|WARNING|ERROR)$", description="Least severe line that is logged.")
    ] = "INFO"

    @property
    def product_list(self) -> list[str]:
        """The feed's products, in the given order."""
        return [product.strip() for product in self.products.split(",")]

    @field_validator("products")
    @classmethod
    def _names(cls, products: str) -> str:
        # Not one pattern with a repetition: compiled, that takes 6 MB in every generator.
        names = [name.strip() for name in products.split(",")]
        if len(names) > _MAX_PRODUCTS or not all(map(_PRODUCT.fullmatch, names)):
            raise ValueError(f"must be 1 to {_MAX_PRODUCTS} names of A-Z, 0-9, & and -, comma-separated")
        return products

    @model_validator(mode="after")
    def _fit_together(self) -> Settings:
        products = self.product_list
        if len(set(products)) != len(products):
            raise ValueError(f"PRODUCTS: a product may be named only once (given: {self.products!r})")
        if self.shard_index >= self.shard_count:
            raise ValueError(
                f"SHARD_INDEX: must be less than SHARD_COUNT={self.shard_count} (given: {self.shard_index})"
            )
        if self.source == "replay":
            if not self.replay_path:
                raise ValueError("REPLAY_PATH: needed when SOURCE=replay (given: nothing)")
            if len(products) != 1:
                raise ValueError(
                    f"PRODUCTS: a recording holds one product, name exactly that (given: {self.products!r})"
                )
        return self


def load(environ: Mapping[str, str] = os.environ) -> Settings:
    """Settings from `environ`; `X_FILE` names a file with the value of secret `X`. Raises ConfigError."""
    values = {name.lower(): value for name, value in environ.items()}
    for name in _SECRETS:
        path = environ.get(f"{name}_FILE")
        if path:
            try:
                values[name.lower()] = Path(path).read_text().strip()
            except OSError as error:
                raise ConfigError(f"{name}_FILE: cannot read {path}: {error.strerror}") from None
            except UnicodeDecodeError:
                raise ConfigError(f"{name}_FILE: cannot read {path}: it is not UTF-8 text") from None
    fields = {name: value for name, value in values.items() if name in Settings.model_fields}
    try:
        return Settings.model_validate(fields)
    except ValidationError as error:
        first = error.errors()[0]
        message = first["msg"].removeprefix("Value error, ")
        if not first["loc"]:
            raise ConfigError(message) from None
        name = str(first["loc"][0]).upper()
        given = "" if name in _SECRETS or first["type"] == "missing" else f" (given: {first['input']!r})"
        raise ConfigError(f"{name}: {message}{given}") from None
