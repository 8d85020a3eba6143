"""Test the environment variables of a feed's processes, in a local run and in a cluster."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

from deltastream_operator.domain.environment import SPEC_FIELDS, environment
from deltastream_operator.domain.feed import (
    COMPONENTS,
    Component,
    Definition,
    Deribit,
    Enricher,
    External,
    Feed,
    Kite,
    Replay,
    Source,
    Synthetic,
)
from deltastream_operator.local.services import environment_of

MINI = Definition(
    product="MINI",
    exercise="European",
    lot=10,
    multiplier=0.1,
    tick=None,
    expiry_time="15:30",
    zone="Asia/Kolkata",
    settlement="close",
)


def feed(source: Source) -> Feed:
    enricher = Enricher(replicas=1, concurrency_per_replica=3)
    defined = (MINI,) if isinstance(source, Replay) else ()
    return Feed(name="a", products=("NIFTY", "SPY"), source=source, enricher=enricher, definitions=defined)


def variables(source: Source, component: Component = "generator") -> dict[str, str]:
    """Return the environment of one of three replicas. The recording is /r.csv."""
    return environment(feed(source), component, shards=3, recording="/r.csv")


def test_every_shard_gets_the_rate_of_the_whole_feed() -> None:
    """messagesPerSecond is the rate of the feed. Each generator computes the share of its own products."""
    one = feed(Synthetic(messages_per_second=61))
    envs = [environment_of(one, "generator", index=index, replicas=3) for index in range(3)]
    assert [env["MESSAGES_PER_SECOND"] for env in envs] == ["61"] * 3
    assert [(env["SHARD_INDEX"], env["SHARD_COUNT"]) for env in envs] == [("0", "3"), ("1", "3"), ("2", "3")]


def test_a_replay_sets_its_path_and_sets_as_of_only_if_given() -> None:
    """A recording with timestamps needs no asOf."""
    env = variables(Replay(path=Path("/x.csv"), interval_millis=5, loop="Once"))
    assert (env["SOURCE"], env["REPLAY_PATH"], env["REPLAY_LOOP"]) == ("replay", "/r.csv", "Once")
    assert (env["REPLAY_INTERVAL_MILLIS"], env["PRODUCTS"]) == ("5", "NIFTY,SPY")
    assert "REPLAY_AS_OF" not in env
    assert variables(Replay(as_of="T"))["REPLAY_AS_OF"] == "T"


def test_a_replay_sets_what_its_files_do_not_state_only_if_given() -> None:
    """A group of 0 ms differs from none, which lets the format decide."""
    env = variables(Replay(format="nse", expiry="2024-06-27", spot="23501.1", group_millis=0))
    stated = {name: value for name, value in env.items() if name.startswith("REPLAY_")}
    assert stated | {"REPLAY_FORMAT": "nse", "REPLAY_EXPIRY": "2024-06-27"} == stated
    assert (stated["REPLAY_SPOT"], stated["REPLAY_GROUP_MILLIS"]) == ("23501.1", "0")
    assert not variables(Replay()).keys() & {"REPLAY_EXPIRY", "REPLAY_SPOT", "REPLAY_GROUP_MILLIS"}


def test_a_replay_sets_its_first_and_last_time_only_if_given() -> None:
    """Each alone is possible."""
    env = variables(Replay(first="A", last="B"))
    assert (env["REPLAY_FROM"], env["REPLAY_TO"]) == ("A", "B")
    assert not variables(Replay()).keys() & {"REPLAY_FROM", "REPLAY_TO"}


def test_definitions_keep_the_names_of_the_spec() -> None:
    """What is not stated is left out."""
    assert json.loads(variables(Replay())["DEFINITIONS"]) == [
        {
            "product": "MINI",
            "exercise": "European",
            "lot": 10,
            "multiplier": 0.1,
            "expiryTime": "15:30",
            "zone": "Asia/Kolkata",
            "settlement": "close",
        }
    ]
    assert "DEFINITIONS" not in variables(Synthetic())


def test_in_a_local_run_the_recording_is_the_path_in_the_feed() -> None:
    """In a cluster the recording is mounted from a ConfigMap (see test_children)."""
    env = environment_of(feed(Replay(path=Path("/x.csv"))), "generator", index=0, replicas=1)
    assert env["REPLAY_PATH"] == "/x.csv"


def test_an_enricher_gets_only_its_feed_and_concurrency() -> None:
    """An enricher needs no other field of the feed."""
    assert variables(Synthetic(), "enricher") == {"FEED": "a", "CONCURRENCY": "3"}
    assert environment_of(feed(Synthetic()), "enricher", index=1, replicas=3) == variables(
        Synthetic(), "enricher"
    )


def test_an_enricher_of_an_external_feed_also_gets_its_products() -> None:
    """It refuses all others, because the writer is no part of the product."""
    expected = {"FEED": "a", "CONCURRENCY": "3", "PRODUCTS": "NIFTY,SPY"}
    assert variables(External(), "enricher") == expected


def test_an_enricher_of_an_external_feed_gets_its_definitions() -> None:
    """It refuses messages that state other terms. The messages of a replay follow the definitions already."""
    defined = replace(feed(External()), definitions=(MINI,))
    given = environment_of(defined, "enricher", index=0, replicas=1)
    assert json.loads(given["DEFINITIONS"])[0]["product"] == MINI.product
    assert "DEFINITIONS" not in variables(Replay(), "enricher")


def test_a_generator_that_starts_while_a_feed_becomes_external_has_no_source_to_play() -> None:
    """Without SOURCE it would publish a synthetic market."""
    assert variables(External())["SOURCE"] == "external"


DERIBIT = Deribit(currencies=("BTC", "USDC"), expiries=2, strikes_per_side=3, url="ws://x/y")


def test_a_deribit_generator_gets_what_to_ask_and_where() -> None:
    """Every field of the source is a variable."""
    env = variables(DERIBIT)
    assert {name: value for name, value in env.items() if name.startswith(("SOURCE", "DERIBIT"))} == {
        "SOURCE": "deribit",
        "DERIBIT_URL": "ws://x/y",
        "DERIBIT_CURRENCIES": "BTC,USDC",
        "DERIBIT_EXPIRIES": "2",
        "DERIBIT_STRIKES_PER_SIDE": "3",
        "DERIBIT_CHAIN_INTERVAL_MILLIS": "1000",
    }


def test_a_kite_feed_sets_its_urls_and_limits_but_no_credential() -> None:
    """The operator never reads the Secret."""
    env = variables(Kite(expiries=2, chain_interval_millis=500, secret="kite"))
    assert (env["SOURCE"], env["KITE_EXPIRIES"], env["KITE_CHAIN_INTERVAL_MILLIS"]) == ("kite", "2", "500")
    assert (env["KITE_URL"], env["KITE_API_URL"]) == ("wss://ws.kite.trade", "https://api.kite.trade")
    assert "SPEED_PERCENT" not in env


def test_every_variable_names_the_field_that_sets_it() -> None:
    """The operator reports an edit by the names of the changed fields. No field sets FEED and SHARD_COUNT."""
    sources = (
        Synthetic(),
        Replay(as_of="T", expiry="D", spot="1", group_millis=0, first="A", last="B"),
        External(),
        DERIBIT,
        Kite(),
    )
    names = {name for source in sources for component in COMPONENTS for name in variables(source, component)}
    assert names - {"FEED", "SHARD_COUNT"} == SPEC_FIELDS.keys()
