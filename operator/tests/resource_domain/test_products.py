"""A product belongs to one feed."""

from __future__ import annotations

from itertools import permutations

from hypothesis import given
from hypothesis import strategies as st
from tests.support.feeds import a_feed

from deltastream_operator.domain.feed import ConfigMapRef, Enricher, Feed, Replay
from deltastream_operator.domain.products import Claim, not_for_a_cluster, taken

OLD = Claim(created="2026-11-25T08:00:00Z", name="z", products=("NIFTY",))
YOUNG = Claim(created="2026-11-25T09:00:00Z", name="a", products=("SPY", "NIFTY"))
LATER = Claim(created="2026-11-25T10:00:00Z", name="b", products=("SPY",))


def test_the_older_feed_keeps_the_product_in_whatever_order_they_are_seen() -> None:
    """And a refused feed owns nothing: SPY is free for the next."""
    for order in permutations([OLD, YOUNG, LATER]):
        problems = taken(order)
        assert list(problems) == ["a"]
        assert problems["a"].reason == "ProductTaken"
        assert problems["a"].message == (
            "spec.products: taken by an older feed: NIFTY (feed z); remove them here or there"
        )


def test_many_taken_products_make_a_message_that_can_be_read() -> None:
    """A condition's message is bounded."""
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


@given(claims)
def test_whoever_is_not_refused_shares_no_product(made: list[Claim]) -> None:
    """And the oldest is never refused."""
    problems = taken(made)
    kept = [product for claim in made if claim.name not in problems for product in claim.products]
    assert len(kept) == len(set(kept))
    if made:
        assert min(made).name not in problems


def test_a_recording_that_is_only_a_path_cannot_run_in_a_cluster() -> None:
    """The field that is missing is named."""
    replay = Feed(name="a", products=("P",), source=Replay(), enricher=Enricher())
    problem = not_for_a_cluster(replay)
    assert problem
    assert problem.message.startswith("spec.source.replay.configMapRef: is required in a cluster")
    kept = Feed(
        name="a", products=("P",), source=Replay(config_map=ConfigMapRef(name="x")), enricher=Enricher()
    )
    assert not_for_a_cluster(kept) is None
    assert not_for_a_cluster(a_feed()) is None
