"""The state of many contracts while records of them pass: what a chain shows at a chosen instant.

A quote stays until the next one replaces it. On each new day of the exchange volumes start from 0 and the
quotes of the day before are gone.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from feed_generator.sources.formats.osi import Osi
from feed_generator.sources.formats.row import NO_LEG, Leg, Place, Row, Stated


@dataclass(slots=True)
class _State:
    """A contract and its leg. `place`: the record that changed it last; None: none has.

    `counted`: the open interest that a record of today stated, `previously` the one of the day before.
    """

    contract: Osi
    leg: Leg = field(default_factory=NO_LEG.copy)
    place: Place | None = None
    counted: float | None = None
    previously: float | None = None


class OptionBook:
    """The contracts by the vendor's number. Times are in ns since the epoch and must not descend.

    Every `group_ns` in which a quote or a trade changed the book makes rows of all contracts at its end.
    """

    def __init__(self, *, group_ns: int, zone: ZoneInfo, spot: float | None, stated: Stated) -> None:
        self._group_ns, self._zone, self._spot, self._stated = group_ns, zone, spot, stated
        self._states: dict[int, _State] = {}
        self._end: int | None = None
        self._midnight = 0
        self._today = date.min

    def knows(self, number: int) -> bool:
        """Return whether the contract of this number is defined."""
        return number in self._states

    def define(self, number: int, contract: Osi) -> None:
        """Add a contract, or keep the one that has this number."""
        found = self._states.get(number)
        if found is None or found.contract != contract:
            self._states[number] = _State(contract)

    def advance(self, ts: int) -> Iterator[Row]:
        """Move to the time of the next record. Yields the rows of a group that ended before it."""
        if self._end is not None and ts > self._end:
            yield from self.close()
        if ts >= self._midnight:
            self._new_day(ts)

    def close(self) -> Iterator[Row]:
        """Yield the rows of the group that has not ended yet, if the book changed in it."""
        if self._end is None:
            return
        ts, self._end = self._end, None
        for state in self._states.values():
            if state.place is not None:
                contract = state.contract
                yield Row(
                    place=state.place,
                    ts=ts,
                    product=contract.root,
                    expiry=contract.expiry,
                    strike=contract.strike,
                    is_call=contract.is_call,
                    spot=self._spot,
                    leg=state.leg.copy(),
                    stated=self._stated,
                )

    def quote(self, number: int, ts: int, place: Place, **values: float) -> None:
        """Replace values of a contract's leg, by the names of its columns."""
        self._states[number].leg.update(values)
        self._changed(number, ts, place)

    def trade(self, number: int, ts: int, place: Place, price: float, size: int) -> None:
        """Take a trade into account: the last price and the day's volume."""
        leg = self._states[number].leg
        leg["last"], leg["volume"] = price, leg["volume"] + size
        self._changed(number, ts, place)

    def open_interest(self, number: int, place: Place, contracts: int) -> None:
        """Set the open interest. It alone makes no rows."""
        state = self._states[number]
        state.leg["open_interest"], state.counted, state.place = contracts, contracts, place
        if state.previously is not None:
            state.leg["previous_open_interest"] = state.previously

    def _changed(self, number: int, ts: int, place: Place) -> None:
        self._states[number].place = place
        if self._end is None:
            self._end = -(-ts // self._group_ns) * self._group_ns

    def _new_day(self, ts: int) -> None:
        local = datetime.fromtimestamp(ts // 10**9, UTC).astimezone(self._zone)
        self._today = local.date()
        tomorrow = datetime.combine(self._today + timedelta(days=1), datetime.min.time(), self._zone)
        self._midnight = int(tomorrow.timestamp()) * 10**9
        self._states = {
            number: state for number, state in self._states.items() if state.contract.expiry >= self._today
        }
        for state in self._states.values():
            state.leg = NO_LEG | {"open_interest": state.leg["open_interest"]}
            state.previously, state.counted = state.counted, None
