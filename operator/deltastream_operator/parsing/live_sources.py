"""Read the live sources of a feed's spec, with the rules of the CRD."""

from __future__ import annotations

import re
from collections.abc import Sequence

from deltastream_operator.domain.feed import Deribit, Feed, Kite
from deltastream_operator.domain.source import is_live
from deltastream_operator.errors import FeedError
from deltastream_operator.parsing.fields import Fields

_CURRENCY = re.compile(r"[A-Z][A-Z0-9]{1,9}")
_SECRET = re.compile(r"[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?")
# Without a user and a query: these may be credentials, which do not belong into a spec. A problem does not
# quote a URL for the same reason.
_WEBSOCKET = re.compile(r"wss?://[A-Za-z0-9.:_\[\]-]{1,253}(/[A-Za-z0-9._~/-]{0,200})?")
_HTTP = re.compile(r"https?://[A-Za-z0-9.:_\[\]-]{1,253}(/[A-Za-z0-9._~/-]{0,200})?")


def deribit(fields: Fields) -> Deribit:
    """Return the source of `spec.source.deribit`. Notes its problems."""
    rule = "a currency: 2 to 10 of A-Z and 0-9, a letter first"
    currencies = fields.text_set("currencies", _CURRENCY, rule, at_most=20)
    expiries = fields.integer("expiries", 1, 50, 4)
    strikes = fields.integer("strikesPerSide", 1, 200, 15)
    interval = fields.integer("chainIntervalMillis", 20, 60_000, 1000)
    url = _url(fields, "url", _WEBSOCKET, "wss or ws")
    fields.close()
    return Deribit(
        currencies=currencies or (),
        expiries=expiries,
        strikes_per_side=strikes,
        chain_interval_millis=interval,
        url=url or Deribit.url,
    )


def kite(fields: Fields) -> Kite:
    """Return the source of `spec.source.kite`. Notes its problems."""
    expiries = fields.integer("expiries", 1, 50, 4)
    interval = fields.integer("chainIntervalMillis", 20, 60_000, 1000)
    reference = fields.mapping("secretRef")
    secret = reference.text("name", _SECRET, "a Secret's name")
    reference.close()
    url = _url(fields, "url", _WEBSOCKET, "wss or ws")
    api_url = _url(fields, "apiUrl", _HTTP, "https or http")
    fields.close()
    return Kite(
        expiries=expiries,
        chain_interval_millis=interval,
        secret=secret,
        url=url or Kite.url,
        api_url=api_url or Kite.api_url,
    )


def _url(fields: Fields, name: str, pattern: re.Pattern[str], schemes: str) -> str | None:
    rule = f"a URL with {schemes}, without user, password and query"
    return fields.text(name, pattern, rule, required=False, quoted=False)


def lacking(source: Deribit, products: Sequence[str]) -> str | None:
    """Return the problem of products that no currency of the source can have, or None."""
    strange = [
        product
        for product in products
        if not any(product == one or product.endswith(f"-{one}") for one in source.currencies)
    ]
    if not strange or not source.currencies:
        return None
    return (
        f"{', '.join(strange)}: Deribit's products are named after a currency, such as BTC, or SOL-USDC "
        "under USDC; add the currency to source.deribit.currencies"
    )


def live_only(feeds: Sequence[Feed]) -> Sequence[Feed]:
    """Return the feeds if each has a live source. Raises FeedError with those that have none."""
    others = [f"{feed.name}: has no live source to connect to" for feed in feeds if not is_live(feed)]
    if others:
        raise FeedError(others)
    return feeds
