"""The routes: what they take, and the shape of what they give."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass

import orjson
from flask import Blueprint, Response, current_app, request

from analytics import params
from analytics.cache import Cache, CacheAway
from analytics.domain import bars, buildup, max_pain, pcr, surface
from analytics.domain.values import Broken, Json
from analytics.errors import UnknownProduct
from analytics.sources import Sources, sound

EXTENSION = "deltastream.analytics"
HISTORY = 100  # stored ratios of an answer, unless said
routes = Blueprint("routes", __name__)


@dataclass(frozen=True)
class Known:
    """What the routes ask."""

    sources: Sources
    cache: Cache


def _known() -> Known:
    found: Known = current_app.extensions[EXTENSION]
    return found


def _json(answer: Json) -> Response:
    return Response(orjson.dumps(answer), content_type="application/json")


@routes.get("/pcr/<product>")
def ratios(product: str) -> Response:
    """Put/call ratios: `latest` is a list by expiry, or the object of the expiry asked for (as the original
    had it); `history` only if asked for."""
    name, query = params.product(product), params.parse(params.PcrQuery, request.args)
    sources = _known().sources
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
    """Implied volatilities by expiry and strike, at most five seconds old."""
    name = params.product(product)
    params.parse(params.NoQuery, request.args)
    known = _known()
    with suppress(CacheAway, Broken):
        if kept := known.cache.surface(name):
            return _json(surface.answer(kept))
    smiles = list(sound("surface", known.sources.chains(name), surface.smile))
    if not smiles:
        raise UnknownProduct(f"no option chain with volatilities is known of {name}")
    made = surface.surface(name, smiles)
    known.cache.keep_surface(name, made)
    return _json(surface.answer(made))


@routes.get("/max-pain/<product>")
def pain(product: str) -> Response:
    """The strike at which holders of options lose most."""
    name, query = params.product(product), params.parse(params.ExpiryQuery, request.args)
    return _json(max_pain.answer(*_known().sources.chain(name, query.expiry)))


@routes.get("/oi-buildup/<product>")
def oi_buildup(product: str) -> Response:
    """Open interest in, at and out of the money, and the build-up of every strike."""
    name, query = params.product(product), params.parse(params.ExpiryQuery, request.args)
    return _json(buildup.answer(*_known().sources.chain(name, query.expiry)))


@routes.get("/ohlc/<product>")
def ohlc(product: str) -> Response:
    """Bars of the underlying, newest first; the first one is still open while ticks come."""
    name, query = params.product(product), params.parse(params.OhlcQuery, request.args)
    found, complete = _known().sources.bars(name, query.window, query.limit)
    return _json(bars.answer(name, query.window, found, complete=complete))
