"""Test when a running process counts as hung. The test sets the time."""

from __future__ import annotations

from deltastream_operator.domain.liveness import Liveness, Rule

RULE = Rule(period_s=10, timeout_s=5, failures=3, start_period_s=1, start_s=90)


class Watched:
    """A process that starts at 100 s. `fail` and `answer` each send a probe and record its result."""

    def __init__(self) -> None:
        self.now = 100.0
        self.life = Liveness(RULE, self.now)

    def send(self) -> None:
        while not self.life.due(self.now):
            self.now += 1
        self.life.request_sent(self.now)

    def fail(self) -> None:
        self.send()
        self.now += RULE.timeout_s
        assert self.life.overdue(self.now)
        self.life.answered(self.now, well=False)

    def answer(self) -> None:
        self.send()
        self.life.answered(self.now, well=True)


def test_three_failed_probes_in_a_row_are_a_hang() -> None:
    """As with a pod's liveness probe: one probe each 10 s, with a timeout of 5 s."""
    watched = Watched()
    watched.answer()
    first_sent = watched.now + 10
    for expected in (False, False, True):
        watched.fail()
        assert watched.life.hung is expected
    assert watched.now == 100 + 10 * 3 + 5
    assert watched.life.silent_since == first_sent


def test_one_answer_resets_the_failure_count() -> None:
    """A process that is sometimes slow does not hang."""
    watched = Watched()
    watched.answer()
    for _ in range(5):
        watched.fail()
        watched.fail()
        watched.answer()
        assert not watched.life.hung
        assert watched.life.silent_since is None


def test_an_answer_clears_a_hang() -> None:
    """The whole machine may have been suspended."""
    watched = Watched()
    watched.answer()
    for _ in range(3):
        watched.fail()
    assert watched.life.hung
    watched.answer()
    assert not watched.life.hung


def test_a_start_may_take_ninety_seconds() -> None:
    """Until its first answer a process is probed each second. It hangs if 90 s pass without an answer."""
    watched = Watched()
    while watched.now < 188:
        watched.send()
        watched.life.answered(watched.now, well=False)  # connection refused: the process does not listen yet
        assert not watched.life.hung
    watched.now = 190
    watched.send()
    watched.life.answered(watched.now, well=False)
    assert watched.life.hung


def test_failures_before_the_first_answer_do_not_count_later() -> None:
    """The first answer resets the failures of the start."""
    watched = Watched()
    for _ in range(10):
        watched.fail()
    watched.answer()
    watched.fail()
    watched.fail()
    assert not watched.life.hung


def test_a_suspended_machine_causes_one_failure() -> None:
    """The open probe fails after the machine resumes. The process hangs only if the next two fail as well."""
    watched = Watched()
    watched.answer()
    watched.send()
    watched.now += 8 * 3600
    assert watched.life.overdue(watched.now)
    watched.life.answered(watched.now, well=False)
    assert not watched.life.hung
    assert watched.life.due(watched.now)
    watched.answer()
    assert watched.life.silent_since is None


def test_only_one_probe_is_open_at_a_time() -> None:
    """No probe is due before the open one has a result, even an hour later."""
    watched = Watched()
    watched.send()
    assert not watched.life.due(watched.now + 3600)
