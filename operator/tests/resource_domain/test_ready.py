"""Ready, Reconciling and Stalled: what `kubectl wait`, Flux and Argo CD wait for."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.support.feeds import a_feed, decided, of, serving, wrote

from deltastream_operator.domain.observed import Observed, Problem


def test_ready_waits_for_everything_at_first_and_then_stays_while_replicas_move() -> None:
    """`kubectl wait` returns when all of a generation serves; a scale-up does not take Ready away."""
    feed = a_feed("Manual", replicas=3)
    starting = wrote(
        decided(feed, enrichers=3), replace(serving(1, 3), enricher=Observed(replicas=3, ready=2, updated=3))
    )
    assert of(starting, "Ready")["status"] == "False"
    assert of(starting, "Reconciling")["message"] == "enricher: 2 of 3 ready, 3 exist"
    full = wrote(decided(feed, enrichers=3), serving(1, 3), starting)
    assert (of(full, "Ready")["status"], of(full, "Reconciling")["status"]) == ("True", "False")
    one_down = replace(serving(1, 3), enricher=Observed(replicas=3, ready=2, updated=3))
    moving = wrote(decided(feed, enrichers=3), one_down, full)
    assert (of(moving, "Ready")["status"], of(moving, "Reconciling")["status"]) == ("True", "True")
    edited = wrote(decided(feed, enrichers=3), one_down, full, generation=2)
    assert of(edited, "Ready")["status"] == "False"


def test_a_generation_is_ready_when_its_own_pods_serve_not_those_before_it() -> None:
    """`kubectl wait` right after an edit must not return on pods of the old template."""
    feed = a_feed("Manual", replicas=3)
    before = wrote(decided(feed, enrichers=3), serving(1, 3))
    for updated in (0, 2):
        old_pods = replace(serving(1, 3), enricher=Observed(replicas=3, ready=3, updated=updated))
        edited = wrote(decided(feed, enrichers=3), old_pods, before, generation=2)
        assert edited["observedGeneration"] == 2
        assert (of(edited, "Ready")["status"], of(edited, "Reconciling")["status"]) == ("False", "True")
        message = f"enricher: 3 of 3 ready, 3 exist, {updated} of the newest template"
        assert of(edited, "Ready")["message"] == message
    done = wrote(decided(feed, enrichers=3), serving(1, 3), edited, generation=2)
    assert (of(done, "Ready")["status"], of(done, "Reconciling")["status"]) == ("True", "False")


def test_a_new_template_of_the_same_generation_is_reconciling_and_ready() -> None:
    """The chart's new image: the spec is as it was, all of it serves, and the rollout is told."""
    before = wrote(decided(), serving(1, 1))
    rolling = replace(serving(1, 1), enricher=Observed(replicas=2, ready=1, updated=1))
    built = wrote(decided(), rolling, before)
    assert (of(built, "Ready")["status"], of(built, "Reconciling")["status"]) == ("True", "True")


def test_another_scaler_s_numbers_do_not_take_ready_away_though_each_is_a_generation() -> None:
    """In External `/scale` writes the spec; what else an edit changes is waited for as ever."""
    feed = a_feed("External", replicas=5)
    before = wrote(decided(a_feed("External", replicas=3), enrichers=3), serving(1, 3))
    scaled = wrote(decided(feed, enrichers=3), serving(1, 3), before, generation=2)
    assert (of(scaled, "Ready")["status"], of(scaled, "Reconciling")["status"]) == ("True", "True")
    assert of(scaled, "Ready")["observedGeneration"] == 2
    for change in (
        {"enricher": Observed(replicas=3, ready=3, updated=0)},
        {"generator": Observed(replicas=1, ready=1, updated=0)},
        {"stalled": Problem(reason="WriteRefused", message="quota")},
    ):
        edited = wrote(decided(feed, enrichers=3), replace(serving(1, 3), **change), before, generation=2)
        assert of(edited, "Ready")["status"] == "False"


@pytest.mark.parametrize("dark", ["generator", "enricher"])
def test_a_component_without_a_serving_replica_takes_ready_away(dark: str) -> None:
    """However ready the feed was."""
    full = wrote(decided(), serving(1, 1))
    down = Observed(replicas=1, ready=0, updated=1)
    facts = replace(serving(1, 1), **{dark: down})
    assert of(wrote(decided(), facts, full), "Ready")["message"] == f"{dark}: 0 of 1 ready"


def test_no_replicas_wanted_is_ready() -> None:
    """A feed scaled to zero is as it should be."""
    assert (
        of(wrote(decided(a_feed("Manual", replicas=0), enrichers=0), serving(1, 0)), "Ready")["status"]
        == "True"
    )


def test_what_stalls_a_feed_is_its_ready_message() -> None:
    """An image that does not exist is not waited for, and what is missing is told beside it."""
    cause = Problem(reason="ErrImagePull", message="enricher: image x does not exist")
    built = wrote(decided(), replace(serving(1, 0), stalled=cause))
    for kind, wanted in (("Ready", "False"), ("Stalled", "True")):
        assert (of(built, kind)["status"], of(built, kind)["reason"]) == (wanted, "ErrImagePull")
    assert of(built, "Reconciling")["message"] == "enricher: 0 of 1 ready, 0 exist"
    # kstatus takes the first of the two that is True: a feed that cannot go on has failed.
    kinds = [row["type"] for row in built["conditions"]]
    assert kinds.index("Stalled") < kinds.index("Reconciling")


def test_one_pod_of_twenty_in_trouble_stalls_a_feed_and_leaves_it_ready() -> None:
    """Ready goes when a component is dark, or while a generation has not served yet."""
    feed, cause = a_feed("Manual", replicas=20), Problem(reason="CrashLoop", message="pod x ended 3 times")
    full = wrote(decided(feed, enrichers=20), serving(1, 20))
    facts = replace(serving(1, 20), enricher=Observed(replicas=20, ready=19, updated=20), stalled=cause)
    built = wrote(decided(feed, enrichers=20), facts, full)
    found = {kind: of(built, kind)["status"] for kind in ("Ready", "Stalled", "Reconciling")}
    assert found == {"Ready": "True", "Stalled": "True", "Reconciling": "True"}
    edited = wrote(decided(feed, enrichers=20), facts, full, generation=2)
    assert (of(edited, "Ready")["status"], of(edited, "Ready")["reason"]) == ("False", "CrashLoop")
    dark = replace(facts, enricher=Observed(replicas=20, ready=0, updated=20))
    down = of(wrote(decided(feed, enrichers=20), dark, full), "Ready")
    assert (down["status"], down["reason"]) == ("False", "CrashLoop")


def test_an_edit_that_nobody_carries_out_is_said() -> None:
    """Recommend changes nothing: no progress to wait for, and not everything is as the spec has it."""
    feed = replace(a_feed(), mode="Recommend")
    before = wrote(decided(feed), serving(1, 1))
    held = Problem(reason="HeldByMode", message="mode Recommend: not applied: generator: products")
    built = wrote(decided(feed), replace(serving(1, 1), held=held), before, generation=2)
    told = of(built, "Reconciling")
    assert (told["status"], told["reason"], told["message"]) == ("False", held.reason, held.message)
    ready = of(built, "Ready")
    assert (ready["status"], ready["message"]) == (
        "True", "all running replicas serve; a part of the spec is not applied",
    )  # fmt: skip
