"""Select the contracts to subscribe: the nearest expiries, and strikes on both sides of the spot."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Collection, Iterable

from feed_generator.live.ticks import Contract

# A strike that has been subscribed stays until it is this many strikes too far away. Otherwise a spot that
# moves around the middle of two strikes would change the subscriptions at every look.
_MARGIN = 2


def select(
    listed: Iterable[Contract],
    *,
    spot: float,
    now_ns: int,
    expiries: int,
    strikes_per_side: int,
    kept: Collection[str] = (),
) -> list[Contract]:
    """Return the contracts of one product to subscribe, by expiry, strike and side.

    `expiries`: number of the nearest expiries after `now_ns`. `strikes_per_side`: number of strikes below the
    spot, and of those at or above it. `kept`: symbols that are subscribed now.
    """
    by_expiry: dict[int, list[Contract]] = {}
    for contract in listed:
        if contract.expiry_ts > now_ns:
            by_expiry.setdefault(contract.expiry_ts, []).append(contract)
    selected = []
    for expiry_ts in sorted(by_expiry)[:expiries]:
        contracts = by_expiry[expiry_ts]
        strikes = sorted({contract.strike for contract in contracts})
        middle = bisect_left(strikes, spot)
        near = set(strikes[max(0, middle - strikes_per_side) : middle + strikes_per_side])
        margin = strikes_per_side + _MARGIN
        around = set(strikes[max(0, middle - margin) : middle + margin])
        kept_strikes = {one.strike for one in contracts if one.symbol in kept and one.strike in around}
        selected += [one for one in contracts if one.strike in near | kept_strikes]
    return sorted(selected, key=lambda one: (one.expiry_ts, one.strike, one.option_type))
