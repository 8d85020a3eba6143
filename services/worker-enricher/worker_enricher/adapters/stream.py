"""The feed's Redis stream, as its consumer group uses it: read, take over, move to the dead letters.

Only the stream records which entries still need work.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
import redis
from prometheus_client import Counter

from worker_enricher.adapters.scripts import script
from worker_enricher.chassis.market_intake import MAX_BODY_BYTES
from worker_enricher.chassis.market_refusal import RefusedError

GROUP = "enricher"
DROPPED = Counter(
    "enricher_dead_letters_dropped_total", "Oldest dead letters removed to stay within the limits."
)

# Maximum number of entries per read. If entries suddenly grow to the maximum of 1 MiB, one read takes 64 MiB.
_READ_AT_ONCE = 64
_MAX_AHEAD_MS = 3_600_000  # the clocks of Redis and of this machine may differ by less
# A reader asks every second. With twelve thousand messages a second this keeps 60,000 of them.
KEPT_FOR_READERS_MS = 5000


@dataclass(frozen=True, slots=True)
class Entry:
    """One stream entry. `body` is None when the entry no longer exists."""

    id: str
    body: bytes | None
    readmitted: bool = False
    """Whether the entry was replayed from the dead letters, and so may be late."""

    def arrived_ms(self, now_ms: int) -> int:
        """Return when Redis received the entry, in ms since the epoch. `now_ms` is the present time.

        A program that appends by itself may give an entry an id from the future, and all later ids follow it.
        So for an id that is more than an hour ahead, the present time is used.
        """
        stated_ms = int(self.id.partition("-")[0])
        return stated_ms if stated_ms - now_ms < _MAX_AHEAD_MS else now_ms


@dataclass(frozen=True, slots=True)
class Claimed:
    """An entry taken over from a consumer that stopped. `deliveries` includes this delivery."""

    id: str
    deliveries: int


class FeedStream:
    """Stream `feed:{feed}` with group `enricher`, and its dead letters `dlq:{feed}`."""

    def __init__(
        self,
        client: redis.Redis,
        feed: str,
        *,
        dlq_max_entries: int,
        dlq_max_bytes: int = 4 << 20,
        now_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        self._client, self.feed, self._now_ns = client, feed, now_ns
        self.key, self.dlq_key = f"feed:{feed}", f"dlq:{feed}"
        self._dlq_max_entries, self._dlq_max_bytes = dlq_max_entries, dlq_max_bytes
        self._expected_bytes = MAX_BODY_BYTES  # of an entry's body
        self._trim = client.register_script(script("trim"))
        self._progress = client.register_script(script("progress"))
        self._forget_consumers = client.register_script(script("forget_consumers"))
        self._move_script = client.register_script(script("move_to_dead_letters"))

    def ensure_group(self) -> None:
        """Create the group at id 0, so that it also reads entries that are older than the group."""
        try:
            self._client.xgroup_create(self.key, GROUP, id="0", mkstream=True)
        except redis.ResponseError as error:
            if not str(error).startswith("BUSYGROUP"):
                raise

    def progress(self) -> tuple[str, bool]:
        """Return the last id that the group delivered, and whether the stream has an entry after it."""
        found: Any = self._progress([self.key], [GROUP])
        if not found:
            self.ensure_group()
            return "0-0", False
        return _text(found[0]), bool(found[1])

    def wait_for_entry(self, after: str, block_ms: int) -> bool:
        """Wait up to `block_ms` for an entry after the id `after`. Returns whether one exists; reads none."""
        return bool(self._client.xread({self.key: after}, count=1, block=block_ms))

    def read_new(self, consumer: str, count: int, max_bytes: int, block_ms: int | None = None) -> list[Entry]:
        """Read up to `count` new entries, or `max_bytes` of bodies. They become pending for `consumer`.

        Waits up to `block_ms` for the first entry; None does not wait. No Redis command limits the bytes of
        its answer. So each command asks for the number of entries that fits if they are as large as the last.
        """
        entries: list[Entry] = []
        size = 0
        while len(entries) < count and size < max_bytes:
            fitting = max(1, (max_bytes - size) // self._expected_bytes)
            wanted = min(count - len(entries), _READ_AT_ONCE, fitting)
            piece = self._read(consumer, wanted, None if entries else block_ms)
            entries += piece
            sizes = [len(entry.body or b"") for entry in piece]
            size += sum(sizes)
            if piece:  # the estimate rises at once and falls slowly
                self._expected_bytes = max(*sizes, self._expected_bytes // 2, 1)
            if len(piece) < wanted:
                break
        return entries

    def _read(self, consumer: str, count: int, block_ms: int | None) -> list[Entry]:
        try:
            answer: Any = self._client.xreadgroup(
                GROUP, consumer, {self.key: ">"}, count=count, block=block_ms
            )
        except redis.ResponseError as error:
            if not str(error).startswith("NOGROUP"):
                raise
            self.ensure_group()
            return []
        return [_entry(_text(id_), fields) for id_, fields in (answer[0][1] if answer else ())]

    def take_over(self, consumer: str, idle_ms: int, count: int) -> list[Claimed]:
        """Take over up to `count` entries that have been pending longer than `idle_ms`, for `consumer`."""
        try:
            waiting: Any = self._client.xpending_range(self.key, GROUP, "-", "+", count, idle=idle_ms)
        except redis.ResponseError as error:
            if not str(error).startswith("NOGROUP"):
                raise
            self.ensure_group()
            return []
        if not waiting:
            return []
        deliveries = {_text(row["message_id"]): int(row["times_delivered"]) for row in waiting}
        # JUSTID does not read the bodies, but does not count a delivery either, so RETRYCOUNT sets the count.
        # XCLAIM removes deleted entries from the pending list.
        with self._client.pipeline(transaction=False) as pipe:
            for times in set(deliveries.values()):
                ids: list[Any] = [id_ for id_, delivered in deliveries.items() if delivered == times]
                pipe.xclaim(self.key, GROUP, consumer, idle_ms, ids, retrycount=times + 1, justid=True)
            claimed = {_text(id_) for answer in pipe.execute() for id_ in answer}
        return [Claimed(id_, times + 1) for id_, times in deliveries.items() if id_ in claimed]

    def keep(self, consumer: str, entry_ids: Sequence[str]) -> None:
        """Reset the entries' idle time while a worker processes them. The count of deliveries stays."""
        self._client.xclaim(self.key, GROUP, consumer, 0, list(entry_ids), justid=True)

    def fetch(self, entry_ids: Sequence[str]) -> list[Entry]:
        """Return the entries with these ids, in the same order. A deleted entry has the body None."""
        answer: Any = self._client.xrange(self.key, entry_ids[0], entry_ids[-1], count=len(entry_ids))
        if [_text(id_) for id_, _ in answer] != list(entry_ids):
            with self._client.pipeline(transaction=False) as pipe:
                for id_ in entry_ids:
                    pipe.xrange(self.key, id_, id_, count=1)
                rows = dict(zip(entry_ids, pipe.execute(), strict=True))
            return [_entry(id_, row[0][1] if row else None) for id_, row in rows.items()]
        return [_entry(_text(id_), fields) for id_, fields in answer]

    def move_to_dead_letters(
        self, entry: Entry, refusal: RefusedError, *, mid: str | None, deliveries: int
    ) -> None:
        """Move an entry to the dead letters and acknowledge it, atomically.

        The oldest dead letters are dropped, and counted, if they exceed their limit in number or in bytes.
        """
        body = entry.body or b""
        letter = {
            "feed": self.feed,
            "entry_id": entry.id,
            "mid": mid,
            "reason": refusal.reason,
            "detail": refusal.detail,
            "deliveries": deliveries,
            "size_bytes": len(body),
            "truncated": len(body) > MAX_BODY_BYTES,
            "refused_ts": self._now_ns(),
        }
        dropped = self._move_script(
            [self.dlq_key, self.key],
            [
                GROUP,
                entry.id,
                msgspec.json.encode(letter),
                body[:MAX_BODY_BYTES],
                self._dlq_max_entries,
                self._dlq_max_bytes,
            ],
        )
        if dropped:
            DROPPED.inc(dropped)

    def acknowledge(self, entry_ids: Sequence[str]) -> None:
        """Acknowledge entries that need no more work."""
        self._client.xack(self.key, GROUP, *entry_ids)

    def trim(self) -> None:
        """Remove entries that were delivered and acknowledged.

        NB: never trim by length. Unprocessed entries stay, however long the stream grows. While the API
        gateway reads the stream for a recorder, processed entries stay for KEPT_FOR_READERS_MS.
        """
        self._trim([self.key, f"{self.key}:readers"], [GROUP, KEPT_FOR_READERS_MS])

    def forget_consumers(self, idle_ms: int) -> None:
        """Remove consumers of former pods: idle for `idle_ms` and without pending entries."""
        self._forget_consumers([self.key], [GROUP, idle_ms])


def _entry(id_: str, fields: dict[bytes, bytes] | None) -> Entry:
    if fields is None:
        return Entry(id_, None)
    return Entry(id_, fields.get(b"body", b""), b"readmitted" in fields)


def _text(value: bytes | str) -> str:
    return value.decode() if isinstance(value, bytes) else value
