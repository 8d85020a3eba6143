"""What a feed's processes are variables: the environment of its generators and enrichers, wherever they run."""

from __future__ import annotations

from collections.abc import Mapping

from deltastream_operator.domain.feed import Component, Feed, Replay

_SOURCE = (
    "SOURCE", "SPEED_PERCENT", "SEED", "MESSAGES_PER_SECOND",
    "REPLAY_PATH", "REPLAY_INTERVAL_MILLIS", "REPLAY_LOOP", "REPLAY_AS_OF",
)  # fmt: skip
SPEC_FIELDS: Mapping[str, str] = {
    "PRODUCTS": "products",
    "CONCURRENCY": "enricher.concurrencyPerReplica",
    **dict.fromkeys(_SOURCE, "source"),
}
"""The field of the feed's spec that a variable comes from; FEED and SHARD_COUNT come from none."""


def environment(feed: Feed, component: Component, *, shards: int, recording: str) -> dict[str, str]:
    """The variables of every process of a component, but not SHARD_INDEX: each generator has its own.

    `shards` is the number of generators, `recording` the path of a replay's file where they run.
    """
    if component == "enricher":
        return {"FEED": feed.name, "CONCURRENCY": str(feed.enricher.concurrency_per_replica)}
    source = feed.source
    variables = {
        "FEED": feed.name,
        "PRODUCTS": ",".join(feed.products),
        "SHARD_COUNT": str(shards),
        "SPEED_PERCENT": str(source.speed_percent),
    }
    if isinstance(source, Replay):
        variables |= {
            "SOURCE": "replay",
            "REPLAY_PATH": recording,
            "REPLAY_INTERVAL_MILLIS": str(source.interval_millis),
            "REPLAY_LOOP": source.loop,
        }
        return variables | ({"REPLAY_AS_OF": source.as_of} if source.as_of else {})
    return variables | {
        "SOURCE": "synthetic",
        "SEED": str(source.seed),
        "MESSAGES_PER_SECOND": str(source.messages_per_second),  # the feed's: a shard makes its share
    }
