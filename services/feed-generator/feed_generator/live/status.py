"""What a live source knows about its connection, for metrics, the operator and the command line."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from feed_generator.live.exchange import Dropped, LiveError, Unauthorized
from feed_generator.live.ticks import Listing, Tick

_MAX_MESSAGE = 400  # the contract feed-source allows no more


@dataclass(slots=True)
class Status:
    """The state of one connection. One thread writes it; others may read it at any time.

    Times are ns since the epoch, 0 = never. `repeated`: ticks that were not new. `refused`: frames that
    cannot be used; `refusal` says why of the first. `gaps`: how many times a subscribed connection ended, so
    that ticks may be missing. `spare`: nothing is to be received over this connection at present.
    """

    connected: bool = False
    authorized: bool = True
    reason: str = "Connecting"
    message: str = "the first connection is not open yet"
    since_ts: int = 0
    received_ts: int = 0
    newest_ts: int = 0
    frames: int = 0
    frame_bytes: int = 0
    ticks: int = 0
    repeated: int = 0
    refused: int = 0
    refusal: str = ""
    gaps: int = 0
    reconnects: int = 0
    hopeless: bool = False  # only a person can help
    spare: bool = False

    def use(self, needed: bool) -> None:
        """Mark the connection as needed or spare. Its counters stay."""
        if self.spare == needed:
            self.spare, self.hopeless = not needed, False
            self._change(False, True, "Connecting", "the connection is not open yet", self.since_ts)

    def replaced(self, now_ns: int) -> None:
        """Record that we ended the connection, if there was one, to open another."""
        if self.connected:
            self.gaps += 1
            self._change(False, True, "Connecting", "the next connection is not open yet", now_ns)

    def ready(self, message: str, now_ns: int) -> None:
        """Record that everything is subscribed; `message` says what."""
        self.hopeless = False
        self._change(True, True, "Connected", message[:_MAX_MESSAGE], now_ns)

    def receives(self, message: str) -> None:
        """Record what a connected source receives now."""
        self.message = message[:_MAX_MESSAGE]

    def took(self, ticks: Sequence[Tick]) -> None:
        """Count ticks and keep the newest time of the exchange."""
        self.ticks += len(ticks)
        last = ticks[-1]
        if not isinstance(last, Listing):
            self.newest_ts = max(self.newest_ts, last.ts)

    def ended(self, error: LiveError, now_ns: int) -> None:
        """Record that the connection ended or could not be opened."""
        was_connected, self.hopeless = self.connected, not isinstance(error, Dropped)
        self._change(False, not isinstance(error, Unauthorized), error.reason, str(error), now_ns)
        self.gaps += was_connected

    def _change(self, connected: bool, authorized: bool, reason: str, message: str, now_ns: int) -> None:
        if (connected, authorized, reason) != (self.connected, self.authorized, self.reason):
            self.since_ts = now_ns
        # A reader in another thread that sees a new reason, state or gap has the message that belongs to it.
        self.message, self.reason = message, reason
        self.authorized, self.connected = authorized, connected
