"""Repeated reads are answered before Flask, with the same checks, headers and counts as by Flask."""

from __future__ import annotations

from typing import Any

import pytest
from prometheus_client import REGISTRY
from tests.support.tokens import access_token

PRODUCTS, EXPIRIES = "/api/data/products", "/api/data/expiries/NIFTY"
DESK = "https://desk.example:8443"


def _read(client: Any, path: str, headers: dict[str, str]) -> tuple[int, dict[str, str], bytes]:
    got = client.get(path, headers={**headers, "X-Request-ID": "desk-1"})
    return got.status_code, dict(sorted(got.headers.items())), got.data


@pytest.fixture
def repeating(gateway: Any) -> Any:
    """A client of a gateway that shares answers for a second and allows five reads."""
    return gateway.client(read_cache_seconds=1, rate_limit_per_minute=5)


@pytest.mark.parametrize("known", [False, True])
def test_a_repeated_read_is_answered_as_the_first(gateway: Any, user: Any, known: bool) -> None:
    """Status, headers and body are those of Flask's answer, also for a 304."""
    client = gateway.client(read_cache_seconds=1)
    tag = client.get(PRODUCTS, headers=user).headers["ETag"]
    headers = {**user, "If-None-Match": tag} if known else user
    by_flask = _read(gateway.client(read_cache_seconds=0), PRODUCTS, headers)
    assert by_flask[0] == (304 if known else 200)
    assert _read(client, PRODUCTS, headers) == by_flask
    assert len(gateway.storage.seen) == 2


def test_a_repeated_read_counts_against_the_limit_and_in_the_metrics(repeating: Any, user: Any) -> None:
    """Reads before and in Flask share one limit, and one metric by the route's template."""
    labels = {"route": PRODUCTS, "method": "GET"}
    before = {
        status: REGISTRY.get_sample_value("gateway_requests_total", {**labels, "status": status}) or 0
        for status in ("200", "429")
    }
    statuses = [repeating.get(PRODUCTS, headers=user).status_code for _ in range(7)]
    assert statuses == [200] * 5 + [429] * 2
    for status, count in (("200", 5), ("429", 2)):
        seen = REGISTRY.get_sample_value("gateway_requests_total", {**labels, "status": status})
        assert seen == before[status] + count


def test_a_repeated_refusal_is_answered_as_by_flask(repeating: Any, user: Any) -> None:
    """A 429 for a known read has the headers and the problem of a 429 from Flask."""
    for _ in range(5):
        assert repeating.get(PRODUCTS, headers=user).status_code == 200
    known, by_flask = _read(repeating, PRODUCTS, user), _read(repeating, EXPIRIES, user)
    wait_s = [int(answer[1].pop("Retry-After")) for answer in (known, by_flask)]
    assert known == by_flask
    assert 1 <= wait_s[0] <= 60
    assert abs(wait_s[0] - wait_s[1]) <= 1


def test_an_account_does_not_use_up_anothers_limit(repeating: Any, user: Any) -> None:
    """Repeated reads count per account, although the accounts share the answer."""
    other = {"Authorization": f"Bearer {access_token('deltastream-api', 'c' * 32)}"}
    assert [repeating.get(PRODUCTS, headers=user).status_code for _ in range(6)] == [200] * 5 + [429]
    assert repeating.get(PRODUCTS, headers=other).status_code == 200


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Authorization": "Bearer x"}, 401),
        ({"Authorization": f"Bearer {access_token('deltastream-api', lifetime_s=-60)}"}, 401),
        ({"Host": "evil.example"}, 421),
    ],
)
def test_a_known_read_does_not_open_the_door(gateway: Any, headers: dict[str, str], status: int) -> None:
    """Repetitions of a known read are refused for a bad token or a foreign host."""
    client = gateway.client(anonymous_read=True, read_cache_seconds=1)
    assert [client.get(PRODUCTS).status_code for _ in range(2)] == [200, 200]
    assert client.get(PRODUCTS, headers=headers).status_code == status


def test_a_web_page_gets_its_headers(gateway: Any, user: Any) -> None:
    """A request with an Origin has CORS headers, also if the read is known without one."""
    client = gateway.client(read_cache_seconds=1, cors_origins=DESK)
    assert [client.get(PRODUCTS, headers=user).status_code for _ in range(2)] == [200, 200]
    got = client.get(PRODUCTS, headers={**user, "Origin": DESK})
    assert got.headers["Access-Control-Allow-Origin"] == DESK
    assert "ETag" in got.headers["Access-Control-Expose-Headers"]
    assert len(gateway.storage.seen) == 1


def test_a_body_is_checked_also_for_a_known_read(gateway: Any, user: Any) -> None:
    """A read with a body that is not JSON gets 415, although the read is known."""
    client = gateway.client(read_cache_seconds=1)
    client.get(PRODUCTS, headers=user)
    got = client.get(PRODUCTS, headers=user, data=b"x", content_type="text/plain")
    assert got.status_code == 415
