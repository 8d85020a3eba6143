"""Split the body of POST /api/ingest/{feed} into messages, and check each one. Pure functions."""

from __future__ import annotations

import re
from codecs import BOM_UTF8
from collections.abc import Iterator
from zlib import crc32

import msgspec

from api_gateway.chassis.market_intake import check_arrival, read
from api_gateway.chassis.market_messages import Message
from api_gateway.chassis.market_refusal import Reason, RefusedError
from api_gateway.chassis.problems import BadInput
from api_gateway.external_feeds import ExternalFeed

MAX_LINES = 10_000
"""Maximum number of lines of a body. A valid message has over 110 bytes, so a body of 1 MiB has fewer."""
NDJSON, JSON = "application/x-ndjson", "application/json"

_array = msgspec.json.Decoder(list[msgspec.Raw])
# msgspec names the place at the end of its text, the consistency checks at the beginning of theirs.
_PLACES = (re.compile(r" - at `\$\.?([^`]*)`\Z"), re.compile(r"^\$\.([\w.\[\]]+): "))
_MEMBER = re.compile(r"^Object (?:missing required|contains unknown) field `([^`]*)`")
_MID = re.compile(rb'"mid"\s*:\s*"([0-9]{1,10}:[0-9]{1,15})"')
_SENT = re.compile(rb'"sent_ts"\s*:\s*[0-9]+')
_FIXES: dict[Reason, str] = {
    "too_large": "split the chain by expiry",
    "not_json": "send one JSON object for each message, in UTF-8",
    "not_finite": "send a finite number, or 0 where the contract says that 0 means none",
    "schema": "give the field as the contract of this kind says",
    "inconsistent": "correct the field, or the one that it contradicts",
    "clock_skew": "give the time of the event in ns since the Unix epoch, and check this machine's clock;"
    " push a message within five minutes of its event",
}
_OTHER_TERMS = "send the terms that the feed defines, or correct spec.definitions of the feed"
_NO_OBJECT = f"send one JSON object for each message; an array needs Content-Type: {JSON}"


class Refused(msgspec.Struct, frozen=True):
    """A message that is not appended: its field, if one is to blame, the rule and the fix."""

    line: int
    mid: str | None
    reason: Reason
    field: str | None
    detail: str
    fix: str


class Valid(msgspec.Struct, frozen=True):
    """A message that follows its contract. `line` is its line, or its place in the array, from 1.

    `unless_known` is what the feed or the clock has against it now. It does not apply to a message that was
    accepted before, when nothing was against it: a retry may come late.
    """

    line: int
    mid: str
    kind: str
    body: bytes
    unless_known: Refused | None = None

    @property
    def fingerprint(self) -> bytes:
        """A checksum of the message without `sent_ts`, which a program may renew when it sends again."""
        sent = _SENT.search(self.body)
        start, end = sent.span() if sent else (0, 0)
        return crc32(self.body[end:], crc32(self.body[:start])).to_bytes(4)


def split(body: bytes, content_type: str) -> list[tuple[int, bytes]]:
    """Return the messages of a body, still as JSON text, each with its line. Empty lines are skipped.

    `content_type` is NDJSON, one message a line, or JSON, an array of messages. The byte order mark that some
    programs write at the beginning of UTF-8 is skipped. Raises BadInput.
    """
    body = body.removeprefix(BOM_UTF8)
    if content_type == NDJSON:
        if body.rstrip().count(b"\n") >= MAX_LINES:
            raise _too_many()
        found = [(at, text) for at, line in enumerate(body.split(b"\n"), start=1) if (text := line.strip())]
    else:
        try:
            found = [(at, bytes(raw)) for at, raw in enumerate(_array.decode(body), start=1)]
        except (msgspec.DecodeError, RecursionError) as error:  # their texts quote nothing of the body
            rule = "must be a JSON array of messages; for one message a line send Content-Type:"
            raise BadInput(("body", f"{rule} {NDJSON} ({error})")) from None
    if not found:
        raise BadInput(("body", "must have at least one message"))
    if len(found) > MAX_LINES:
        raise _too_many()
    return found


def _too_many() -> BadInput:
    return BadInput(("body", f"must have at most {MAX_LINES} lines; send it in parts"))


def checked(
    texts: list[tuple[int, bytes]], *, feed: str, external: ExternalFeed, arrived_ms: int
) -> Iterator[Valid | Refused]:
    """Yield each message with the result of the checks that the enrichers make too.

    `arrived_ms` is the present time.
    """
    for line, text in texts:
        try:
            message = read(text, feed=feed, arrived_ms=None)
        except RefusedError as refusal:
            yield _refused(line, text, refusal)
        else:
            against = _against(line, text, message, external, arrived_ms)
            yield Valid(line, message.mid, _kind(message), text, against)


def _against(
    line: int, text: bytes, message: Message, external: ExternalFeed, arrived_ms: int
) -> Refused | None:
    """Return the refusal for the feed's products, its definitions or the time, if there is one."""
    try:
        check_arrival(message, arrived_ms=arrived_ms, products=external.products)
    except RefusedError as refusal:
        return _refused(line, text, refusal)
    try:
        external.defined.check(message)
    except RefusedError as refusal:
        return _refused(line, text, refusal, _OTHER_TERMS)
    return None


def _kind(message: Message) -> str:
    return str(message.__struct_config__.tag)


def _refused(line: int, text: bytes, refusal: RefusedError, fix: str | None = None) -> Refused:
    mid = _MID.search(text, 0, 4096)
    no_object = refusal.detail.startswith("Expected `object`, got") and " - at " not in refusal.detail
    return Refused(
        line,
        mid[1].decode() if mid else None,
        refusal.reason,
        _field(refusal.detail),
        refusal.detail,
        fix or (_NO_OBJECT if no_object else _FIXES[refusal.reason]),
    )


def other_message(valid: Valid) -> Refused:
    """Return the refusal of a message whose mid belongs to another message of the feed."""
    return Refused(
        valid.line,
        valid.mid,
        "inconsistent",
        "mid",
        "$.mid: the feed has another message with this mid",
        "give each message a mid of its own, and send a message again as it was",
    )


def _field(detail: str) -> str | None:
    """Return the path of the field that a refusal names, such as `calls.bid[3]`, or None."""
    place = next((found[1] for pattern in _PLACES if (found := pattern.search(detail))), "")
    member = _MEMBER.match(detail)
    return ".".join(part for part in (place, member[1] if member else "") if part) or None
