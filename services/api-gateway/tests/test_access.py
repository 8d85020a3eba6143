"""Access: which callers may read, the rate limits, and which token each upstream receives."""

from __future__ import annotations

from typing import Any

import pytest
import redis
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from devcluster.processes.stores import RedisServer
from devcluster.waiting import wait_until
from prometheus_client import REGISTRY
from tests.support.tokens import access_token

PRODUCTS = "/api/data/products"


def test_a_read_needs_a_token(client: Any) -> None:
    """A read without a token gets 401 and the expected scheme."""
    got = client.get(PRODUCTS)
    assert (got.status_code, got.json["code"]) == (401, "unauthorized")
    assert got.headers["WWW-Authenticate"] == "Bearer"


def test_an_anonymous_read_needs_the_setting_anonymous_read(gateway: Any) -> None:
    """With ANONYMOUS_READ, for local runs, a read needs no token."""
    assert gateway.client(anonymous_read=True).get(PRODUCTS).status_code == 200


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("localhost:8000", 200),
        ("LOCALHOST", 200),
        ("127.0.0.1:1", 200),
        ("[::1]:8000", 200),
        ("desk.example:8000", 200),
        ("page.example", 200),
        ("evil.example", 421),
        ("localhost.evil.example", 421),
        ("localhost@evil.example", 421),
        ("evil.example:80@localhost", 421),
        ("127.0.0.1.nip.example", 421),
        ("0.0.0.0", 421),
        ("192.0.2.1", 421),
        ("[::ffff:192.0.2.1]", 421),
        ("localhost:x", 421),
        ("", 421),
    ],
)
def test_anonymous_reads_are_served_only_under_known_host_names(gateway: Any, host: str, status: int) -> None:
    """Anonymous reads accept only known host names: DNS rebinding lets any site use its own name."""
    client = gateway.client(
        anonymous_read=True, allowed_hosts="desk.example", cors_origins="https://page.example:8443"
    )
    got = client.get(PRODUCTS, headers={"Host": host})
    assert got.status_code == status, got.text
    if status == 421:
        assert got.json["code"] == "foreign_host"


def test_reads_with_a_token_are_served_under_any_host_name(gateway: Any, user: Any) -> None:
    """With tokens, any host name is accepted: a page that uses DNS rebinding has no token to send."""
    assert gateway.client().get(PRODUCTS, headers={**user, "Host": "evil.example"}).status_code == 200


@pytest.mark.parametrize("anonymous", [False, True])
@pytest.mark.parametrize("kind", ["garbage", "expired", "other audience", "forged", "basic"])
def test_an_invalid_token_is_always_refused(gateway: Any, anonymous: bool, kind: str) -> None:
    """An invalid token is refused, also if anonymous reads are allowed: the client must learn of it."""
    tokens = {
        "garbage": "Bearer x",
        "expired": f"Bearer {access_token('deltastream-api', lifetime_s=-120)}",
        "other audience": f"Bearer {access_token('storage')}",
        "forged": f"Bearer {access_token('deltastream-api', key=Ed25519PrivateKey.generate())}",
        "basic": "Basic dGVzdDp0ZXN0",
    }
    client = gateway.client(anonymous_read=anonymous)
    got = client.get(PRODUCTS, headers={"Authorization": tokens[kind]})
    assert (got.status_code, got.json["code"]) == (401, "unauthorized")
    assert not gateway.storage.seen


def test_without_auths_keys_a_read_gets_503(gateway: Any, user: Any) -> None:
    """If auth is down, a read gets 503. A 401 would log all users out."""
    client = gateway.client(auth_url="http://127.0.0.1:9")
    got = client.get(PRODUCTS, headers=user)
    assert (got.status_code, got.json["code"], got.json["upstream"]) == (503, "upstream_unavailable", "auth")


def test_the_users_token_is_not_forwarded_to_storage(gateway: Any, client: Any, user: Any) -> None:
    """Storage receives the gateway's own token (the stub checks it) and no header of the user."""
    assert client.get(PRODUCTS, headers={**user, "Cookie": "a=b", "X-Secret": "c"}).status_code == 200
    (seen,) = gateway.storage.seen
    assert user["Authorization"] not in seen.headers.values()
    assert not {"Cookie", "X-Secret"} & set(seen.headers)


def test_a_refused_token_of_the_gateway_gives_the_user_502(gateway: Any, client: Any, user: Any) -> None:
    """If an upstream refuses the gateway's token, the user gets 502. A 401 would ask the user to log in."""
    gateway.storage.audience = "logging"
    got = client.get(PRODUCTS, headers=user)
    assert (got.status_code, got.json["code"], got.json["upstream"]) == (502, "upstream_invalid", "storage")


def test_refused_credentials_of_the_gateway_give_the_user_503(gateway: Any, user: Any) -> None:
    """If auth refuses the gateway's credentials, a read gets 503 and the name auth."""
    got = gateway.client(service_client_secret="wrong").get(PRODUCTS, headers=user)
    assert (got.status_code, got.json["upstream"]) == (503, "auth")


def test_reads_are_limited_per_account(gateway: Any) -> None:
    """All routes and replicas share one limit per account. Another account has its own limit."""
    replicas = [gateway.client(rate_limit_per_minute=2) for _ in range(2)]
    first, second = ({"Authorization": f"Bearer {access_token('deltastream-api', c * 32)}"} for c in "ab")
    assert replicas[0].get(PRODUCTS, headers=first).status_code == 200
    assert replicas[1].get("/api/data/expiries/NIFTY", headers=first).status_code == 200
    got = replicas[0].get("/api/analytics/pcr/NIFTY", headers=first)
    assert (got.status_code, got.json["code"]) == (429, "rate_limited")
    assert 1 <= int(got.headers["Retry-After"]) <= 61
    assert replicas[0].get(PRODUCTS, headers=second).status_code == 200


def test_refused_tokens_are_limited_per_address(gateway: Any) -> None:
    """Requests with invalid tokens count against the sender's address, which limits guessing."""
    client = gateway.client(rate_limit_per_minute=1)
    bad = {"Authorization": "Bearer x"}
    assert client.get(PRODUCTS, headers=bad).status_code == 401
    assert client.get(PRODUCTS, headers=bad).status_code == 429
    other = client.get(PRODUCTS, headers=bad, environ_base={"REMOTE_ADDR": "10.0.0.9"})
    assert other.status_code == 401


@pytest.mark.parametrize(
    ("first", "second", "shared"),
    [("2001:db8::1", "2001:db8::2", True), ("2001:db8::1", "2001:db8:0:1::1", False)],
)
def test_an_ipv6_network_is_one_address(gateway: Any, first: str, second: str, shared: bool) -> None:
    """One host owns a whole IPv6 /64, so all addresses of a /64 share one limit."""
    client = gateway.client(rate_limit_per_minute=1, anonymous_read=True)
    assert client.get(PRODUCTS, environ_base={"REMOTE_ADDR": first}).status_code == 200
    got = client.get(PRODUCTS, environ_base={"REMOTE_ADDR": second})
    assert got.status_code == (429 if shared else 200)


def test_logins_are_limited_per_address(gateway: Any, user: Any) -> None:
    """/api/auth has its own limit. Reads do not count against it."""
    client = gateway.client(auth_rate_limit_per_minute=1)
    assert client.get(PRODUCTS, headers=user).status_code == 200
    body = {"email": "a@b.c", "password": "x"}
    assert client.post("/api/auth/login", json=body).status_code == 200
    assert client.post("/api/auth/login", json=body).status_code == 429


@pytest.mark.parametrize(("hops", "status"), [(0, 429), (1, 200)])
def test_a_forwarded_address_counts_only_behind_trusted_proxies(gateway: Any, hops: int, status: int) -> None:
    """X-Forwarded-For is ignored without trusted proxies: a caller could otherwise claim any address."""
    client = gateway.client(rate_limit_per_minute=1, anonymous_read=True, trusted_proxies=hops)
    client.get(PRODUCTS, headers={"X-Forwarded-For": "10.0.0.1"})
    assert client.get(PRODUCTS, headers={"X-Forwarded-For": "10.0.0.2"}).status_code == status


@pytest.mark.parametrize("setting", [("maxmemory", "1"), ("min-replicas-to-write", "1")])
def test_limits_are_counted_in_memory_while_redis_refuses_writes(
    gateway: Any, user: Any, own_redis: RedisServer, setting: tuple[str, str]
) -> None:
    """If Redis refuses writes (full, or too few replicas), limits are counted in memory, without errors."""
    with redis.Redis.from_url(own_redis.url()) as store:
        store.config_set(*setting)
    client = gateway.client(redis_url=own_redis.url(), rate_limit_per_minute=2)
    assert [client.get(PRODUCTS, headers=user).status_code for _ in range(3)] == [200, 200, 429]


def test_limits_are_counted_in_memory_while_redis_is_down(
    gateway: Any, user: Any, own_redis: RedisServer
) -> None:
    """While Redis is down, limits are counted in memory, and a metric counts those requests."""
    client = gateway.client(redis_url=own_redis.url(), rate_limit_per_minute=2)
    assert client.get(PRODUCTS, headers=user).status_code == 200
    own_redis.kill()
    before = REGISTRY.get_sample_value("gateway_limits_fallback_total") or 0
    assert [client.get(PRODUCTS, headers=user).status_code for _ in range(3)] == [200, 200, 429]
    assert REGISTRY.get_sample_value("gateway_limits_fallback_total") == before + 3
    own_redis.start()
    fresh = {"Authorization": user["Authorization"]}
    wait_until(lambda: client.get(PRODUCTS, headers=fresh).status_code == 200, "Redis counts again")
