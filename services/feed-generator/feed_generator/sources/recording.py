"""Assemble the rows of files into a recording: the snapshots of each product's chains, ascending in time.

Rows of one time make a snapshot; a group makes one snapshot of rows that are a little apart. Rows that
contradict each other are refused: a spot or an expiry that does not fit, a contract twice. What makes a chain
useless for analytics is noted: one strike, one side, no open interest.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from operator import attrgetter, itemgetter

from feed_generator.errors import BadRecording
from feed_generator.sources import parity
from feed_generator.sources.formats.problems import Problems
from feed_generator.sources.formats.row import UNSTATED, Leg, Place, Row, Stated

_MAX_STRIKES = 2000
_SPOT_RATIO = 10.0
"""Largest ratio by which the spot may lie outside a chain's strikes. Beyond it, unit or product is wrong."""
_MOST_IN_A_GROUP = 100_000
Key = tuple[float, bool]
"""A contract of a chain: its strike, and whether it is a call."""


@dataclass(slots=True)
class RecordedChain:
    """One expiry: legs by strike and side, each a mapping of the contract's column names.

    `vendor` has the source's own values of a contract, `times` its quote's time in ns since the epoch.
    """

    expiry: date
    legs: dict[Key, Leg] = field(default_factory=dict)
    stated: Stated = UNSTATED
    vendor: dict[Key, dict[str, float]] = field(default_factory=dict)
    times: dict[Key, int] = field(default_factory=dict)
    _strikes: set[float] = field(default_factory=set)

    @property
    def strikes(self) -> list[float]:
        """Strikes of either side, ascending."""
        return sorted(self._strikes)

    def add(self, strike: float, is_call: bool, leg: Leg) -> int:
        """Add a leg. Returns the number of strikes."""
        self.legs[strike, is_call] = leg
        self._strikes.add(strike)
        return len(self._strikes)


@dataclass(slots=True)
class Snapshot:
    """The chains of one product at one instant `ts`, in ns since the epoch."""

    ts: int
    spot: float
    chains: dict[date, RecordedChain] = field(default_factory=dict)
    product: str = ""


Carry = Callable[[str, date, int], tuple[float, float]]
"""From product, expiry and time to the years until the expiry and the interest rate."""


class Assembler:
    """Makes snapshots of rows whose times do not descend, and keeps only one group of them in memory.

    `group_ns`: rows within this time of a group's first row belong to it, and the newest row of a contract
    counts. 0: only equal times. `carry` gives what parity needs to derive a missing spot.
    """

    def __init__(self, problems: Problems, *, group_ns: int, carry: Carry) -> None:
        self._problems, self._group_ns, self._carry = problems, group_ns, carry
        self._rows, self.contracts = 0, set[tuple[str, date, float, bool]]()

    @property
    def rows(self) -> int:
        """Number of rows so far."""
        return self._rows

    def snapshots(self, rows: Iterable[Row]) -> Iterator[Snapshot]:
        """Yield each group's snapshots, one a product, as soon as a later row ends the group.

        Raises BadRecording for a group that is too large to be one.
        """
        group: list[Row] = []
        for row in rows:
            self._rows += 1
            if group and row.ts < group[0].ts:
                self._problems.refuse(
                    row.place,
                    "-",
                    "is earlier than a line before it: sort the file by time, the earliest first",
                )
                continue
            if group and row.ts > group[0].ts + self._group_ns:
                yield from self._of_group(group)
                group = []
            if len(group) == _MOST_IN_A_GROUP:
                rule = f"more than {_MOST_IN_A_GROUP:,} rows belong to one snapshot: check the times"
                raise BadRecording(row.place.path, row.place.line, "-", rule)
            group.append(row)
        if group:
            yield from self._of_group(group)

    def _of_group(self, rows: list[Row]) -> Iterator[Snapshot]:
        if self._group_ns:
            rows.sort(key=attrgetter("ts"))
        found: dict[str, Snapshot] = {}
        last: dict[tuple[str, date], Place] = {}
        for row in rows:
            snapshot = found.setdefault(row.product, Snapshot(row.ts, row.spot or 0.0, product=row.product))
            if self._add(snapshot, row):
                last[row.product, row.expiry] = row.place
        for (product, expiry), place in sorted(last.items(), key=itemgetter(0)):  # the nearest expiry first
            self._check(found[product], found[product].chains[expiry], place)
            if not found[product].spot:
                kind = "is not in the file, and no strike is quoted on both sides: state it (REPLAY_SPOT)"
                self._problems.refuse(place, "spot", kind)
        yield from (found[product] for product in sorted(found) if found[product].chains)

    def _add(self, snapshot: Snapshot, row: Row) -> bool:
        """Add a row to its snapshot. Returns False if it is refused."""
        side = "C" if row.is_call else "P"
        key, expiry, problems = (row.strike, row.is_call), row.expiry, self._problems
        spot = row.spot or snapshot.spot
        if snapshot.spot != spot and not self._group_ns:
            kind = "differs within one snapshot"
            problems.refuse(row.place, "spot", kind, text=f"{kind}: {spot:g} and {snapshot.spot:g}")
            return False
        # The expiry is a date in the exchange's zone, which may be half a day behind UTC.
        on = datetime.fromtimestamp(row.ts // 10**9, UTC) - timedelta(hours=12)
        if expiry < on.date():
            at = f"{on + timedelta(hours=12):%Y-%m-%dT%H:%MZ}"
            kind = "is before the snapshot's time"
            problems.refuse(row.place, "expiry", kind, text=f"{expiry} {kind}, {at}")
            return False
        chain = snapshot.chains.setdefault(expiry, RecordedChain(expiry, stated=row.stated))
        if key in chain.legs:
            if not self._group_ns:
                kind = "appears twice in one snapshot"
                problems.refuse(row.place, "strike", kind, text=f"{row.strike:g} {side} {kind}")
                return False
            problems.note(row.place, "a newer row of the same contract and group replaces the older one")
        if chain.stated != row.stated:
            problems.refuse(
                row.place, "-", "states other terms (unit, lot, settlement) than the chain's first line"
            )
            return False
        if chain.add(row.strike, row.is_call, row.leg) > _MAX_STRIKES:
            problems.refuse(row.place, "strike", f"more than {_MAX_STRIKES} strikes in one chain")
            return False
        chain.times[key] = row.ts - row.age_ns
        if row.vendor:
            chain.vendor[key] = row.vendor
        snapshot.ts, snapshot.spot = row.ts, spot
        self.contracts.add((row.product, expiry, row.strike, row.is_call))
        return True

    def _check(self, snapshot: Snapshot, chain: RecordedChain, place: Place) -> None:
        strikes, problems = chain.strikes, self._problems
        if not snapshot.spot:
            self._derive_spot(snapshot, chain, place)
        if snapshot.spot and not strikes[0] / _SPOT_RATIO <= snapshot.spot <= strikes[-1] * _SPOT_RATIO:
            kind = f"is {_SPOT_RATIO:g} times outside the strikes"
            ends = f"{strikes[0]:g} to {strikes[-1]:g}"
            text = f"{snapshot.spot:g} {kind} of {chain.expiry}, {ends}"
            problems.refuse(place, "spot", kind, text=text)
        name = f"{snapshot.product} {chain.expiry}".strip()
        if len(strikes) == 1:
            hint = (
                ""
                if self._group_ns
                else "; if each row has its own time, group the rows (REPLAY_GROUP_MILLIS)"
            )
            problems.note(place, f"a chain with one strike has no ratios{hint}", shown=name)
        for is_call, side in ((True, "calls"), (False, "puts")):
            legs = [leg for (_, call), leg in chain.legs.items() if call == is_call]
            if not legs:
                problems.note(place, f"a chain without {side} has no ratios", shown=name)
            elif not any(leg["open_interest"] for leg in legs):
                problems.note(
                    place, f"a chain whose {side} have no open interest has no ratio of it", shown=name
                )

    def _derive_spot(self, snapshot: Snapshot, chain: RecordedChain, place: Place) -> None:
        years, rate = self._carry(snapshot.product, chain.expiry, snapshot.ts)
        derived = parity.spot(chain.legs, years, rate)
        if derived is None:
            return
        snapshot.spot = derived
        self._problems.note(
            place,
            f"the spot is derived from put-call parity at the rate {rate:.2%} without dividends; "
            "state it if you know it (REPLAY_SPOT)",
            shown=f"{derived:.2f}",
        )
