"""Validate the log lines of a request body, redact secrets and build the documents to store."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

import orjson
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    TypeAdapter,
    ValidationError,
)

from logging_service.chassis.problems import BadInput

MAX_LINES = 100
MAX_MESSAGE = 4096
MAX_FIELDS = 32
MAX_CONTEXT_BYTES = 8 << 10
MAX_DEPTH = 8
LEVELS = ("debug", "info", "warning", "error", "critical")  # in order of severity
Level = Literal["debug", "info", "warning", "error", "critical"]
REDACTED = "[redacted]"
_SECRET_KEY = re.compile(
    r"passw(or)?d|passphrase|token|authorization|secret|api[_-]?key|cookie|credential|private[_-]?key", re.I
)


def _context(value: dict[str, Any]) -> dict[str, Any]:
    if len(value) > MAX_FIELDS:
        raise ValueError(f"must have at most {MAX_FIELDS} fields")
    try:
        size = len(orjson.dumps(value))
    except (orjson.JSONEncodeError, RecursionError):
        raise ValueError("must be JSON of finite numbers below 2^63") from None
    if size > MAX_CONTEXT_BYTES:
        raise ValueError(f"must be at most {MAX_CONTEXT_BYTES} bytes as JSON")
    redacted: dict[str, Any] = _redacted(value, 1)
    return redacted


def _redacted(value: Any, depth: int) -> Any:
    """Return `value` with the values of secret-looking keys redacted, at any depth.

    Raises ValueError for what MongoDB cannot store, and beyond `MAX_DEPTH` levels.
    """
    if depth > MAX_DEPTH:
        raise ValueError(f"must be at most {MAX_DEPTH} levels deep")
    if isinstance(value, dict):
        if any("\0" in key for key in value):
            raise ValueError("must not contain NUL in its keys")
        return {
            key: REDACTED if _SECRET_KEY.search(key) else _redacted(one, depth + 1)
            for key, one in value.items()
        }
    if isinstance(value, list):
        return [_redacted(one, depth + 1) for one in value]
    if isinstance(value, int) and not -(2**63) <= value < 2**63:
        raise ValueError("must contain only whole numbers that fit into 64 bits")
    return value


def moment(value: object) -> datetime:
    """Parse an ISO 8601 time and return it in UTC. A time without an offset is UTC, as in all contracts."""
    try:
        parsed = datetime.fromisoformat(value) if isinstance(value, str) else None
        if parsed is not None:
            return parsed.astimezone(UTC) if parsed.tzinfo else parsed.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        pass
    raise ValueError("must be an ISO 8601 time such as 2026-11-24T19:20:00Z")


class Line(BaseModel):
    """One log line. Unknown members are refused: a sender would not notice if they were silently dropped."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    service: str = Field(pattern=r"^[a-z0-9-]{1,40}$")
    level: Annotated[Level, BeforeValidator(lambda value: value.lower() if isinstance(value, str) else value)]
    message: str = Field(max_length=MAX_MESSAGE)
    context: Annotated[dict[str, Any], AfterValidator(_context)] = Field(default_factory=dict)
    request_id: str | None = Field(None, max_length=64)
    timestamp: Annotated[datetime | None, BeforeValidator(lambda value: value and moment(value))] = None

    def document(self, received_at: datetime) -> dict[str, Any]:
        """Return the document to store. `received_at` is the timestamp if the sender gave none."""
        return {**self.model_dump(), "timestamp": self.timestamp or received_at, "received_at": received_at}


_LINES = TypeAdapter(list[Line])


def lines(body: bytes) -> list[Line]:
    """Parse a body: one object, or a list of at most 100. Raises BadInput with index and field."""
    try:
        given = orjson.loads(body)
        json.loads(body, object_pairs_hook=_members)
    except (orjson.JSONDecodeError, RecursionError):
        raise BadInput(("body", "must be JSON that is not nested deeply")) from None
    many = given if isinstance(given, list) else [given]
    if not 1 <= len(many) <= MAX_LINES:
        raise BadInput(("body", f"must be one log line or a list of 1 to {MAX_LINES}"))
    try:
        return _LINES.validate_python(many)
    except ValidationError as error:
        found = error.errors(include_url=False, include_input=False, include_context=False)
        raise BadInput(
            *(
                (".".join(map(str, one["loc"]))[:120], one["msg"].removeprefix("Value error, "))
                for one in found[:20]
            )
        ) from None


def _members(pairs: list[tuple[str, Any]]) -> None:
    """Raise BadInput if an object names a member twice: orjson would take the last one in silence."""
    seen = set()
    for name, _ in pairs:
        if name in seen:
            raise BadInput((name[:120], "is given twice"))
        seen.add(name)
