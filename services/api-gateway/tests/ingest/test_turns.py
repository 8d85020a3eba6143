"""Accounts share the gateway's turns: none of them can keep another from pushing."""

from __future__ import annotations

from contextlib import ExitStack
from itertools import product

import pytest

from api_gateway.errors import BackPressure
from api_gateway.ingest_turns import AT_A_TIME, Turns


class Desk:
    """Takes turns for accounts, and gives them back."""

    def __init__(self) -> None:
        self.turns = Turns()
        self._open: dict[str, list[ExitStack]] = {}

    def begins(self, account: str) -> bool:
        """Return whether a push of the account begins."""
        stack = ExitStack()
        try:
            stack.enter_context(self.turns.of(account))
        except BackPressure:
            return False
        self._open.setdefault(account, []).append(stack)
        return True

    def ends(self, account: str) -> None:
        self._open[account].pop().close()

    def begin(self, accounts: str) -> str:
        """Return the accounts, one letter each, of which a push begins."""
        return "".join(one for one in accounts if self.begins(one))


def test_one_account_has_half_of_the_turns() -> None:
    """It gets one back when one of its pushes ends."""
    desk = Desk()
    assert desk.begin("aaaa") == "aa"
    desk.ends("a")
    assert desk.begin("aa") == "a"


@pytest.mark.parametrize("order", ["".join(order) for order in product("ab", repeat=6)])
def test_in_any_order_two_greedy_accounts_leave_a_turn_for_a_third(order: str) -> None:
    """The last free turn goes to an account that has none."""
    desk = Desk()
    begun = desk.begin(order)
    assert len(begun) < AT_A_TIME
    assert desk.begin("cc") == "c"


def test_no_more_pushes_begin_than_there_are_turns() -> None:
    """Each takes the processor, and other requests wait for it."""
    desk = Desk()
    assert desk.begin("abcdefgh") == "abcd"
    assert len("abcd") == AT_A_TIME
    desk.ends("b")
    assert desk.begin("ae") == "e"


def test_a_refusal_says_what_is_shared() -> None:
    """The client can tell its own pushes from those of others."""
    desk = Desk()
    desk.begin("aab")
    with pytest.raises(BackPressure, match=r"3 pushes now, 1 of this account, and at most 4") as refusal:
        desk.turns.of("b").__enter__()
    assert refusal.value.retry_s == 1


def test_an_account_without_a_push_takes_no_memory() -> None:
    """There may be thousands of accounts in the life of a gateway."""
    desk = Desk()
    for number in range(100):
        desk.begins(str(number % 7))
        desk.ends(str(number % 7))
    assert not desk.turns.held
