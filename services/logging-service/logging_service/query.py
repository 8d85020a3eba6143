"""Parse the query string of GET /logs into a MongoDB filter."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from werkzeug.datastructures import MultiDict

from logging_service.chassis.problems import BadInput
from logging_service.intake import LEVELS, moment

DEFAULT_LIMIT, MAX_LIMIT = 100, 1000
MAX_TEXT = 200
KNOWN = ("service", "level", "since", "until", "request_id", "q", "limit")


@dataclass(frozen=True)
class Query:
    """A MongoDB filter and the largest number of documents to return."""

    filter: dict[str, Any]
    limit: int


def parse(args: MultiDict[str, str]) -> Query:
    """Return the query. A parameter with an empty value counts as absent.

    Raises BadInput for invalid, unknown and repeated parameters. If a misspelt filter were ignored, a wrong
    result would look right.
    """
    if twice := [name for name, values in args.lists() if len(values) > 1]:
        raise BadInput(*((name[:40], "must be given once") for name in twice))
    given = {name: value for name, value in args.items() if value}
    if unknown := sorted(set(given) - set(KNOWN)):
        raise BadInput((unknown[0][:40], f"is unknown; the parameters are {', '.join(KNOWN)}"))
    wanted: dict[str, Any] = {}
    if service := given.get("service"):
        if not re.fullmatch(r"[a-z0-9-]{1,40}", service):
            raise BadInput(("service", "must be 1 to 40 characters of a-z, 0-9 and -"))
        wanted["service"] = service
    if level := given.get("level"):
        if level not in LEVELS:
            raise BadInput(("level", f"must be one of {', '.join(LEVELS)}"))
        wanted["level"] = {"$in": list(LEVELS[LEVELS.index(level) :])}
    if request_id := _text(given, "request_id", 64):
        wanted["request_id"] = request_id
    if text := _text(given, "q", MAX_TEXT):
        wanted["message"] = {"$regex": re.escape(text)}
    if times := {rule: _time(given, name) for name, rule in _BOUNDS if name in given}:
        wanted["timestamp"] = times
    return Query(wanted, _limit(given.get("limit")))


_BOUNDS = (("since", "$gte"), ("until", "$lte"))


def _time(given: Mapping[str, str], name: str) -> Any:
    try:
        return moment(given[name])
    except ValueError as error:
        raise BadInput((name, str(error))) from None


def _text(given: Mapping[str, str], name: str, most: int) -> str | None:
    value = given.get(name)
    if value is not None and (len(value) > most or "\0" in value):
        raise BadInput((name, f"must have at most {most} characters and no NUL"))
    return value


def _limit(value: str | None) -> int:
    if value is None:
        return DEFAULT_LIMIT
    if not re.fullmatch(r"-?[0-9]{1,18}", value):
        raise BadInput(("limit", "must be a whole number; values outside 1 to 1000 are clamped"))
    return min(max(int(value), 1), MAX_LIMIT)
