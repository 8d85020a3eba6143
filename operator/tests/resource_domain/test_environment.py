"""What a feed's processes are told."""

from __future__ import annotations

from pathlib import Path

from deltastream_operator.domain.feed import Enricher, Feed, Replay, Synthetic
from deltastream_operator.local.services import enricher_env, generator_env


def feed(source: Synthetic | Replay) -> Feed:
    enricher = Enricher(replicas=1, concurrency_per_replica=3)
    return Feed(name="a", products=("NIFTY", "SPY"), source=source, enricher=enricher)


def test_every_shard_is_told_the_rate_of_the_whole_feed() -> None:
    """messagesPerSecond is the feed's; a generator makes its products' share of it by itself."""
    envs = [generator_env(feed(Synthetic(messages_per_second=61)), index, 3) for index in range(3)]
    assert [env["MESSAGES_PER_SECOND"] for env in envs] == ["61"] * 3
    assert [(env["SHARD_INDEX"], env["SHARD_COUNT"]) for env in envs] == [("0", "3"), ("1", "3"), ("2", "3")]


def test_a_replay_names_its_file_and_only_a_given_time() -> None:
    """A recording with timestamps needs no asOf."""
    env = generator_env(feed(Replay(path=Path("/x.csv"), interval_millis=5, loop="Once")), 0, 1)
    assert (env["SOURCE"], env["REPLAY_PATH"], env["REPLAY_LOOP"]) == ("replay", "/x.csv", "Once")
    assert (env["REPLAY_INTERVAL_MILLIS"], env["PRODUCTS"]) == ("5", "NIFTY,SPY")
    assert "REPLAY_AS_OF" not in env
    assert generator_env(feed(Replay(path=Path("/x"), as_of="T")), 0, 1)["REPLAY_AS_OF"] == "T"


def test_an_enricher_is_told_its_feed_and_concurrency() -> None:
    """Nothing else of the feed is its business."""
    assert enricher_env(feed(Synthetic())) == {"FEED": "a", "CONCURRENCY": "3"}
