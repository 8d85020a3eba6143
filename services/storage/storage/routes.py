"""The HTTP routes: validate the parameters, query MongoDB and return the JSON response."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, current_app, request

from storage import params, shapes
from storage.queries import Store

EXTENSION = "deltastream.store"
routes = Blueprint("routes", __name__)


def _store() -> Store:
    found: Store = current_app.extensions[EXTENSION]
    return found


def _json(answer: dict[str, Any]) -> Response:
    return Response(shapes.json_bytes(answer), content_type="application/json")


@routes.get("/products")
def products() -> Response:
    """Return the products with stored data."""
    params.parse(params.NoQuery, request.args)
    return _json({"products": _store().products()})


@routes.get("/underlying/<product>")
def underlying(product: str) -> Response:
    """Return ticks of the underlying, by event time."""
    name, query = params.product(product), params.parse(params.TicksQuery, request.args)
    ticks, following = _store().ticks(name, query)
    return _json({"product": name, "count": len(ticks), "ticks": ticks, **following})


@routes.get("/option/quote/<symbol>")
def quote(symbol: str) -> Response:
    """Return quotes of one contract, by event time."""
    name, query = params.symbol(symbol), params.parse(params.QuotesQuery, request.args)
    quotes, following = _store().quotes(name, query)
    return _json({"symbol": name, "count": len(quotes), "quotes": quotes, **following})


@routes.get("/contracts/<product>")
def contracts(product: str) -> Response:
    """Return the symbols of contracts with stored quotes, ascending."""
    name = params.product(product)
    params.parse(params.NoQuery, request.args)
    return _json({"product": name, "contracts": _store().contracts(name)})


@routes.get("/option/chain/<product>")
def chain(product: str) -> Response:
    """Return chains, by event time, with one row per contract or with the stored columns."""
    name, query = params.product(product), params.parse(params.ChainsQuery, request.args)
    chains, truncated, following = _store().chains(name, query)
    found = {"count": len(chains), "chains": chains, "truncated": truncated}
    return _json({"product": name, **found, **following})


@routes.get("/expiries/<product>")
def expiries(product: str) -> Response:
    """Return the expiries with stored chains, ascending."""
    name = params.product(product)
    params.parse(params.NoQuery, request.args)
    return _json({"product": name, "expiries": _store().expiries(name)})


@routes.get("/ohlc/<product>")
def ohlc(product: str) -> Response:
    """Return bars of the underlying, by the start of their windows."""
    name, query = params.product(product), params.parse(params.BarsQuery, request.args)
    bars = _store().bars(name, query)
    return _json({"product": name, "window_minutes": query.window, "bars": bars})


@routes.get("/pcr/<product>")
def pcr(product: str) -> Response:
    """Return put/call ratios of stored chains, newest first."""
    name, query = params.product(product), params.parse(params.PcrQuery, request.args)
    history = _store().pcr(name, query)
    return _json({"product": name, "count": len(history), "history": history})
