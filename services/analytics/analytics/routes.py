"""The HTTP routes: validate the parameters, read the data and return the JSON response."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass

import orjson
from flask import Blueprint, Response, current_app, request

from analytics import params
from analytics.cache import Cache, CacheUnavailable
from analytics.domain import bars, buildup, max_pain, pcr, surface
from analytics.domain.values import Broken, Json
from analytics.errors import UnknownProduct
from analytics.sources import Sources, valid

EXTENSION = "deltastream.analytics"
HISTORY = 100  # default limit of stored ratios in a response
routes = Blueprint("routes", __name__)


@dataclass(frozen=True)
class Readers:
    """The objects that the routes read from."""

    sources: Sources
    cache: Cache


def _readers() -> Readers:
    found: Readers = current_app.extensions[EXTENSION]
    return found


def _json(answer: Json) -> Response:
    return Response(orjson.dumps(answer), content_type="application/json")


@routes.get("/pcr/<product>")
def ratios(product: str) -> Response:
    """Return put/call ratios.

    `latest` is a list ordered by expiry. If the request names an expiry, `latest` is the object of that
    expiry, as in the original. `history` is present only on request.
    """
    name, query = params.product(product), params.parse(params.PcrQuery, request.args)
    sources = _readers().sources
    answer: Json = {"product": name}
    if query.expiry is None:
        found, source = sources.ratios(name)
        answer |= {"latest": [pcr.row(one) for one in found], "source": source}
    else:
        one, source = sources.ratio(name, query.expiry)
        row = pcr.row(one)
        answer |= {member: row[member] for member in ("expiry", "pcr_oi", "pcr_volume")}
        answer |= {"latest": row, "source": source}
    if query.wants_history:
        stored = sources.history(
            name, query.expiry, start=query.start, end=query.end, limit=query.limit or HISTORY
        )
        answer["history"] = pcr.history(stored)
    return _json(answer)


@routes.get("/volatility-surface/<product>")
def volatility_surface(product: str) -> Response:
    """Return implied volatilities by expiry and strike, at most SURFACE_S seconds old."""
    name = params.product(product)
    params.parse(params.NoQuery, request.args)
    readers = _readers()
    with suppress(CacheUnavailable, Broken):
        if cached := readers.cache.surface(name):
            return _json(surface.answer(cached))
    smiles = list(valid("surface", readers.sources.chains(name), surface.smile))
    if not smiles:
        raise UnknownProduct(f"no option chain of {name} with volatilities is known")
    built = surface.surface(name, smiles)
    readers.cache.cache_surface(name, built)
    return _json(surface.answer(built))


@routes.get("/max-pain/<product>")
def pain(product: str) -> Response:
    """Return the strike at which option holders lose most."""
    name, query = params.product(product), params.parse(params.ExpiryQuery, request.args)
    return _json(max_pain.answer(*_readers().sources.chain(name, query.expiry)))


@routes.get("/oi-buildup/<product>")
def oi_buildup(product: str) -> Response:
    """Return open interest in, at and out of the money, and the build-up of every strike."""
    name, query = params.product(product), params.parse(params.ExpiryQuery, request.args)
    return _json(buildup.answer(*_readers().sources.chain(name, query.expiry)))


@routes.get("/ohlc/<product>")
def ohlc(product: str) -> Response:
    """Return bars of the underlying, newest first. During the session the first bar is still changing."""
    name, query = params.product(product), params.parse(params.OhlcQuery, request.args)
    found, complete = _readers().sources.bars(name, query.window, query.limit)
    return _json(bars.answer(name, query.window, found, complete=complete))
