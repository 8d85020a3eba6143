"""Change a feed of a local run on request: pause, resume, or another mode or number of enrichers."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from deltastream_operator.domain.feed import Feed, Mode
from deltastream_operator.domain.pause import NOT_PAUSED, PauseRequest

Action = Literal["pause", "resume", "scale"]
ACTIONS: tuple[Action, ...] = ("pause", "resume", "scale")


class RefusedChange(Exception):
    """A change that the feed cannot take. The text names the field, the rule and the fix."""


@dataclass(frozen=True, kw_only=True)
class Change:
    """What is asked. `mode` and `replicas` (of enrichers) belong to `scale`; None leaves them as they are."""

    action: Action
    mode: Mode | None = None
    replicas: int | None = None


def changed(feed: Feed, change: Change) -> Feed:
    """Return the feed with the change, by the rules of the resource. Raises RefusedChange.

    The replicas must also be within the feed's bounds, because they are processes of this machine.
    """
    if change.action == "pause":
        return replace(feed, pause=PauseRequest(paused=True, ends_by=f"POST /api/feeds/{feed.name}/resume"))
    if change.action == "resume":
        return replace(feed, pause=NOT_PAUSED)
    if change.mode is None and change.replicas is None:
        raise RefusedChange("neither mode nor replicas is given; give one of them or both")
    mode, spec = change.mode or feed.mode, feed.enricher
    replicas = spec.replicas if change.replicas is None else change.replicas
    if mode in ("Manual", "External"):
        if replicas is None:
            raise RefusedChange(f"replicas: is required in mode {mode}; give it, or choose mode Automatic")
        if not spec.min_replicas <= replicas <= spec.max_replicas:
            bounds = f"minReplicas {spec.min_replicas} to maxReplicas {spec.max_replicas}"
            raise RefusedChange(f"replicas: is {replicas}; must be within {bounds} of feed {feed.name}")
    elif change.replicas is not None:
        raise RefusedChange(f"replicas: mode {mode} ignores them; give mode Manual or External with them")
    return replace(feed, mode=mode, enricher=replace(spec, replicas=replicas))


def summary(feed: Feed) -> str:
    """Return in a few words how a changed feed is run."""
    if feed.pause.paused:
        return f"{feed.name}: paused"
    fixed = feed.mode in ("Manual", "External")
    return f"{feed.name}: mode {feed.mode}" + (f", {feed.enricher.replicas} enrichers" if fixed else "")
