"""Read a blocking SignalSource from the event loop with a time limit and at most one thread."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

import structlog

from deltastream_operator.domain.signals import Reading, Unknown
from deltastream_operator.ports import SignalSource

READ_MAX_S = 4.0  # socket timeouts do not limit a DNS lookup
log = structlog.get_logger()


class SignalReader:
    """Reads the load of all feeds. A read that exceeds `longest_s` seconds goes on in its thread."""

    def __init__(self, source: SignalSource, longest_s: float = READ_MAX_S) -> None:
        self._source, self._longest_s = source, longest_s
        self._read: asyncio.Future[Mapping[str, Reading]] | None = None

    @property
    def idle(self) -> bool:
        """Return whether no thread is reading."""
        return self._read is None or self._read.done()

    async def read(self, feeds: Sequence[str]) -> Mapping[str, Reading]:
        """Return one reading for each feed. If the source fails or is late, each is Unknown."""
        if not self.idle:
            return _late(feeds)  # the previous call has waited for it
        if self._read and not self._read.cancelled():
            self._read.exception()  # a late result is outdated; this marks its exception as retrieved
        self._read = asyncio.ensure_future(asyncio.to_thread(self._source.read, feeds))
        await asyncio.wait([self._read], timeout=self._longest_s)
        if not self._read.done():
            log.warning("reading_late", seconds=self._longest_s)
            return _late(feeds)
        try:
            return self._read.result()
        except Exception as error:
            log.exception("reading_failed")
            text = f"{type(error).__name__}; see the operator's log"
            return dict.fromkeys(feeds, Unknown(reason="ReadingFailed", message=text))


def _late(feeds: Sequence[str]) -> Mapping[str, Reading]:
    text = "Redis: no answer yet; is its host's name known to DNS?"
    return dict.fromkeys(feeds, Unknown(reason="RedisUnreachable", message=text))
