"""Dead letters of a feed: list them, look at one, send them back into the stream."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import redis


class DeadLetterError(Exception):
    """The letter does not exist or cannot be replayed; the message says which and why."""


class DeadLetters:
    """The stream `dlq:{feed}` (contract dead-letter)."""

    def __init__(self, client: redis.Redis, feed: str) -> None:
        self._client, self._feed, self._key = client, feed, f"dlq:{feed}"

    def letters(self, limit: int) -> Iterator[tuple[str, dict[str, Any]]]:
        """The newest `limit` letters as (id, letter), newest first."""
        answer: Any = self._client.xrevrange(self._key, count=limit)
        for id_, fields in answer:
            yield id_.decode(), json.loads(fields[b"letter"])

    def letter(self, letter_id: str) -> tuple[dict[str, Any], bytes]:
        """One letter and its body as it came. Raises DeadLetterError."""
        try:
            answer: Any = self._client.xrange(self._key, letter_id, letter_id, count=1)
        except redis.ResponseError:
            raise DeadLetterError(f"{letter_id}: not an id; `dlq list` shows the ids") from None
        if not answer:
            raise DeadLetterError(f"{letter_id}: no such letter in {self._key}")
        fields = answer[0][1]
        return json.loads(fields[b"letter"]), fields[b"body"]

    def replay(self, letter_id: str) -> str:
        """Append the body to the feed's stream again and drop the letter, in one transaction.

        Its `mid` is kept, so a message that was stored after all is not stored twice; as readmitted, it
        may be late. Returns the new entry's id. Raises DeadLetterError.
        """
        letter, body = self.letter(letter_id)
        if self._over_half_full():
            raise DeadLetterError(
                f"{letter_id}: Redis is over half full; replay once the feeds have caught up,"
                " or raise maxmemory"
            )
        if letter["truncated"]:
            raise DeadLetterError(f"{letter_id}: its body was cut at 1 MiB and cannot be replayed")
        with self._client.pipeline() as pipe:
            pipe.multi()
            pipe.xadd(f"feed:{self._feed}", {"body": body, "readmitted": "1"})
            pipe.xdel(self._key, letter_id)
            new_id: bytes = pipe.execute()[0]
        return new_id.decode()

    def _over_half_full(self) -> bool:
        try:
            memory: Any = self._client.info("memory")
        except redis.exceptions.NoPermissionError:
            return False  # as in the script that bounds the letters: unknown is no reason to refuse
        used = memory["used_memory"] - memory.get("mem_not_counted_for_evict", 0)
        return bool(memory["maxmemory"] and used > memory["maxmemory"] / 2)
