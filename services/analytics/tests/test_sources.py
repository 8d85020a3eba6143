"""Data comes from the cache or from storage, whichever is available."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from devcluster.ports import free_port
from devcluster.processes.stores import RedisServer
from devcluster.waiting import wait_until
from prometheus_client import REGISTRY
from tests.support.contracts import example
from tests.support.problems import assert_problem
from tests.support.tokens import access_token

from analytics.cache import Cache, CacheUnavailable, connect

EXPIRY = "2024-06-27"
ROUTES = [
    ("/pcr/NIFTY", {}),
    ("/pcr/NIFTY", {"expiry": EXPIRY}),
    ("/max-pain/NIFTY", {"expiry": EXPIRY}),
    ("/oi-buildup/NIFTY", {"expiry": EXPIRY}),
    ("/volatility-surface/NIFTY", {}),
    ("/ohlc/NIFTY", {"window": "1"}),
]


def nowhere(scheme: str = "http") -> str:
    """Return a URL at which connections are refused."""
    return f"{scheme}://127.0.0.1:{free_port()}"


@pytest.fixture
def filled(storage: Any, make_stored: Callable[..., Any]) -> Any:
    """The storage stub with the golden chain and bar."""
    storage.chains, storage.bars = [make_stored("option_chains")], [make_stored("ohlc_bars")]
    return storage


@pytest.mark.parametrize(("path", "query"), ROUTES)
def test_without_redis_data_comes_from_storage(
    make_get: Any, filled: Any, path: str, query: dict[str, str]
) -> None:
    """Every route works without Redis."""
    answer = make_get(redis_url=nowhere("redis"))(path, **query)
    assert answer.status_code == 200, answer.text
    assert answer.json.get("source", "storage") == "storage"


@pytest.mark.parametrize(("path", "query"), ROUTES)
def test_without_storage_data_comes_from_the_cache(
    make_get: Any, cached: Any, path: str, query: dict[str, str]
) -> None:
    """Every route works without storage, from cached values."""
    cached.chain()
    cached.ratio()
    cached.bar()
    answer = make_get(storage_url=nowhere())(path, **query)
    assert answer.status_code == 200, answer.text
    assert answer.json.get("source", "cache") == "cache"


@pytest.mark.parametrize(("path", "query"), ROUTES)
def test_without_both_sources_the_response_is_503(make_get: Any, path: str, query: dict[str, str]) -> None:
    """The response is 503, not 404, because no source could be read."""
    get = make_get(redis_url=nowhere("redis"), storage_url=nowhere())
    body = assert_problem(get(path, **query), 503, "sources_unavailable")
    assert (body["cache"], body["storage"]) == ("unavailable", "unavailable")
    assert body["detail"] == "the cache is unavailable and storage failed"


@pytest.mark.parametrize(("path", "query"), ROUTES)
def test_an_empty_cache_without_storage_is_503(
    make_get: Any, cached: Any, path: str, query: dict[str, str]
) -> None:
    """Cached values expire after a day, so without storage the data may still exist."""
    body = assert_problem(make_get(storage_url=nowhere())(path, **query), 503, "sources_unavailable")
    assert body["cache"] == "empty"


@pytest.mark.parametrize(
    ("fail", "reason"),
    [
        ((503, {"code": "store_unavailable"}), "unavailable"),
        ((500, {}), "unavailable"),
        ((401, {}), "refused"),
        ((400, {"code": "bad_input"}), "refused"),
        ((200, b"<html>"), "invalid"),
        ((200, []), "invalid"),
        ((200, {}), "invalid"),
        ((200, {"chains": [1]}), "invalid"),
    ],
)
def test_an_unusable_response_of_storage_is_a_failure(get: Any, storage: Any, fail: Any, reason: str) -> None:
    """An unusable response counts as a failure, and the error names the reason."""
    storage.fail = fail
    body = assert_problem(get("/max-pain/NIFTY", expiry=EXPIRY), 503, "sources_unavailable")
    assert body["storage"] == reason


def test_a_history_needs_storage(make_get: Any, cached: Any) -> None:
    """The request asks for the history, so a response without it would be wrong."""
    cached.ratio()
    get = make_get(storage_url=nowhere())
    assert_problem(get("/pcr/NIFTY", history="true"), 503, "storage_unavailable")
    assert get("/pcr/NIFTY").status_code == 200


def test_without_a_token_from_auth_storage_is_not_called(make_get: Any, filled: Any) -> None:
    """auth rejects the secret, so analytics has no token and sends storage no request."""
    get = make_get(service_client_secret="not-the-secret")
    body = assert_problem(get("/pcr/NIFTY"), 503, "sources_unavailable")
    assert (body["storage"], filled.seen) == ("no_token", [])


def test_calls_of_storage_carry_the_request(make_client: Any, filled: Any) -> None:
    """Calls carry the request id and trace, to correlate logs, and analytics' token, not the client's."""
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    token = access_token("analytics")
    headers = {"Authorization": f"Bearer {token}", "X-Request-ID": "r-17", "traceparent": trace}
    assert make_client().get("/pcr/NIFTY", headers=headers).status_code == 200
    sent = filled.seen[0].headers
    assert (sent["X-Request-ID"], sent["traceparent"]) == ("r-17", trace)
    assert token not in sent["Authorization"]


def test_an_unknown_product_is_not_found(get: Any) -> None:
    """Both sources were read, and neither has the product."""
    for path, query in ROUTES[:-1]:
        body = assert_problem(get(path, **query), 404, "unknown_product")
        assert body["detail"] == "no option chain of NIFTY is known"


def test_an_unknown_expiry_is_not_found_and_the_known_ones_are_named(
    get: Any, cached: Any, filled: Any
) -> None:
    """The error lists the expiries of the cache and of storage."""
    cached.chain(expiry="2024-07-04")
    for path in ("/pcr/NIFTY", "/max-pain/NIFTY", "/oi-buildup/NIFTY"):
        body = assert_problem(get(path, expiry="2024-08-01"), 404, "unknown_expiry")
        assert body["expiries"] == [EXPIRY, "2024-07-04"]
        assert body["detail"] == (
            "no option chain of NIFTY is known for the expiry 2024-08-01; known: 2024-06-27, 2024-07-04"
        )


def test_a_product_with_an_ampersand_reaches_storage(get: Any, storage: Any, make_stored: Any) -> None:
    """The product is percent-encoded in storage's URL."""
    storage.chains = [make_stored("option_chains", product="M&M")]
    assert get("/pcr/M%26M").json["latest"][0]["product"] == "M&M"
    assert storage.seen[0].path == "/pcr/M%26M"


def test_redis_is_never_searched(get: Any, cached: Any, filled: Any) -> None:
    """KEYS and SCAN would read the whole database; analytics uses the index instead."""
    cached.redis.config_resetstat()
    for path, query in ROUTES:
        get(path, **query)
    cached.chain()
    cached.ratio()
    cached.bar()
    for path, query in ROUTES:
        assert get(path, **query).status_code == 200
    used = {name.removeprefix("cmdstat_").split("|")[0] for name in cached.redis.info("commandstats")}
    assert {"get", "mget", "hkeys", "hvals"} <= used
    assert not used & {"keys", "scan", "hscan", "sscan", "zscan", "eval", "evalsha"}


def test_after_an_outage_the_cache_is_used_again(make_get: Any, filled: Any, own_redis: RedisServer) -> None:
    """analytics needs no restart."""
    get = make_get(redis_url=own_redis.url())
    assert get("/pcr/NIFTY").json["source"] == "storage"
    own_redis.kill()
    assert get("/pcr/NIFTY").json["source"] == "storage"
    own_redis.start()
    with connect(own_redis.url(), connections=1) as client:
        client.hset("index:NIFTY", f"chain:{EXPIRY}", "{}")
        client.set(f"latest:pcr:NIFTY:{EXPIRY}", json.dumps(example("cache-latest-pcr")))
    wait_until(lambda: get("/pcr/NIFTY").json["source"] == "cache", "the cache answers again")


def test_an_unavailable_redis_is_not_called_during_the_cooldown() -> None:
    """After a failure analytics does not call Redis for `cooldown_s`; it reads storage immediately."""
    now = [100.0]
    cache = Cache(connect(nowhere("redis"), connections=1), cooldown_s=1.0, clock=lambda: now[0])

    def failures() -> float:
        before = REGISTRY.get_sample_value("analytics_cache_away_total") or 0
        with pytest.raises(CacheUnavailable):
            cache.ratio("NIFTY", EXPIRY)
        return (REGISTRY.get_sample_value("analytics_cache_away_total") or 0) - before

    assert [failures(), failures()] == [1, 0]
    now[0] += 1.0
    assert [failures(), failures()] == [1, 0]


@pytest.mark.parametrize(
    ("redis_up", "storage_up"), [(True, True), (True, False), (False, True), (False, False)]
)
def test_ready_while_one_of_the_two_answers(make_client: Any, redis_up: bool, storage_up: bool) -> None:
    """Either source is enough to serve."""
    unavailable = {} if redis_up else {"redis_url": nowhere("redis")}
    unavailable |= {} if storage_up else {"storage_url": nowhere()}
    client = make_client(**unavailable)
    ready = client.get("/readyz")
    assert ready.status_code == (200 if redis_up or storage_up else 503)
    assert ready.json["checks"] == {"cache_or_storage": "ok" if redis_up or storage_up else "unavailable"}
    assert client.get("/health").json["service"] == "analytics"
    assert client.get("/livez").status_code == 200
    assert "analytics_requests_total" in client.get("/metrics").text
