"""Invalid requests are refused with problem responses."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from devcluster.ports import free_port
from tests.support.problems import assert_problem
from tests.support.tokens import access_token
from werkzeug.test import Client, TestResponse

Get = Callable[..., TestResponse]
PATHS = [
    "/products",
    "/underlying/NIFTY",
    "/option/quote/NIFTY20240627C23500",
    "/option/chain/NIFTY",
    "/expiries/NIFTY",
    "/contracts/NIFTY",
    "/ohlc/NIFTY",
    "/pcr/NIFTY",
]


BAD = [
    ("/underlying/NIFTY", {"limit": "0"}, "limit"),
    ("/underlying/NIFTY", {"limit": "-1"}, "limit"),
    ("/underlying/NIFTY", {"limit": "ten"}, "limit"),
    ("/underlying/NIFTY", {"limit": "1.5"}, "limit"),
    ("/underlying/NIFTY", {"limit": ""}, "limit"),
    ("/underlying/NIFTY", {"limit": "\u0661"}, "limit"),
    ("/option/quote/NIFTY20240627C23500", {"limit": "0"}, "limit"),
    ("/option/chain/NIFTY", {"limit": "0"}, "limit"),
    ("/ohlc/NIFTY", {"limit": "0"}, "limit"),
    ("/pcr/NIFTY", {"limit": "0"}, "limit"),
    ("/underlying/NIFTY", {"start": "yesterday"}, "start"),
    ("/underlying/NIFTY", {"start": "2024-02-30T00:00:00Z"}, "start"),
    ("/underlying/NIFTY", {"start": "0001-01-01T00:00:00+23:59"}, "start"),
    ("/underlying/NIFTY", {"end": "2024-06-21"}, "end"),
    ("/underlying/NIFTY", {"start": "2024-06-22T00:00:00Z", "end": "2024-06-21T00:00:00Z"}, "start"),
    ("/option/chain/NIFTY", {"expiry": "27-06-2024"}, "expiry"),
    ("/option/chain/NIFTY", {"expiry": "2024-06-31"}, "expiry"),
    ("/option/chain/NIFTY", {"shape": "tables"}, "shape"),
    ("/pcr/NIFTY", {"expiry": "2024-W25-5"}, "expiry"),
    ("/ohlc/NIFTY", {"window": "2"}, "window"),
    ("/ohlc/NIFTY", {"window": "5m"}, "window"),
    ("/underlying/NIFTY", {"limt": "5"}, "limt"),
    ("/underlying/NIFTY", {"$where": "1"}, "$where"),
    ("/option/quote/NIFTY20240627C23500", {"expiry": "2024-06-27"}, "expiry"),
    ("/products", {"limit": "5"}, "limit"),
    ("/expiries/NIFTY", {"limit": "5"}, "limit"),
    ("/underlying/nifty", {}, "product"),
    ("/underlying/NIFTY%0A", {}, "product"),
    ("/underlying/" + "N" * 21, {}, "product"),
    ("/option/chain/%24ne", {}, "product"),
    ("/option/quote/NIFTY", {}, "symbol"),
    ("/option/quote/NIFTY20240627X23500", {}, "symbol"),
]


@pytest.mark.parametrize(("path", "query", "field"), BAD)
def test_a_bad_parameter_is_named(get: Get, path: str, query: dict[str, str], field: str) -> None:
    """The response is 400 with the field and its rule."""
    body = assert_problem(get(path, **query), 400, "bad_input")
    assert [each["field"] for each in body["errors"]] == [field]
    assert body["detail"].startswith(f"{field}: ")


def test_every_bad_parameter_is_named_at_once(get: Get) -> None:
    """A client can correct all its errors at once."""
    body = assert_problem(get("/option/chain/NIFTY", limit=0, expiry="x", colour="red"), 400, "bad_input")
    assert {each["field"] for each in body["errors"]} == {"limit", "expiry", "colour"}


def test_a_parameter_given_twice_is_refused(get: Get) -> None:
    """It is unclear which of two values applies."""
    body = assert_problem(get("/underlying/NIFTY?limit=1&limit=2"), 400, "bad_input")
    assert body["errors"] == [{"field": "limit", "rule": "must be given once"}]


@pytest.mark.parametrize("path", [*PATHS, "/nothing"])
def test_no_route_answers_without_a_token(make_client: Callable[..., Client], path: str) -> None:
    """Internal services require a token too."""
    answer = make_client().get(path)
    assert_problem(answer, 401, "unauthorized")
    assert answer.headers["WWW-Authenticate"] == "Bearer"


def test_a_token_for_another_audience_is_refused(make_client: Callable[..., Client]) -> None:
    """A token for another audience is not valid here."""
    for audience in ("deltastream-api", "analytics"):
        headers = {"Authorization": f"Bearer {access_token(audience)}"}
        assert_problem(make_client().get("/products", headers=headers), 401, "unauthorized")


def test_without_keys_no_token_can_be_verified(make_client: Callable[..., Client]) -> None:
    """An outage of auth gives 503, not 401, because the client's token may be valid."""
    client = make_client(auth_url=f"http://127.0.0.1:{free_port()}")
    headers = {"Authorization": f"Bearer {access_token('storage')}"}
    body = assert_problem(client.get("/products", headers=headers), 503, "upstream_unavailable")
    assert body["upstream"] == "auth"


def test_an_unknown_path_and_a_wrong_method_are_problems_too(
    get: Get, make_client: Callable[..., Client]
) -> None:
    """Every error has the same form."""
    assert_problem(get("/nothing"), 404, "not_found")
    headers = {"Authorization": f"Bearer {access_token('storage')}"}
    answer = make_client().post("/products", headers=headers)
    assert_problem(answer, 405, "method_not_allowed")
    assert "GET" in answer.headers["Allow"]
