"""The external feeds as the operator publishes them in Redis (contract `feeds-external`)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import NoReturn

import msgspec
from pydantic import TypeAdapter, ValidationError

from api_gateway.chassis.definitions import Definitions
from api_gateway.chassis.market_terms import DefinedProducts
from api_gateway.errors import FeedNotExternal, FeedsUnavailable, FeedUnknown

EXTERNAL = "feeds:external"
"""The hash of the external feeds, which the operator replaces every 2 s."""
_READ_AT_ONCE = 64
"""Feeds whose published text is kept parsed. A changed text is another one, so a change holds at once."""


@dataclass(frozen=True)
class ExternalFeed:
    """What a feed takes: its products, and the terms of those that it defines."""

    products: frozenset[str]
    defined: DefinedProducts


class _Published(msgspec.Struct):
    products: frozenset[str]
    definitions: msgspec.Raw = msgspec.Raw(b"[]")


class _Row(msgspec.Struct):
    name: str
    source: str | None


class _Table(msgspec.Struct):
    feeds: list[_Row]


_published = msgspec.json.Decoder(_Published)
_definitions = TypeAdapter(Definitions)
_table = msgspec.json.Decoder(_Table)  # reads only these members, and skips the long histories


@lru_cache(maxsize=_READ_AT_ONCE)
def read(published: bytes) -> ExternalFeed:
    """Return the feed whose field of EXTERNAL has this text. Raises FeedsUnavailable if it is wrong."""
    try:
        found = _published.decode(published)
        defined = _definitions.validate_python(bytes(found.definitions))
    except (msgspec.DecodeError, ValidationError) as error:
        raise FeedsUnavailable(
            f"the gateway cannot read what the operator has written to {EXTERNAL} in Redis: run gateway and"
            " operator of the same version"
        ) from error
    return ExternalFeed(found.products, DefinedProducts(defined))


def refuse(feed: str, table: bytes) -> NoReturn:
    """Say why a feed that is not in EXTERNAL takes no messages. `table` is the feeds table.

    Raises FeedUnknown, FeedNotExternal or FeedsUnavailable.
    """
    row = next((row for row in _table.decode(table).feeds if row.name == feed), None)
    if row is None:
        raise FeedUnknown(f"no feed {feed} takes messages: /api/feeds lists the feeds")
    if row.source == "external":
        raise FeedsUnavailable(
            f"the operator has not written the feed {feed} to {EXTERNAL} in Redis: try again; if it still"
            " has not, give the operator's Redis user the rights (~feeds:external +del +hset)"
        )
    raise FeedNotExternal(
        f"the feed {feed} has the source {row.source or '(its spec cannot be read)'}: only a feed"
        " with spec.source.external takes messages; push to such a feed, or change the source"
    )
