"""The dead letters of a feed: list them, show one, replay them into the stream."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import redis


class DeadLetterError(Exception):
    """The dead letter does not exist or cannot be replayed. The message gives its id and the reason."""


class DeadLetters:
    """The stream `dlq:{feed}` (contract dead-letter)."""

    def __init__(self, client: redis.Redis, feed: str) -> None:
        self._client, self._feed, self._key = client, feed, f"dlq:{feed}"

    def letters(self, limit: int) -> Iterator[tuple[str, dict[str, Any]]]:
        """Yield the newest `limit` letters as (id, letter), newest first."""
        answer: Any = self._client.xrevrange(self._key, count=limit)
        for id_, fields in answer:
            yield id_.decode(), json.loads(fields[b"letter"])

    def letter(self, letter_id: str) -> tuple[dict[str, Any], bytes]:
        """Return one letter and its original body. Raises DeadLetterError if there is no such letter."""
        try:
            answer: Any = self._client.xrange(self._key, letter_id, letter_id, count=1)
        except redis.ResponseError:
            raise DeadLetterError(f"{letter_id}: not an id; `dlq list` shows the ids") from None
        if not answer:
            raise DeadLetterError(f"{letter_id}: no such letter in {self._key}")
        fields = answer[0][1]
        return json.loads(fields[b"letter"]), fields[b"body"]

    def replay(self, letter_id: str) -> str:
        """Append the body to the feed's stream again and delete the letter, in one transaction.

        The body keeps its `mid`, so a message that is stored already is not stored twice. The new entry is
        marked as readmitted, so that the limit on late messages does not apply. Returns the new entry's id.
        Raises DeadLetterError if the letter is missing or truncated, or if Redis is over half full.
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
            return False  # unknown: do not refuse, as in move_to_dead_letters.lua
        used = memory["used_memory"] - memory.get("mem_not_counted_for_evict", 0)
        return bool(memory["maxmemory"] and used > memory["maxmemory"] / 2)
