"""Response models of the ingest route, for the OpenAPI document (see answers.py)."""

from __future__ import annotations

from api_gateway.answers import Open
from api_gateway.models import documented


class IngestedLine(Open):
    line: int = documented(description="Line of the message, or its place in the array, from 1.", example=1)
    mid: str | None = documented(description="The message's id; null if it could not be read.")
    result: str = documented(description="accepted, repeated or refused.", example="accepted")
    reason: str | None = documented(None, description="Why it was refused, in one word.", example="schema")
    field: str | None = documented(None, description="The refused field; null if no single one is to blame.")
    detail: str | None = documented(None, description="The violated rule, if it was refused.")
    fix: str | None = documented(None, description="What to do, if it was refused.")


class Ingested(Open):
    feed: str = documented(description="Name of the feed.", example="mine")
    accepted: int = documented(description="Number of messages that were appended to the feed.", example=2)
    repeated: int = documented(
        description="Number of messages that were accepted before; they are not appended again.",
        example=0,
    )
    refused: int = documented(description="Number of messages that break a rule.", example=0)
    lines: list[IngestedLine] = documented(description="The result of each message, in order.")
