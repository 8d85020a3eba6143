"""The environment variables of a feed's generators and enrichers, on one machine and in a cluster."""

from __future__ import annotations

import json
from collections.abc import Mapping

from deltastream_operator.domain.feed import (
    Component,
    Deribit,
    External,
    Feed,
    Kite,
    Replay,
)

_SOURCE = (
    "SOURCE", "SPEED_PERCENT", "SEED", "MESSAGES_PER_SECOND",
    "REPLAY_PATH", "REPLAY_INTERVAL_MILLIS", "REPLAY_LOOP", "REPLAY_AS_OF",
    "DERIBIT_URL", "DERIBIT_CURRENCIES", "DERIBIT_EXPIRIES", "DERIBIT_STRIKES_PER_SIDE",
    "DERIBIT_CHAIN_INTERVAL_MILLIS",
    "KITE_EXPIRIES", "KITE_CHAIN_INTERVAL_MILLIS", "KITE_URL", "KITE_API_URL",
    "REPLAY_FORMAT", "REPLAY_EXPIRY", "REPLAY_SPOT", "REPLAY_GROUP_MILLIS", "REPLAY_FROM", "REPLAY_TO",
)  # fmt: skip
SPEC_FIELDS: Mapping[str, str] = {
    "PRODUCTS": "products",
    "DEFINITIONS": "definitions",
    "CONCURRENCY": "enricher.concurrencyPerReplica",
    **dict.fromkeys(_SOURCE, "source"),
}
"""The field of the feed's spec that sets each variable. No field sets FEED and SHARD_COUNT."""


def environment(feed: Feed, component: Component, *, shards: int, recording: str) -> dict[str, str]:
    """Return the variables that all processes of a component share.

    SHARD_INDEX is not among them, because it differs for each generator. `shards` is the number of
    generators. `recording` is the path of the replayed file where the generators run.
    """
    products = {"PRODUCTS": ",".join(feed.products)}
    source = feed.source
    if component == "enricher":
        variables = {"FEED": feed.name, "CONCURRENCY": str(feed.enricher.concurrency_per_replica)}
        if not isinstance(source, External):
            return variables
        # Only an external program can send other products or terms: our generators follow the spec.
        return variables | products | _definitions(feed)
    variables = {"FEED": feed.name, **products, "SHARD_COUNT": str(shards)}
    if isinstance(source, External):
        # No generator runs. If one starts while a feed changes its source, it refuses this value and ends.
        return variables | {"SOURCE": "external"}
    if isinstance(source, Deribit):
        return variables | _deribit(source)
    if isinstance(source, Kite):
        return variables | _kite(source)
    variables |= {"SPEED_PERCENT": str(source.speed_percent)}
    if isinstance(source, Replay):
        variables |= {
            "SOURCE": "replay",
            "REPLAY_PATH": recording,
            "REPLAY_INTERVAL_MILLIS": str(source.interval_millis),
            "REPLAY_LOOP": source.loop,
            "REPLAY_FORMAT": source.format,
        }
        variables |= _definitions(feed)
        stated = {
            "REPLAY_AS_OF": source.as_of,
            "REPLAY_EXPIRY": source.expiry,
            "REPLAY_SPOT": source.spot,
            "REPLAY_GROUP_MILLIS": source.group_millis,
            "REPLAY_FROM": source.first,
            "REPLAY_TO": source.last,
        }
        return variables | {name: str(value) for name, value in stated.items() if value is not None}
    return variables | {
        "SOURCE": "synthetic",
        "SEED": str(source.seed),
        "MESSAGES_PER_SECOND": str(source.messages_per_second),  # of the whole feed
    }


def _deribit(source: Deribit) -> dict[str, str]:
    return {
        "SOURCE": "deribit",
        "DERIBIT_URL": source.url,
        "DERIBIT_CURRENCIES": ",".join(source.currencies),
        "DERIBIT_EXPIRIES": str(source.expiries),
        "DERIBIT_STRIKES_PER_SIDE": str(source.strikes_per_side),
        "DERIBIT_CHAIN_INTERVAL_MILLIS": str(source.chain_interval_millis),
    }


def _kite(source: Kite) -> dict[str, str]:
    return {
        "SOURCE": "kite",
        "KITE_EXPIRIES": str(source.expiries),
        "KITE_CHAIN_INTERVAL_MILLIS": str(source.chain_interval_millis),
        "KITE_URL": source.url,
        "KITE_API_URL": source.api_url,
    }


def _definitions(feed: Feed) -> dict[str, str]:
    """Return the feed's definitions, if it has any, as JSON with the names of its spec."""
    if not feed.definitions:
        return {}
    rows = [one.spec() for one in feed.definitions]
    return {"DEFINITIONS": json.dumps(rows, separators=(",", ":"))}
