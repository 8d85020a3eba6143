"""The commands that read once: status, feeds, chain."""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any

from deltastream_cli.adapters.gateway import Gateway
from deltastream_cli.domain import chains
from deltastream_cli.domain import feeds as feeds_table
from deltastream_cli.domain.reports import Cell, Column, Fact, Report
from deltastream_cli.errors import CommandError, NotFound, Unavailable


def status(gateway: Gateway) -> Report:
    """Return the state of the gateway and of everything behind it. Code 4 if a part is down."""
    health = gateway.health()
    session = gateway.session()
    healthy = health.get("status") == "healthy"
    products = gateway.get("/api/data/products")["products"] if healthy else []
    return Report(
        "",
        facts=[
            Fact("url", "gateway", Cell(gateway.url)),
            Fact("status", "status", Cell(health.get("status"))),
            Fact(
                "account",
                "account",
                Cell(session.email if session else None, None if session else "not logged in"),
            ),
            Fact("products", "products", Cell(products or None, None if products else "no data yet")),
        ],
        rows_key="checks",
        columns=[Column("name", "part"), Column("state", "state")],
        rows=[[Cell(name), Cell(state)] for name, state in sorted(health.get("checks", {}).items())],
        code=0 if healthy else Unavailable.code,
    )


def feeds(gateway: Gateway) -> Report:
    """Return the feeds table."""
    try:
        return feeds_table.feeds(gateway.get("/api/feeds")["feeds"])
    except NotFound:
        raise NotFound(f"{gateway.url} has no /api/feeds: its release is older than this command") from None


def chain(gateway: Gateway, product: str, expiry: str | None, strikes: int) -> Report:
    """Return the newest chain of an expiry; without one, of the nearest expiry that is not over."""
    found = _newest(gateway, product, expiry or _nearest(gateway, product))
    if not found:
        expiries = gateway.get("/api/data/expiries/{}", product)["expiries"]
        raise NotFound(
            f"{product} has no chain of {expiry}; stored are: {', '.join(expiries) or _none(gateway)}"
        )
    return chains.chain(found[0], strikes=strikes)


def _nearest(gateway: Gateway, product: str) -> str:
    expiries: list[str] = gateway.get("/api/data/expiries/{}", product)["expiries"]
    if not expiries:
        raise NotFound(f"{product} has no chains; {_none(gateway)}")
    newest = _newest(gateway, product, None)[0]
    # The day of the data, which may be a recording.
    today = datetime.fromisoformat(newest["timestamp"]).date().isoformat()
    return next((expiry for expiry in expiries if expiry >= today), expiries[-1])


def _newest(gateway: Gateway, product: str, expiry: str | None) -> list[dict[str, Any]]:
    """Return the newest chain, if there is one.

    Stored chains are sorted by event time. A replay that went back, or began another pass, has already stored
    later chains. For a replay this is therefore the newest chain up to its position.
    """
    path = "/api/data/chain/{}"
    found: list[dict[str, Any]] = gateway.get(path, product, limit=1, expiry=expiry)["chains"]
    if found and found[0]["replay"]:
        with suppress(CommandError):  # the replay is stopped or removed: use what it has stored
            at = datetime.fromisoformat(gateway.get("/api/feeds/{}/replay", found[0]["feed"])["position"])
            # The position is shown in microseconds, and the chain's time has nanoseconds.
            end = (at + timedelta(microseconds=1)).isoformat()
            found = gateway.get(path, product, limit=1, expiry=expiry, end=end)["chains"] or found
    return found


def _none(gateway: Gateway) -> str:
    products = gateway.get("/api/data/products")["products"]
    return f"products with data: {', '.join(products) or 'none yet, try again in a moment'}"
