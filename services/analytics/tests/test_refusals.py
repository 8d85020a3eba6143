"""Invalid requests are refused with problem responses."""

from __future__ import annotations

from typing import Any

import pytest
from devcluster.ports import free_port
from tests.support.problems import assert_problem
from tests.support.tokens import access_token

PATHS = [
    "/pcr/NIFTY",
    "/max-pain/NIFTY?expiry=2024-06-27",
    "/oi-buildup/NIFTY?expiry=2024-06-27",
    "/volatility-surface/NIFTY",
    "/ohlc/NIFTY",
]
BAD = [
    ("/pcr/NIFTY", {"expiry": "27-06-2024"}, "expiry"),
    ("/pcr/NIFTY", {"expiry": "2024-02-30"}, "expiry"),
    ("/pcr/NIFTY", {"expiry": "2024-W25-5"}, "expiry"),
    ("/pcr/NIFTY", {"history": "perhaps"}, "history"),
    ("/pcr/NIFTY", {"limit": "ten"}, "limit"),
    ("/pcr/NIFTY", {"limit": "1.5"}, "limit"),
    ("/pcr/NIFTY", {"limit": "\u0661"}, "limit"),
    ("/pcr/NIFTY", {"start": "yesterday"}, "start"),
    ("/pcr/NIFTY", {"end": "2024-06-21"}, "end"),
    ("/pcr/NIFTY", {"start": "2024-06-22T00:00:00Z", "end": "2024-06-21T00:00:00Z"}, "start"),
    ("/pcr/NIFTY", {"expiri": "2024-06-27"}, "expiri"),
    ("/pcr/NIFTY", {"from": "2024-06-21T00:00:00Z"}, "from"),
    ("/pcr/nifty", {}, "product"),
    ("/pcr/NIFTY%0A", {}, "product"),
    ("/pcr/" + "N" * 21, {}, "product"),
    ("/pcr/*", {}, "product"),
    ("/max-pain/NIFTY", {}, "expiry"),
    ("/max-pain/NIFTY", {"expiry": "tomorrow"}, "expiry"),
    ("/oi-buildup/NIFTY", {}, "expiry"),
    ("/oi-buildup/NIFTY", {"expiry": ""}, "expiry"),
    ("/volatility-surface/NIFTY", {"expiry": "2024-06-27"}, "expiry"),
    ("/ohlc/NIFTY", {"window": "7"}, "window"),
    ("/ohlc/NIFTY", {"window": "5m"}, "window"),
    ("/ohlc/NIFTY", {"window": "05"}, "window"),
    ("/ohlc/NIFTY", {"limit": "all"}, "limit"),
]


@pytest.mark.parametrize(("path", "query", "field"), BAD)
def test_a_bad_parameter_is_named(get: Any, path: str, query: dict[str, str], field: str) -> None:
    """The response is 400 with the field and its rule."""
    body = assert_problem(get(path, **query), 400, "bad_input")
    assert [each["field"] for each in body["errors"]] == [field]
    assert body["detail"].startswith(f"{field}: ")


def test_every_bad_parameter_is_named_at_once(get: Any) -> None:
    """A client can correct all its errors at once."""
    body = assert_problem(get("/pcr/NIFTY", limit="x", expiry="x", colour="red"), 400, "bad_input")
    assert {each["field"] for each in body["errors"]} == {"limit", "expiry", "colour"}


def test_a_parameter_given_twice_is_refused(get: Any) -> None:
    """It is unclear which of two values applies."""
    body = assert_problem(get("/ohlc/NIFTY?window=1&window=5"), 400, "bad_input")
    assert body["errors"] == [{"field": "window", "rule": "must be given once"}]


@pytest.mark.parametrize("path", [*PATHS, "/nothing"])
def test_no_route_answers_without_a_token(make_client: Any, path: str) -> None:
    """Internal services require a token too."""
    answer = make_client().get(path)
    assert_problem(answer, 401, "unauthorized")
    assert answer.headers["WWW-Authenticate"] == "Bearer"


@pytest.mark.parametrize("audience", ["deltastream-api", "storage", "logging"])
def test_a_token_for_another_audience_is_refused(make_client: Any, audience: str) -> None:
    """A token for another audience is not valid here."""
    headers = {"Authorization": f"Bearer {access_token(audience)}"}
    assert_problem(make_client().get("/pcr/NIFTY", headers=headers), 401, "unauthorized")


def test_without_keys_no_token_can_be_verified(make_client: Any) -> None:
    """An outage of auth gives 503, not 401, because the client's token may be valid."""
    client = make_client(auth_url=f"http://127.0.0.1:{free_port()}")
    headers = {"Authorization": f"Bearer {access_token('analytics')}"}
    body = assert_problem(client.get("/pcr/NIFTY", headers=headers), 503, "upstream_unavailable")
    assert body["upstream"] == "auth"


def test_an_unknown_path_and_a_wrong_method_are_problems_too(get: Any, make_client: Any) -> None:
    """Every error has the same form."""
    assert_problem(get("/nothing"), 404, "not_found")
    headers = {"Authorization": f"Bearer {access_token('analytics')}"}
    answer = make_client().post("/pcr/NIFTY", headers=headers)
    assert_problem(answer, 405, "method_not_allowed")
    assert "GET" in answer.headers["Allow"]


def test_an_internal_error_does_not_reveal_its_cause(get: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The text of an exception appears only in the logs."""

    def fail(*_args: object) -> None:
        raise RuntimeError("secret")

    monkeypatch.setattr("analytics.params.product", fail)
    assert "secret" not in assert_problem(get("/pcr/NIFTY"), 500, "internal_error")["detail"]
