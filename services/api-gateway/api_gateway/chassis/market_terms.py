"""Compare the contract terms of a message with the feed's definition of its product.

A program outside the product writes the messages of an external feed. If the feed defines a product, a
message that states other terms is refused: a wrong lot or expiry would give wrong numbers without an error.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from functools import lru_cache, partial
from operator import attrgetter

from msgspec import UNSET, UnsetType

from .definitions import Definition
from .market_messages import Message, Underlying
from .market_refusal import RefusedError

_terms = attrgetter("expiry", "expiry_ts", "exercise", "lot_size", "settlement_session", "multiplier")
_REMEMBERED = 64
"""Terms of a product that are not compared again. Most messages state those of an earlier one, and a
comparison takes microseconds."""


class DefinedProducts:
    """The definitions of a feed. Products without one may state any terms."""

    def __init__(self, definitions: Iterable[Definition]) -> None:
        self._compare = {
            one.product: lru_cache(maxsize=_REMEMBERED)(partial(_compare, one)) for one in definitions
        }

    def check(self, message: Message) -> None:
        """Raise RefusedError if a term of a quote or a chain differs from the definition.

        A definition without a multiplier allows any.
        """
        compare = self._compare.get(message.product)
        if compare is not None and not isinstance(message, Underlying):
            compare(*_terms(message))


def _compare(
    defined: Definition,
    expiry: str,
    expiry_ts: int,
    exercise: str,
    lot_size: int,
    settlement: str | UnsetType,
    multiplier: float | UnsetType,
) -> None:
    expires = defined.expiry_ns(date.fromisoformat(expiry))
    terms: list[tuple[str, object, object, str]] = [
        ("exercise", exercise, defined.exercise, ""),
        ("lot_size", lot_size, defined.lot, ""),
        ("settlement_session", settlement or "close", defined.settlement, ""),
        ("expiry_ts", expiry_ts, expires, f", {defined.expiry_time} in {defined.zone}"),
    ]
    if defined.multiplier is not None:
        stated = "not stated" if multiplier is UNSET else multiplier
        terms.append(("multiplier", stated, defined.multiplier, ""))
    for name, given, expected, meaning in terms:
        if given != expected:
            raise RefusedError(
                "inconsistent",
                f"$.{name}: {given}, but the feed defines {defined.product} with {expected}{meaning} "
                "(spec.definitions)",
            )
