"""The spec of a DeltaStreamFeed as values.

`parsing/resource.py` reads and validates it with the same rules as the CRD.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args

from deltastream_operator.domain.pause import NOT_PAUSED, PauseRequest

# The resource's type, as the CRD declares it.
API_VERSION, KIND = "deltastream.dev/v1alpha1", "DeltaStreamFeed"

Component = Literal["generator", "enricher"]
COMPONENTS: tuple[Component, ...] = ("generator", "enricher")
Mode = Literal["Automatic", "Recommend", "Manual", "External"]
MODES: tuple[Mode, ...] = ("Automatic", "Recommend", "Manual", "External")

ReplayFormat = Literal["auto", "deltastream", "nse", "cboe", "yahoo", "deribit", "dbn"]
REPLAY_FORMATS: tuple[ReplayFormat, ...] = get_args(ReplayFormat)


@dataclass(frozen=True, kw_only=True)
class Synthetic:
    """A source that simulates a market. The same seed gives the same market."""

    seed: int = 0
    speed_percent: int = 100
    messages_per_second: int = 60


@dataclass(frozen=True, kw_only=True)
class ConfigMapRef:
    """The ConfigMap in the feed's namespace, and its key, that hold the recording in a cluster."""

    name: str
    key: str = "recording.csv"


@dataclass(frozen=True, kw_only=True)
class Replay:
    """A source that replays recorded chains.

    `as_of`, `expiry` (YYYY-MM-DD) and `spot` state what the files do not. `path` is a file, or a folder whose
    files make one session. Rows within `group_millis` make one snapshot; None: as the format needs it. Event
    times from `first` to `last` are replayed; None: all.
    """

    format: ReplayFormat = "auto"
    as_of: str | None = None
    expiry: str | None = None
    spot: str | None = None
    group_millis: int | None = None
    first: str | None = None
    last: str | None = None
    config_map: ConfigMapRef | None = None
    path: Path | None = None
    interval_millis: int = 1000
    speed_percent: int = 100
    loop: Literal["Forever", "Once"] = "Forever"


@dataclass(frozen=True, kw_only=True)
class External:
    """A source outside the product: another program writes the messages, so the feed has no generators."""


@dataclass(frozen=True, kw_only=True)
class Deribit:
    """The live market of Deribit. `url` is its WebSocket."""

    currencies: tuple[str, ...]
    expiries: int = 4
    strikes_per_side: int = 15
    chain_interval_millis: int = 1000
    url: str = "wss://www.deribit.com/ws/api/v2"


# Kite's limit for one API key. All generators of a feed share the key, and each needs a connection.
KITE_CONNECTIONS = 3


@dataclass(frozen=True, kw_only=True)
class Kite:
    """A live source: NSE and BSE through Zerodha's Kite Connect.

    `secret` names the Secret with the keys `api-key` and `access-token` in a cluster. In a local run the
    settings KITE_API_KEY_FILE and KITE_ACCESS_TOKEN_FILE name two files instead.
    """

    expiries: int = 4
    chain_interval_millis: int = 1000
    secret: str | None = None
    url: str = "wss://ws.kite.trade"
    api_url: str = "https://api.kite.trade"


Source = Synthetic | Replay | External | Deribit | Kite
SOURCES: Mapping[type[Source], str] = {
    Synthetic: "synthetic",
    Replay: "replay",
    External: "external",
    Deribit: "deribit",
    Kite: "kite",
}
"""The field of `spec.source` that gives each kind of source."""


@dataclass(frozen=True, kw_only=True)
class Definition:
    """The contract terms of a product that the rulebook does not have.

    `expiry_time` is the time of day in `zone` at which its contracts expire. `multiplier` is the number of
    units of the underlying per contract, `tick` the smallest price step, which a replay of
    files compares quotes with; None: not stated.
    """

    product: str
    exercise: str
    lot: int
    multiplier: float | None
    tick: float | None
    expiry_time: str
    zone: str
    settlement: str

    def spec(self) -> dict[str, Any]:
        """Return what is stated, by the names of the feed's spec."""
        stated = {name: value for name, value in asdict(self).items() if value is not None}
        return {"expiryTime" if name == "expiry_time" else name: value for name, value in stated.items()}


@dataclass(frozen=True, kw_only=True)
class Generator:
    """Generators scale with the products, never with the backlog: one that lags must not be multiplied."""

    min_replicas: int = 1
    max_replicas: int = 8
    products_per_replica: int = 50


@dataclass(frozen=True, kw_only=True)
class Target:
    """The share of enricher time for arrivals (percent) and the time to process the backlog (seconds)."""

    utilization_percent: int = 70
    catch_up_seconds: int = 30


@dataclass(frozen=True, kw_only=True)
class Enricher:
    """Each replica is a subscriber and a Celery worker. Modes Manual and External need `replicas`."""

    min_replicas: int = 1
    max_replicas: int = 20
    replicas: int | None = None
    concurrency_per_replica: int = 1
    target: Target = field(default_factory=Target)


@dataclass(frozen=True, kw_only=True)
class Feed:
    """One market stream with its generators and enrichers, identified by its name."""

    name: str
    products: tuple[str, ...]
    source: Source
    enricher: Enricher = field(default_factory=Enricher)
    generator: Generator = field(default_factory=Generator)
    mode: Mode = "Automatic"
    definitions: tuple[Definition, ...] = ()
    pause: PauseRequest = NOT_PAUSED
