"""Read the definitions of products that the rulebook does not have."""

from __future__ import annotations

import re
from collections.abc import Collection
from zoneinfo import ZoneInfo

from deltastream_operator.domain.feed import Definition
from deltastream_operator.parsing.fields import Fields

_TIME = re.compile(r"([01][0-9]|2[0-3]):[0-5][0-9]")
_ZONE = re.compile(r"[A-Za-z0-9_+/-]{1,64}")
_MOST = 1e9
_AT_MOST = 100


def definitions(
    spec: Fields, products: Collection[str], pattern: re.Pattern[str], rule: str
) -> tuple[Definition, ...]:
    """Take the field `definitions` of the spec. A product must be one of `products`, and be defined once.

    `pattern` and `rule` are those of a product's name. The result is incomplete if there are problems.
    """
    found: dict[str, Definition] = {}
    for fields in spec.mappings("definitions", _AT_MOST):
        product = fields.text("product", pattern, rule)
        definition = _definition(fields, product or "")
        if product is None or definition is None:
            continue
        if product not in products:
            fields.problem("product", f"{product} is not in spec.products; add it there, or remove this")
        if product in found:
            fields.problem("product", f"{product} is defined twice; keep one definition")
        found[product] = definition
    return tuple(found.values())


def _definition(fields: Fields, product: str) -> Definition | None:
    exercise = fields.choice("exercise", ("European", "American"), "European")
    lot = fields.integer("lot", 1, 1_000_000, 1)
    multiplier = fields.amount("multiplier", _MOST)
    tick = fields.amount("tick", _MOST)
    expires = fields.text("expiryTime", _TIME, "a time of day such as 15:30")
    zone = fields.text("zone", _ZONE, "the name of a time zone such as Asia/Kolkata")
    settlement = fields.choice("settlement", ("open", "close"), "close")
    fields.close()
    if zone is not None and not _exists(zone):
        fields.problem("zone", f"there is no time zone {zone}; use a name such as Asia/Kolkata or UTC")
    if expires is None or zone is None:
        return None
    return Definition(
        product=product,
        exercise=exercise,
        lot=lot,
        multiplier=multiplier,
        tick=tick,
        expiry_time=expires,
        zone=zone,
        settlement=settlement,
    )


def _exists(zone: str) -> bool:
    try:
        ZoneInfo(zone)
    except (KeyError, OSError, ValueError):  # unknown; a folder's name; a path that leaves the data
        return False
    return True
