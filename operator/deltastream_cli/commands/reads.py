"""The commands that read once: status, feeds, chain."""

from __future__ import annotations

from datetime import datetime

from deltastream_cli.adapters.gateway import Gateway
from deltastream_cli.domain import chains
from deltastream_cli.domain import feeds as feeds_table
from deltastream_cli.domain.reports import Cell, Column, Fact, Report
from deltastream_cli.errors import NotFound, Unavailable


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
    found = gateway.get("/api/data/chain/{}", product, limit=1, expiry=expiry or _nearest(gateway, product))
    if not found["chains"]:
        expiries = gateway.get("/api/data/expiries/{}", product)["expiries"]
        raise NotFound(
            f"{product} has no chain of {expiry}; stored are: {', '.join(expiries) or _none(gateway)}"
        )
    return chains.chain(found["chains"][0], strikes=strikes)


def _nearest(gateway: Gateway, product: str) -> str:
    expiries: list[str] = gateway.get("/api/data/expiries/{}", product)["expiries"]
    if not expiries:
        raise NotFound(f"{product} has no chains; {_none(gateway)}")
    newest = gateway.get("/api/data/chain/{}", product, limit=1)["chains"][0]
    today = (
        datetime.fromisoformat(newest["timestamp"]).date().isoformat()
    )  # of the data: it may be a recording
    return next((expiry for expiry in expiries if expiry >= today), expiries[-1])


def _none(gateway: Gateway) -> str:
    products = gateway.get("/api/data/products")["products"]
    return f"products with data: {', '.join(products) or 'none yet, try again in a moment'}"
