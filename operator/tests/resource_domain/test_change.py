"""Test changes of a feed on request: they follow the rules of the resource."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from tests.support.feeds import NOON, a_feed

from deltastream_operator.domain.change import Change, RefusedChange, changed, summary


def scale(**asked: Any) -> Change:
    return Change(action="scale", **asked)


def test_a_pause_lasts_until_resume() -> None:
    """The pause says what ends it. Nothing else of the feed changes."""
    feed = a_feed()
    paused = changed(feed, Change(action="pause"))
    assert str(paused.pause.active(NOON)).endswith("POST /api/feeds/a/resume to resume")
    assert replace(paused, pause=feed.pause) == feed
    assert changed(paused, Change(action="resume")) == feed
    assert summary(paused) == "a: paused"


def test_mode_and_replicas_change_alone_and_together() -> None:
    """Replicas stay as they are if only the mode is asked for."""
    manual = changed(a_feed(), scale(mode="Manual", replicas=2))
    assert (manual.mode, manual.enricher.replicas) == ("Manual", 2)
    assert changed(manual, scale(replicas=3)).enricher.replicas == 3
    assert changed(manual, scale(mode="External")).enricher.replicas == 2
    automatic = changed(manual, scale(mode="Automatic"))
    assert automatic.mode == "Automatic"
    assert (summary(manual), summary(automatic)) == ("a: mode Manual, 2 enrichers", "a: mode Automatic")


@pytest.mark.parametrize(
    ("asked", "text"),
    [
        ({}, "neither mode nor replicas is given; give one of them or both"),
        ({"replicas": 2}, "replicas: mode Automatic ignores them; give mode Manual or External with them"),
        ({"mode": "Manual"}, "replicas: is required in mode Manual; give it, or choose mode Automatic"),
        (
            {"mode": "Manual", "replicas": 5},
            "replicas: is 5; must be within minReplicas 1 to maxReplicas 4 of feed a",
        ),
        (
            {"mode": "External", "replicas": 0},
            "replicas: is 0; must be within minReplicas 1 to maxReplicas 4 of feed a",
        ),
    ],
)
def test_a_wrong_change_is_refused_with_field_rule_and_fix(asked: dict[str, Any], text: str) -> None:
    """One clear message."""
    with pytest.raises(RefusedChange) as refused:
        changed(a_feed(max_replicas=4), scale(**asked))
    assert str(refused.value) == text
