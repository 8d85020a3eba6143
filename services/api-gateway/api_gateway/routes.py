"""The REST routes: each validates its input and forwards it to one upstream path.

The OpenAPI document is generated from these routes (docs.py).
"""

from __future__ import annotations

from typing import Any

import orjson
from flask import Response, current_app, request
from flask_openapi3 import APIBlueprint, Tag  # type: ignore[attr-defined]

from api_gateway import answers, feed_answers, ingest_answers, models
from api_gateway.dead_letters import EXTENSION as LETTERS
from api_gateway.dead_letters import DeadLetters
from api_gateway.feeds import EXTENSION as FEEDS
from api_gateway.feeds import Feeds
from api_gateway.identity import EXTENSION as IDENTITY
from api_gateway.identity import Identity
from api_gateway.ingest import EXTENSION as INGEST
from api_gateway.ingest import Ingest
from api_gateway.messages import EXTENSION as MESSAGES
from api_gateway.messages import Messages
from api_gateway.proxy import proxy
from api_gateway.sources import EXTENSION as SOURCES
from api_gateway.sources import Sources


def problems(*statuses: int) -> dict[str | int, Any]:
    """Return the error responses of a route, for the OpenAPI document."""
    schema = {"$ref": "#/components/schemas/Problem"}
    return {status: {"content": {"application/problem+json": {"schema": schema}}} for status in statuses}


def _operation_id(*, name: str, **_others: str) -> str:
    return name


BEARER: list[dict[str, list[str]]] = [{"bearer": []}]
_READ = problems(400, 401, 404, 414, 429, 500, 502, 503, 504)
_ACCOUNT = problems(400, 401, 403, 409, 413, 414, 415, 422, 429, 500, 502, 503, 504)

auth = APIBlueprint(
    "auth",
    __name__,
    url_prefix="/api/auth",
    abp_tags=[Tag(name="Authentication", description="Accounts and tokens.")],
    abp_responses=_ACCOUNT,
    operation_id_callback=_operation_id,
)
data = APIBlueprint(
    "data",
    __name__,
    url_prefix="/api/data",
    abp_tags=[Tag(name="Data", description="Stored market data.")],
    abp_security=BEARER,
    abp_responses=_READ,
    operation_id_callback=_operation_id,
)
analytics = APIBlueprint(
    "analytics",
    __name__,
    url_prefix="/api/analytics",
    abp_tags=[Tag(name="Analytics", description="Analytics computed from market data.")],
    abp_security=BEARER,
    abp_responses=_READ,
    operation_id_callback=_operation_id,
)
feeds = APIBlueprint(
    "feeds",
    __name__,
    url_prefix="/api/feeds",
    abp_tags=[Tag(name="Feeds", description="The feeds and what the operator decides about them.")],
    abp_security=BEARER,
    operation_id_callback=_operation_id,
)
ingest = APIBlueprint(
    "ingest",
    __name__,
    url_prefix="/api/ingest",
    abp_tags=[Tag(name="Ingest", description="Messages of other programs for external feeds.")],
    abp_security=BEARER,
    operation_id_callback=_operation_id,
)
_CHANGE = {
    200: feed_answers.ChangedFeed,
    **problems(400, 401, 403, 404, 409, 413, 414, 415, 429, 500, 503, 504),
}


@auth.post("/register", responses={201: answers.Session})
def register(body: models.Register) -> Response:
    """Create an account and log in."""
    return proxy().account("/register", body.given())


@auth.post("/login", responses={200: answers.Session})
def login(body: models.Login) -> Response:
    """Log in."""
    return proxy().account("/login", body.given())


@auth.post("/verify", responses={200: answers.Verified}, security=BEARER)
def verify() -> Response:
    """Check whether the bearer token is valid."""
    return proxy().account("/verify")


@auth.post("/refresh", responses={200: answers.Refreshed})
def refresh(body: models.Refresh) -> Response:
    """Exchange a refresh token for a new pair of tokens."""
    return proxy().account("/refresh", body.given())


@auth.post("/logout", responses={200: answers.Open, 204: None})
def logout(body: models.Refresh) -> Response:
    """Revoke the refresh token and its family."""
    return proxy().account("/logout", body.given())


@data.get("/products", responses={200: answers.Products})
def products(query: models.NoQuery) -> Response:
    """List the products with stored data."""
    return proxy().read(proxy().storage, "/products", "", query)


@data.get("/underlying/<product>", responses={200: answers.Ticks})
def underlying(path: models.ProductPath, query: models.TicksQuery) -> Response:
    """Get price ticks of an underlying."""
    return proxy().read(proxy().storage, "/underlying/{}", path.product, query)


@data.get("/chain/<product>", responses={200: answers.Chains})
def chain(path: models.ProductPath, query: models.ChainsQuery) -> Response:
    """Get option chains with their analytics."""
    return proxy().read(proxy().storage, "/option/chain/{}", path.product, query)


@data.get("/expiries/<product>", responses={200: answers.Expiries})
def expiries(path: models.ProductPath, query: models.NoQuery) -> Response:
    """List the expiries with stored chains."""
    return proxy().read(proxy().storage, "/expiries/{}", path.product, query)


@data.get("/contracts/<product>", responses={200: answers.Contracts})
def contracts(path: models.ProductPath, query: models.NoQuery) -> Response:
    """List the contracts with stored quotes."""
    return proxy().read(proxy().storage, "/contracts/{}", path.product, query)


@data.get("/bars/<product>", responses={200: answers.Bars})
def bars(path: models.ProductPath, query: models.BarsQuery) -> Response:
    """Get stored OHLC bars of an underlying, also of past sessions."""
    return proxy().read(proxy().storage, "/ohlc/{}", path.product, query)


@data.get("/quote/<symbol>", responses={200: answers.Quotes})
def quote(path: models.SymbolPath, query: models.QuotesQuery) -> Response:
    """Get quotes of one contract."""
    return proxy().read(proxy().storage, "/option/quote/{}", path.symbol, query)


@analytics.get("/pcr/<product>", responses={200: answers.Pcr})
def pcr(path: models.ProductPath, query: models.PcrQuery) -> Response:
    """Get the latest and, on request, stored put/call ratios."""
    return proxy().read(proxy().analytics, "/pcr/{}", path.product, query)


@analytics.get("/volatility-surface/<product>", responses={200: answers.Surface})
def volatility_surface(path: models.ProductPath, query: models.NoQuery) -> Response:
    """Get implied volatilities by expiry and strike."""
    return proxy().read(proxy().analytics, "/volatility-surface/{}", path.product, query)


@analytics.get("/max-pain/<product>", responses={200: answers.MaxPain})
def max_pain(path: models.ProductPath, query: models.ExpiryQuery) -> Response:
    """Get the max pain strike: the strike at which option holders together receive least."""
    return proxy().read(proxy().analytics, "/max-pain/{}", path.product, query)


@analytics.get("/oi-buildup/<product>", responses={200: answers.OiBuildup})
def oi_buildup(path: models.ProductPath, query: models.ExpiryQuery) -> Response:
    """Get open interest in, at and out of the money."""
    return proxy().read(proxy().analytics, "/oi-buildup/{}", path.product, query)


@analytics.get("/ohlc/<product>", responses={200: answers.Ohlc})
def ohlc(path: models.ProductPath, query: models.OhlcQuery) -> Response:
    """Get OHLC bars of an underlying."""
    return proxy().read(proxy().analytics, "/ohlc/{}", path.product, query)


@feeds.get("", responses={200: feed_answers.FeedsTable, **problems(400, 401, 414, 429, 500, 503)})
def feeds_table(query: models.NoQuery) -> Response:  # noqa: ARG001  # refuses every parameter
    """List the feeds: load, replicas, conditions and last decisions of each."""
    return json_answer(feeds_of_app().table())


@feeds.get(
    "/<feed>/dead-letters",
    responses={200: feed_answers.DeadLetters, **problems(400, 401, 404, 414, 429, 500, 503)},
)
def dead_letters(path: models.FeedPath, query: models.LettersQuery) -> Response:
    """List the newest messages of a feed that were refused, and count them by reason."""
    letters: DeadLetters = current_app.extensions[LETTERS]
    return json_answer(letters.of(path.feed, query.limit))


@feeds.get(
    "/<feed>/messages",
    responses={200: feed_answers.FeedMessages, **problems(400, 401, 404, 414, 429, 500, 503)},
)
def feed_messages(path: models.FeedPath, query: models.MessagesQuery) -> Response:
    """Read a feed's raw messages while they pass: ask with `after` at least every second to miss none."""
    messages: Messages = current_app.extensions[MESSAGES]
    return json_answer(messages.of(path.feed, query.after))


@feeds.get(
    "/<feed>/source",
    responses={200: feed_answers.FeedSource, **problems(400, 401, 404, 414, 429, 500, 503)},
)
def feed_source(path: models.FeedPath, query: models.NoQuery) -> Response:  # noqa: ARG001
    """Tell what a feed receives: the connection of each generator, and the messages in its stream."""
    sources: Sources = current_app.extensions[SOURCES]
    return json_answer(sources.of(path.feed))


@feeds.post("/<feed>/pause", responses=_CHANGE)
def pause_feed(path: models.FeedPath) -> Response:
    """Pause a feed of a local run: its numbers of processes stay as they are. For the role operator."""
    return _change(path.feed, "pause", {})


@feeds.post("/<feed>/resume", responses=_CHANGE)
def resume_feed(path: models.FeedPath) -> Response:
    """Resume a paused feed of a local run. For the role operator."""
    return _change(path.feed, "resume", {})


@feeds.post("/<feed>/scale", responses=_CHANGE)
def scale_feed(path: models.FeedPath, body: models.Scale) -> Response:
    """Set mode or number of enrichers of a feed of a local run. For the role operator."""
    return _change(path.feed, "scale", body.given())


@ingest.post(
    "/<feed>",
    responses={
        200: ingest_answers.Ingested,
        **problems(400, 401, 403, 404, 409, 413, 414, 415, 429, 500, 503),
    },
)
def push(path: models.FeedPath) -> Response:
    """Append market messages to an external feed. For the role ingest.

    The body has one message a line (NDJSON), or is a JSON array of messages, at most 1 MiB. Each message
    follows its contract (market-underlying, market-option_quote, market-option_chain). The answer has the
    result of each: accepted, repeated or refused. After a 429 or 503 send the same messages again.
    """
    identity: Identity = current_app.extensions[IDENTITY]
    identity.require_ingest()
    taken: Ingest = current_app.extensions[INGEST]
    traceparent = request.environ["deltastream.traceparent"]
    answer = taken.take(path.feed, identity.account(), request.get_data(), request.mimetype, traceparent)
    return json_answer(orjson.dumps(answer))


def _change(feed: str, action: str, given: dict[str, Any]) -> Response:
    identity: Identity = current_app.extensions[IDENTITY]
    account = identity.account()
    # Before the role: in a cluster no account has it, and the answer is the command to use instead.
    feeds_of_app().require_local_run(feed, action, given)
    identity.require_operator()
    return json_answer(feeds_of_app().change(feed, action, given, account))


def feeds_of_app() -> Feeds:
    """Return the feeds of the app that serves the request."""
    found: Feeds = current_app.extensions[FEEDS]
    return found


def json_answer(content: bytes) -> Response:
    """Return a response with a JSON body."""
    return Response(content, content_type="application/json")
