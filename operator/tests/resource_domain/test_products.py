"""Test that each product belongs to exactly one feed."""

from __future__ import annotations

from dataclasses import replace
from itertools import permutations

from hypothesis import given
from hypothesis import strategies as st
from tests.support.feeds import a_feed

from deltastream_operator.domain.feed import ConfigMapRef, Enricher, Feed, Kite, Replay
from deltastream_operator.domain.products import Claim, not_for_a_cluster, taken

OLD = Claim(created="2026-11-25T08:00:00Z", name="z", products=("NIFTY",))
YOUNG = Claim(created="2026-11-25T09:00:00Z", name="a", products=("SPY", "NIFTY"))
LATER = Claim(created="2026-11-25T10:00:00Z", name="b", products=("SPY",))


def test_the_older_feed_keeps_the_product_regardless_of_the_order_of_claims() -> None:
    """A refused feed owns no product, so the next feed gets SPY."""
    for order in permutations([OLD, YOUNG, LATER]):
        problems = taken(order)
        assert list(problems) == ["a"]
        assert problems["a"].reason == "ProductTaken"
        assert problems["a"].message == (
            "spec.products: taken by another feed: NIFTY (feed z); remove them from one of the feeds"
        )


def test_a_product_stays_with_the_feed_that_produces_it_even_if_another_is_older() -> None:
    """An older feed that adds the product later is refused."""
    older = replace(OLD, products=("NIFTY", "SPY"))
    for order in permutations([older, LATER]):
        problems = taken(order, {"b": frozenset({"SPY"}), "z": frozenset({"NIFTY"})})
        assert list(problems) == ["z"]
        assert "SPY (feed b)" in problems["z"].message


def test_a_refused_feed_keeps_the_products_that_its_generators_produce() -> None:
    """Its edit is refused and its pods keep running, so a feed that lists its old products must wait."""
    running = Claim(created="2", name="b", products=("NIFTY",))
    waiting = Claim(created="3", name="c", products=("SPY",))
    made = {"z": frozenset({"NIFTY"}), "b": frozenset({"SPY"})}
    problems = taken([OLD, running, waiting], made)
    assert list(problems) == ["b", "c"]
    assert "SPY (feed b, which still produces it)" in problems["c"].message


def test_a_removed_product_stays_with_its_feed_while_it_is_produced() -> None:
    """The edit of a paused feed is not applied yet, and the pods of a deleted feed may still run."""
    edited = Claim(created="1", name="a", products=("OTHER",))
    wants = Claim(created="2", name="b", products=("SPY",))
    made = {"a": frozenset({"SPY"})}
    assert list(taken([edited, wants], made)) == ["b"]
    assert list(taken([wants], made)) == ["b"]
    assert not taken([edited, wants], {"a": frozenset({"OTHER"})})


def test_if_two_feeds_produce_a_product_the_older_keeps_it() -> None:
    """The operator prevents this state. If it exists already, only one of the feeds is accepted."""
    both = frozenset({"NIFTY"})
    young = Claim(created="2026-11-25T09:00:00Z", name="a", products=("NIFTY",))
    assert list(taken([young, OLD], {"a": both, "z": both, "gone": both})) == ["a"]


def test_the_message_lists_only_the_first_of_many_taken_products() -> None:
    """The length of a condition's message is limited."""
    names = tuple(f"P{n:03}" for n in range(500))
    problems = taken(
        [Claim(created="1", name="old", products=names), Claim(created="2", name="new", products=names)]
    )
    assert "P004 (feed old) and 495 more" in problems["new"].message


claims = st.lists(
    st.builds(
        Claim,
        created=st.sampled_from(["1", "2", "3"]),
        name=st.text("abcdef", min_size=1, max_size=2),
        products=st.lists(st.sampled_from("PQRST"), min_size=1, unique=True).map(tuple),
    ),
    unique_by=lambda claim: claim.name,
)


made_by = st.dictionaries(st.text("abcdef", min_size=1, max_size=2), st.frozensets(st.sampled_from("PQRST")))


@given(claims)
def test_the_oldest_feed_is_never_refused_while_no_feed_produces(listed: list[Claim]) -> None:
    """Between feeds that do not run yet, the older one gets a product."""
    if listed:
        assert min(listed).name not in taken(listed)


@given(claims, made_by)
def test_accepted_feeds_share_no_product(asked: list[Claim], made: dict[str, frozenset[str]]) -> None:
    """An accepted feed lists no product that another accepted feed lists or that another feed produces."""
    problems = taken(asked, made)
    kept = [claim for claim in asked if claim.name not in problems]
    named = [product for claim in kept for product in claim.products]
    assert len(named) == len(set(named))
    for claim in kept:
        older = {other.name for other in asked if other < claim}
        for other, products in made.items():
            shared = products.intersection(claim.products)
            # If two feeds produce a product already, the older one is accepted.
            assert other == claim.name or shared <= made.get(claim.name, frozenset())
            assert other not in older or not shared


def test_a_recording_that_is_only_a_path_cannot_run_in_a_cluster() -> None:
    """The message names the missing field."""
    replay = Feed(name="a", products=("P",), source=Replay(), enricher=Enricher())
    problem = not_for_a_cluster(replay)
    assert problem
    assert problem.message.startswith("spec.source.replay.configMapRef: is required in a cluster")
    kept = Feed(
        name="a", products=("P",), source=Replay(config_map=ConfigMapRef(name="x")), enricher=Enricher()
    )
    assert not_for_a_cluster(kept) is None
    assert not_for_a_cluster(a_feed()) is None


def test_a_kite_feed_without_a_secret_cannot_run_in_a_cluster() -> None:
    """The message names the missing field."""
    problem = not_for_a_cluster(replace(a_feed(), source=Kite()))
    assert problem
    assert problem.message.startswith("spec.source.kite.secretRef: is required in a cluster")
    assert not_for_a_cluster(replace(a_feed(), source=Kite(secret="kite"))) is None
