"""Compare the contract terms of a message with the feed's definition of its product.

A program outside the product writes the messages of an external feed. If the feed defines a product, a
message that states other terms is refused: a wrong lot or expiry would give wrong numbers without an error.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from functools import lru_cache

from msgspec import UNSET

from worker_enricher.chassis.definitions import Definition
from worker_enricher.chassis.market_messages import Message, Underlying
from worker_enricher.chassis.market_refusal import RefusedError


class DefinedProducts:
    """The definitions of a feed. Products without one may state any terms."""

    def __init__(self, definitions: Iterable[Definition]) -> None:
        self._by_product = {one.product: one for one in definitions}

    def check(self, message: Message) -> None:
        """Raise RefusedError if a term of a quote or a chain differs from the definition.

        A definition without a multiplier allows any.
        """
        defined = self._by_product.get(message.product)
        if defined is None or isinstance(message, Underlying):
            return
        terms: list[tuple[str, object, object]] = [
            ("exercise", message.exercise, defined.exercise),
            ("lot_size", message.lot_size, defined.lot),
            ("settlement_session", message.settlement_session or "close", defined.settlement),
            ("expiry_ts", message.expiry_ts, _expiry_ns(defined, message.expiry)),
        ]
        if defined.multiplier is not None:
            multiplier = "not stated" if message.multiplier is UNSET else message.multiplier
            terms.append(("multiplier", multiplier, defined.multiplier))
        for name, stated, expected in terms:
            if stated != expected:
                raise RefusedError(
                    "inconsistent",
                    f"$.{name}: {stated}, but the feed defines {message.product} with {expected} "
                    "(spec.definitions)",
                )


@lru_cache(maxsize=1024)
def _expiry_ns(defined: Definition, expiry: str) -> int:
    return defined.expiry_ns(date.fromisoformat(expiry))
