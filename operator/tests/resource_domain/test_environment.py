"""What a feed's processes are told, on one machine and in a cluster."""

from __future__ import annotations

from pathlib import Path

from deltastream_operator.domain.environment import SPEC_FIELDS, environment
from deltastream_operator.domain.feed import COMPONENTS, Component, Enricher, Feed, Replay, Synthetic
from deltastream_operator.local.services import environment_of


def feed(source: Synthetic | Replay) -> Feed:
    enricher = Enricher(replicas=1, concurrency_per_replica=3)
    return Feed(name="a", products=("NIFTY", "SPY"), source=source, enricher=enricher)


def told(source: Synthetic | Replay, component: Component = "generator") -> dict[str, str]:
    """The environment of one of three, whose recording is /r.csv."""
    return environment(feed(source), component, shards=3, recording="/r.csv")


def test_every_shard_is_told_the_rate_of_the_whole_feed() -> None:
    """messagesPerSecond is the feed's; a generator makes its products' share of it by itself."""
    one = feed(Synthetic(messages_per_second=61))
    envs = [environment_of(one, "generator", index=index, replicas=3) for index in range(3)]
    assert [env["MESSAGES_PER_SECOND"] for env in envs] == ["61"] * 3
    assert [(env["SHARD_INDEX"], env["SHARD_COUNT"]) for env in envs] == [("0", "3"), ("1", "3"), ("2", "3")]


def test_a_replay_names_its_file_and_only_a_given_time() -> None:
    """A recording with timestamps needs no asOf."""
    env = told(Replay(path=Path("/x.csv"), interval_millis=5, loop="Once"))
    assert (env["SOURCE"], env["REPLAY_PATH"], env["REPLAY_LOOP"]) == ("replay", "/r.csv", "Once")
    assert (env["REPLAY_INTERVAL_MILLIS"], env["PRODUCTS"]) == ("5", "NIFTY,SPY")
    assert "REPLAY_AS_OF" not in env
    assert told(Replay(as_of="T"))["REPLAY_AS_OF"] == "T"


def test_here_a_recording_is_the_file_that_the_feed_names() -> None:
    """In a cluster it is mounted from a ConfigMap (test_children)."""
    env = environment_of(feed(Replay(path=Path("/x.csv"))), "generator", index=0, replicas=1)
    assert env["REPLAY_PATH"] == "/x.csv"


def test_an_enricher_is_told_its_feed_and_concurrency() -> None:
    """Nothing else of the feed is its business."""
    assert told(Synthetic(), "enricher") == {"FEED": "a", "CONCURRENCY": "3"}
    assert environment_of(feed(Synthetic()), "enricher", index=1, replicas=3) == told(Synthetic(), "enricher")


def test_every_variable_has_the_field_that_it_comes_from() -> None:
    """Rule: what an edit changed is told by its fields' names; a name and a count of shards are in none."""
    sources = (Synthetic(), Replay(as_of="T"))
    names = {name for source in sources for component in COMPONENTS for name in told(source, component)}
    assert names - {"FEED", "SHARD_COUNT"} == SPEC_FIELDS.keys()
