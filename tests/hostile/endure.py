"""Run one attack against one server, and check what must hold during and after it."""

from __future__ import annotations

import time
from collections.abc import Sequence

from devcluster.waiting import wait_until

from tests.hostile.resources import Resources
from tests.hostile.target import Attack, Target
from tests.hostile.witness import BOUND, PACE_S, Witness

CALM = 8  # number of answers before the attack that define the usual gap
SECRET = "never-in-a-log"  # attacks that send a token send this one


def endure(target: Target, attack: Attack, witnesses: Sequence[Witness]) -> None:
    """Run the attack.

    Fails if a witness waited too long, if memory or files stay in use, or if a token is in the server's log.
    """
    before = Resources(target.process)
    calm_since = time.monotonic()
    _wait_for(witnesses, calm_since, CALM)
    began = time.monotonic()
    attack.run(target)
    ended = time.monotonic()
    _wait_for(witnesses, ended, 1)
    after = time.monotonic()
    for witness in witnesses:
        usual = max(PACE_S, witness.longest_gap(calm_since, began))
        longest = witness.longest_gap(began, after)
        assert longest <= BOUND * usual, f"not served for {longest / usual:.0f} times the usual gap"
    before.wait_until_back()
    assert SECRET not in target.log.read_text(errors="replace")


def _wait_for(witnesses: Sequence[Witness], since: float, count: int) -> None:
    for witness in witnesses:
        wait_until(
            lambda one=witness: sum(at > since for at in one.served()) >= count,  # type: ignore[misc]
            "the witness is served",
        )
