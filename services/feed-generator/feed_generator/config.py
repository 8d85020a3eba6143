"""Settings from the environment, validated at start."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from datetime import date, datetime
from typing import Annotated, Literal

from pydantic import AfterValidator, AwareDatetime, BaseModel, Field, ValidationInfo, field_validator

from feed_generator.chassis import environment, redis_urls
from feed_generator.chassis.definitions import Definition, Definitions
from feed_generator.sources.span import Span

_SECRETS = ("REDIS_URL",)
_PRODUCT = re.compile(r"[A-Z0-9&-]{1,20}")
_MAX_PRODUCTS = 500


class Settings(BaseModel):
    """Every environment variable of the feed generator."""

    feed: Annotated[
        str, Field(pattern="^[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?$", description="Name of the feed.")
    ]
    source: Annotated[
        Literal["synthetic", "replay", "deribit", "kite"], Field(description="Where messages come from.")
    ] = "synthetic"
    products: Annotated[
        str,
        Field(
            description="Products of the whole feed, comma-separated, 1 to 500; each shard makes a part.",
        ),
    ]
    definitions: Annotated[
        Definitions,
        Field(
            description="Terms of a replay's products that the rulebook lacks: JSON, as in the feed's spec."
        ),
    ] = []
    shard_count: Annotated[
        int, Field(ge=1, le=500, description="Number of shards that share the products.")
    ] = 1
    shard_index: Annotated[int, Field(ge=0, le=499, description="Index of this shard, from 0.")] = 0
    redis_url: Annotated[
        str, AfterValidator(redis_urls.checked), Field(description="Stream and Pub/Sub (db 0).")
    ]
    seed: Annotated[
        int,
        Field(
            ge=0, le=2**63 - 1, description="Seed of the synthetic market; seed and start time determine it."
        ),
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
    replay_path: Annotated[
        str | None,
        Field(
            description="The recording: a file, or a folder whose files make one session.",
            validate_default=True,
        ),
    ] = None
    replay_format: Annotated[
        Literal["auto", "deltastream", "nse", "cboe", "yahoo", "deribit", "dbn"],
        Field(description="Format of the recording; auto: found out from its first lines."),
    ] = "auto"
    replay_as_of: Annotated[
        AwareDatetime | None, Field(description="Time of a snapshot without timestamps, RFC 3339 with zone.")
    ] = None
    replay_expiry: Annotated[
        date | None,
        Field(description="Expiry of the contracts of a file that does not state it, YYYY-MM-DD."),
    ] = None
    replay_spot: Annotated[
        float | None,
        Field(gt=0, le=1e9, description="Spot of a file that does not state it; else derived from parity."),
    ] = None
    replay_group_millis: Annotated[
        int | None,
        Field(
            ge=0, le=3_600_000, description="Rows within this time make one snapshot; default: the format's."
        ),
    ] = None
    replay_from: Annotated[
        AwareDatetime | None, Field(description="First event time of a replay, RFC 3339 with zone.")
    ] = None
    replay_to: Annotated[
        AwareDatetime | None, Field(description="Last event time of a replay, RFC 3339 with zone.")
    ] = None
    replay_interval_millis: Annotated[
        int, Field(ge=1, le=86_400_000, description="Pause between passes over a recording, milliseconds.")
    ] = 1000
    replay_loop: Annotated[
        Literal["Forever", "Once"], Field(description="After the last snapshot: start again, or idle.")
    ] = "Forever"
    deribit_url: Annotated[
        str, Field(pattern="^wss?://[^\\s]{1,300}$", description="Deribit's WebSocket, wss: or ws:.")
    ] = "wss://www.deribit.com/ws/api/v2"
    deribit_currencies: Annotated[
        str,
        Field(
            pattern="^[A-Z][A-Z0-9]{1,9}(,[A-Z][A-Z0-9]{1,9}){0,19}$",
            description="Currencies to ask Deribit's instruments for, comma-separated.",
            validate_default=True,
        ),
    ] = "BTC"
    deribit_expiries: Annotated[
        int, Field(ge=1, le=50, description="Deribit: number of the nearest expiries of each product.")
    ] = 4
    deribit_strikes_per_side: Annotated[
        int, Field(ge=1, le=200, description="Deribit: number of strikes below the spot, and above it.")
    ] = 15
    deribit_chain_interval_millis: Annotated[
        int, Field(ge=20, le=60_000, description="Deribit: milliseconds between two chains of an expiry.")
    ] = 1000
    kite_api_key_file: Annotated[
        str | None, Field(description="Kite: the file with the API key.", validate_default=True)
    ] = None
    kite_access_token_file: Annotated[
        str | None,
        Field(
            description="Kite: the file with the access token, read for each connection.",
            validate_default=True,
        ),
    ] = None
    kite_url: Annotated[
        str, Field(pattern="^wss?://[^\\s?]{1,300}$", description="Kite's ticker, wss: or ws:.")
    ] = "wss://ws.kite.trade"
    kite_api_url: Annotated[environment.HttpUrl, Field(description="Kite's REST API.")] = (
        "https://api.kite.trade"
    )
    kite_expiries: Annotated[
        int, Field(ge=1, le=50, description="Kite: number of the nearest expiries of each product.")
    ] = 4
    kite_chain_interval_millis: Annotated[
        int, Field(ge=20, le=60_000, description="Kite: milliseconds between two chains of an expiry.")
    ] = 1000
    buffer_bytes: Annotated[
        int, Field(ge=2 * 1024 * 1024, description="Bytes of message bodies kept while Redis is unavailable.")
    ] = 64 * 1024 * 1024
    stream_high_water: Annotated[
        int, Field(ge=1, description="Entries not yet processed at which quotes are conflated.")
    ] = 50_000
    host: Annotated[str, Field(description="Address of the probe server.")] = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535, description="Port of the probe server; 0: no server.")] = 0
    log_level: Annotated[
        str, Field(pattern="^(DEBUG|INFO|WARNING|ERROR)$", description="Least severe line that is logged.")
    ] = "INFO"

    @property
    def product_list(self) -> list[str]:
        """The feed's products, in the given order."""
        return [product.strip() for product in self.products.split(",")]

    @property
    def currency_list(self) -> list[str]:
        """The currencies of a Deribit source."""
        return self.deribit_currencies.split(",")

    @property
    def replay_span(self) -> Span:
        """The event times that are replayed."""
        return Span.of(self.replay_from, self.replay_to)

    @field_validator("products")
    @classmethod
    def _names(cls, products: str) -> str:
        # One pattern for the whole list would take 6 MB in every generator once compiled.
        names = [name.strip() for name in products.split(",")]
        if len(names) > _MAX_PRODUCTS or not all(map(_PRODUCT.fullmatch, names)):
            raise ValueError(f"must be 1 to {_MAX_PRODUCTS} names of A-Z, 0-9, & and -, comma-separated")
        if len(set(names)) != len(names):
            raise ValueError("must name each product only once")
        return products

    @field_validator("deribit_currencies")
    @classmethod
    def _all_products(cls, currencies: str, others: ValidationInfo) -> str:
        if others.data.get("source") == "deribit":
            products = [name.strip() for name in str(others.data.get("products", "")).split(",")]
            missing = [name for name in products if name.rpartition("-")[2] not in currencies.split(",")]
            if missing:
                raise ValueError(f"must have the currency of every product: {', '.join(missing)}")
        return currencies

    @field_validator("kite_api_key_file", "kite_access_token_file")
    @classmethod
    def _credential(cls, path: str | None, others: ValidationInfo) -> str | None:
        if not path and others.data.get("source") == "kite":
            raise ValueError("must name the file when SOURCE=kite")
        return path

    @field_validator("definitions")
    @classmethod
    def _used(cls, found: list[Definition], others: ValidationInfo) -> list[Definition]:
        if found and others.data.get("source") == "synthetic":
            raise ValueError("must be empty when SOURCE=synthetic, which makes products of the rulebook")
        listed = [name.strip() for name in str(others.data.get("products", "")).split(",")]
        if unlisted := sorted({one.product for one in found} - set(listed)):
            raise ValueError(f"must define products of the feed, but PRODUCTS lacks {', '.join(unlisted)}")
        return found

    @field_validator("shard_index")
    @classmethod
    def _shard_in_range(cls, index: int, others: ValidationInfo) -> int:
        if index >= others.data.get("shard_count", index + 1):
            raise ValueError(f"must be less than SHARD_COUNT={others.data['shard_count']}")
        return index

    @field_validator("replay_to")
    @classmethod
    def _in_order(cls, last: datetime | None, others: ValidationInfo) -> datetime | None:
        first = others.data.get("replay_from")
        if last and first and last < first:
            raise ValueError(f"must not be before REPLAY_FROM={first.isoformat()}")
        return last

    @field_validator("replay_path")
    @classmethod
    def _recording(cls, path: str | None, others: ValidationInfo) -> str | None:
        if not path and others.data.get("source") == "replay":
            raise ValueError("must name the recording when SOURCE=replay")
        return path


def load(environ: Mapping[str, str] = os.environ) -> Settings:
    """Return the settings. On errors, prints variable, value and rule of each and exits with status 2."""
    return environment.load(Settings, _SECRETS, environ)
