"""When a process that runs is taken for hung; the clock is moved by hand."""

from __future__ import annotations

from deltastream_operator.domain.liveness import Liveness, Rule

RULE = Rule(period_s=10, timeout_s=5, failures=3, start_period_s=1, start_s=90)


class Watched:
    """A process that starts at 100; `silence` and `answer` are whole questions."""

    def __init__(self) -> None:
        self.now = 100.0
        self.life = Liveness(RULE, self.now)

    def ask(self) -> None:
        while not self.life.due(self.now):
            self.now += 1
        self.life.asked(self.now)

    def silence(self) -> None:
        self.ask()
        self.now += RULE.timeout_s
        assert self.life.overdue(self.now)
        self.life.answered(self.now, well=False)

    def answer(self) -> None:
        self.ask()
        self.life.answered(self.now, well=True)


def test_three_questions_in_a_row_without_answer_are_a_hang() -> None:
    """As a pod's liveness probe counts: asked each 10 s, and 5 s is long enough to wait."""
    watched = Watched()
    watched.answer()
    asked = watched.now + 10
    for expected in (False, False, True):
        watched.silence()
        assert watched.life.hung is expected
    assert watched.now == 100 + 10 * 3 + 5
    assert watched.life.silent_since == asked


def test_one_answer_starts_the_row_anew() -> None:
    """A process that is slow now and then does not hang."""
    watched = Watched()
    watched.answer()
    for _ in range(5):
        watched.silence()
        watched.silence()
        watched.answer()
        assert not watched.life.hung
        assert watched.life.silent_since is None


def test_an_answer_takes_a_hang_back() -> None:
    """It may have been asleep with the whole machine."""
    watched = Watched()
    watched.answer()
    for _ in range(3):
        watched.silence()
    assert watched.life.hung
    watched.answer()
    assert not watched.life.hung


def test_a_start_may_take_its_time() -> None:
    """Until the first answer it is asked each second, and 90 s without one are a hang."""
    watched = Watched()
    while watched.now < 188:
        watched.ask()
        watched.life.answered(watched.now, well=False)  # refused: it does not listen yet
        assert not watched.life.hung
    watched.now = 190
    watched.ask()
    watched.life.answered(watched.now, well=False)
    assert watched.life.hung


def test_a_slow_start_that_ends_in_an_answer_counts_for_nothing() -> None:
    """The row of the start is not that of the run."""
    watched = Watched()
    for _ in range(10):
        watched.silence()
    watched.answer()
    watched.silence()
    watched.silence()
    assert not watched.life.hung


def test_a_night_asleep_costs_one_question() -> None:
    """The lid was closed while a question was open: it is lost, the next two decide."""
    watched = Watched()
    watched.answer()
    watched.ask()
    watched.now += 8 * 3600
    assert watched.life.overdue(watched.now)
    watched.life.answered(watched.now, well=False)
    assert not watched.life.hung
    assert watched.life.due(watched.now)
    watched.answer()
    assert watched.life.silent_since is None


def test_only_one_question_is_open_at_a_time() -> None:
    """However late the look: nothing is asked again before the last one is closed."""
    watched = Watched()
    watched.ask()
    assert not watched.life.due(watched.now + 3600)
