"""Test Ready, Reconciling and Stalled, the conditions for which `kubectl wait`, Flux and Argo CD wait."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.support.feeds import a_feed, decided, of, serving, wrote

from deltastream_operator.domain.observed import Observed, Problem


def test_ready_needs_all_replicas_once_and_then_stays_while_replicas_change() -> None:
    """`kubectl wait` returns when all replicas of a generation serve. A later scale-up keeps Ready."""
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


def test_a_generation_is_ready_only_when_pods_of_its_own_template_serve() -> None:
    """`kubectl wait` right after an edit must not return because pods of the old template are ready."""
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
    """A chart upgrade changes the image but not the spec: the feed stays Ready and reports the rollout."""
    before = wrote(decided(), serving(1, 1))
    rolling = replace(serving(1, 1), enricher=Observed(replicas=2, ready=1, updated=1))
    built = wrote(decided(), rolling, before)
    assert (of(built, "Ready")["status"], of(built, "Reconciling")["status"]) == ("True", "True")


def test_an_external_scalers_changes_keep_ready_although_each_is_a_new_generation() -> None:
    """In mode External `/scale` writes the spec. Any other outstanding change still clears Ready."""
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


@pytest.mark.parametrize("component", ["generator", "enricher"])
def test_a_component_without_a_serving_replica_clears_ready(component: str) -> None:
    """This holds even if the feed was Ready before."""
    full = wrote(decided(), serving(1, 1))
    down = Observed(replicas=1, ready=0, updated=1)
    facts = replace(serving(1, 1), **{component: down})
    assert of(wrote(decided(), facts, full), "Ready")["message"] == f"{component}: 0 of 1 ready"


def test_zero_desired_replicas_are_ready() -> None:
    """A feed that is scaled to zero matches its spec."""
    assert (
        of(wrote(decided(a_feed("Manual", replicas=0), enrichers=0), serving(1, 0)), "Ready")["status"]
        == "True"
    )


def test_ready_reports_what_stalls_a_feed() -> None:
    """Ready and Stalled name the missing image; Reconciling lists the missing replicas."""
    cause = Problem(reason="ErrImagePull", message="enricher: image x does not exist")
    built = wrote(decided(), replace(serving(1, 0), stalled=cause))
    for kind, wanted in (("Ready", "False"), ("Stalled", "True")):
        assert (of(built, kind)["status"], of(built, kind)["reason"]) == (wanted, "ErrImagePull")
    assert of(built, "Reconciling")["message"] == "enricher: 0 of 1 ready, 0 exist"
    # kstatus uses the first True condition: a feed that is both stalled and reconciling has failed.
    kinds = [row["type"] for row in built["conditions"]]
    assert kinds.index("Stalled") < kinds.index("Reconciling")


def test_one_failing_pod_of_twenty_stalls_a_feed_and_keeps_it_ready() -> None:
    """Ready is False if no replica of a component is ready, or until all of a generation have served."""
    feed, cause = a_feed("Manual", replicas=20), Problem(reason="CrashLoop", message="pod x ended 3 times")
    full = wrote(decided(feed, enrichers=20), serving(1, 20))
    facts = replace(serving(1, 20), enricher=Observed(replicas=20, ready=19, updated=20), stalled=cause)
    built = wrote(decided(feed, enrichers=20), facts, full)
    found = {kind: of(built, kind)["status"] for kind in ("Ready", "Stalled", "Reconciling")}
    assert found == {"Ready": "True", "Stalled": "True", "Reconciling": "True"}
    edited = wrote(decided(feed, enrichers=20), facts, full, generation=2)
    assert (of(edited, "Ready")["status"], of(edited, "Ready")["reason"]) == ("False", "CrashLoop")
    all_down = replace(facts, enricher=Observed(replicas=20, ready=0, updated=20))
    down = of(wrote(decided(feed, enrichers=20), all_down, full), "Ready")
    assert (down["status"], down["reason"]) == ("False", "CrashLoop")


def test_an_edit_that_is_not_applied_is_reported() -> None:
    """Mode Recommend applies no edit: Reconciling is False, and Ready says that a part is not applied."""
    feed = replace(a_feed(), mode="Recommend")
    before = wrote(decided(feed), serving(1, 1))
    held = Problem(reason="HeldByMode", message="mode Recommend: not applied: generator: products")
    built = wrote(decided(feed), replace(serving(1, 1), held=held), before, generation=2)
    found = of(built, "Reconciling")
    assert (found["status"], found["reason"], found["message"]) == ("False", held.reason, held.message)
    ready = of(built, "Ready")
    assert (ready["status"], ready["message"]) == (
        "True", "all running replicas serve; a part of the spec is not applied",
    )  # fmt: skip
