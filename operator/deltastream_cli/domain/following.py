"""How far a recorder has read a stream, and how many entries were gone before it read them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Place:
    """A place in a feed's stream. `number` counts all entries of the stream up to `after`, the last one read.

    `removed` entries between the first place and this one were removed from the stream before they were read.
    """

    after: str
    number: int
    removed: int = 0

    @classmethod
    def end(cls, answer: Mapping[str, Any]) -> Place:
        """Return the end of the stream, from an answer without messages."""
        return cls(answer["next"], answer["appended"])

    def behind(self, answer: Mapping[str, Any]) -> Place:
        """Return the place behind the messages of an answer.

        Only the last of several answers shows what is missing. If Redis has lost entries, `number` falls.
        """
        number = self.number + len(answer["messages"]) + answer["unreadable"]
        if answer["more"]:
            return Place(answer["next"], number, self.removed)
        removed = max(0, answer["appended"] - number)
        return Place(answer["next"], answer["appended"], self.removed + removed)

    def as_json(self) -> dict[str, Any]:
        """Return the place as an unfinished recording keeps it."""
        return asdict(self)
