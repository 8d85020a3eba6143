"""Rate limits, error responses, and the absence of secrets in the logs."""

from __future__ import annotations

import json
from typing import Any

import pytest
import redis
from devcluster.processes.stores import RedisServer
from prometheus_client import REGISTRY
from tests.support.problems import assert_problem

CLIENT_SECRET = "the-gateways-own-secret"


@pytest.fixture
def service_clients() -> str:
    return json.dumps({"api-gateway": {"secret": CLIENT_SECRET, "audiences": ["storage"]}})


def login(client: Any, email: str, address: str = "127.0.0.1", **headers: str) -> Any:
    return client.post(
        "/login",
        json={"email": email, "password": "some password"},
        environ_overrides={"REMOTE_ADDR": address},
        headers=headers,
    )


def test_an_account_is_limited_from_all_addresses(auth: Any) -> None:
    """Logins for one account from many addresses share a limit; other accounts are not affected."""
    client = auth.client(limit_login_strangers=2)
    got = [login(client, "a@example.com", f"10.0.0.{n}").status_code for n in range(3)]
    assert got == [401, 401, 429]
    assert login(client, "A@Example.com", "10.0.0.9").status_code == 429
    assert login(client, "b@example.com", "10.0.0.9").status_code == 401


def test_an_address_is_limited_over_all_accounts(auth: Any) -> None:
    """Logins for many accounts from one address share a limit; IPv6 counts per /64."""
    client = auth.client(limit_login_address=2)
    got = [login(client, f"{n}@example.com", f"2001:db8::{n}") for n in range(1, 4)]
    assert [one.status_code for one in got] == [401, 401, 429]
    assert got[2].json["code"] == "rate_limited"
    assert 1 <= int(got[2].headers["Retry-After"]) <= 60


def test_wrong_logins_from_other_addresses_do_not_block_a_known_device(auth: Any, account: Any) -> None:
    """A known device can log in after unknown addresses have used up their limits for the account."""
    client = auth.client(limit_login_account=2, limit_login_strangers=3)
    home = {"environ_overrides": {"REMOTE_ADDR": "192.0.2.1"}}
    assert client.post("/register", json=account, **home).status_code == 201
    guesses = [login(client, account["email"], "203.0.113.9").status_code for _ in range(3)]
    assert guesses == [401, 401, 429]
    assert client.post("/login", json=account, **home).status_code == 200
    more = [login(client, account["email"], f"203.0.113.{n}").status_code for n in range(10, 13)]
    assert more[-1] == 429
    assert client.post("/login", json=account, **home).status_code == 200


def test_a_known_device_has_a_limit_too(auth: Any, account: Any) -> None:
    """Guesses from the owner's own network are limited like those from other networks."""
    client = auth.client(limit_login_account=2)
    assert client.post("/register", json=account).status_code == 201
    assert [login(client, account["email"]).status_code for _ in range(3)] == [401, 401, 429]


def test_wrong_secrets_from_other_addresses_do_not_block_a_service_client(
    auth: Any, service_clients: str
) -> None:
    """Wrong client secrets from other addresses do not block the service client itself."""
    client = auth.client(service_clients=service_clients, limit_token_account=2)
    given = {"grant_type": "client_credentials", "client_id": "api-gateway", "audience": "storage"}

    def ask(secret: str, address: str) -> int:
        body = {**given, "client_secret": secret}
        return int(client.post("/token", json=body, environ_overrides={"REMOTE_ADDR": address}).status_code)

    assert [ask("wrong", "203.0.113.9") for _ in range(3)] == [401, 401, 429]
    assert ask(CLIENT_SECRET, "192.0.2.1") == 200


def test_a_forwarded_address_without_a_signature_is_ignored(auth: Any) -> None:
    """X-Forwarded-For without a proof is ignored, also from loopback."""
    client = auth.client(limit_login_address=1)
    for n, expected in ((1, 401), (2, 429)):
        headers = {
            "X-Forwarded-For": f"10.1.1.{n}",
            "X-Real-IP": f"10.1.1.{n}",
            "Forwarded": f"for=10.1.1.{n}",
        }
        assert login(client, f"{n}@example.com", **headers).status_code == expected


@pytest.mark.parametrize("route", ["register", "refresh", "token"])
def test_the_other_routes_are_limited_too(auth: Any, route: str) -> None:
    """The other routes are limited too, also for malformed bodies."""
    client = auth.client(**{f"limit_{route}_address": 1})
    assert client.post(f"/{route}", data="[" * 9000, content_type="application/json").status_code == 400
    assert client.post(f"/{route}", json={}).status_code == 429


def test_refreshes_are_limited_by_account(auth: Any, client: Any, session: Any) -> None:
    """Refreshes are limited per account: the owner of the token."""
    client = auth.client(limit_refresh_account=1)
    token = client.post("/refresh", json={"refresh_token": session["refresh_token"]}).json["refresh_token"]
    assert client.post("/refresh", json={"refresh_token": token}).status_code == 429


def test_counters_are_in_redis_without_emails(auth: Any, client: Any) -> None:
    """The counters in Redis have auth's own prefix and contain no emails."""
    login(client, "a@example.com")
    with redis.Redis.from_url(auth.redis_url) as store:
        names = [name.decode() for name in store.scan_iter()]
        assert names
        assert all(store.ttl(name) > 0 for name in names)
    assert all(name.startswith("limits:auth") for name in names), names
    assert not any("example" in name for name in names)


@pytest.mark.parametrize("setting", [("maxmemory", "1"), ("min-replicas-to-write", "1")])
def test_logins_work_while_redis_refuses_writes(
    auth: Any, own_redis: RedisServer, setting: tuple[str, str]
) -> None:
    """If Redis refuses writes (full, or too few replicas), limits are counted in memory, without errors."""
    with redis.Redis.from_url(own_redis.url()) as store:
        store.config_set(*setting)
    client = auth.client(redis_url=own_redis.url(), limit_login_address=2)
    assert [login(client, f"{n}@example.com").status_code for n in range(3)] == [401, 401, 429]


def test_without_redis_limits_are_counted_in_memory(auth: Any) -> None:
    """Without Redis limits are counted in memory, and a metric counts those requests."""
    client = auth.client(redis_url="redis://127.0.0.1:9/0", limit_login_address=2)
    before = REGISTRY.get_sample_value("auth_limits_fallback_total") or 0
    got = [login(client, f"{n}@example.com").status_code for n in range(3)]
    assert got == [401, 401, 429]
    assert REGISTRY.get_sample_value("auth_limits_fallback_total") == before + 3
    assert client.get("/readyz").status_code == 200


@pytest.mark.parametrize(("hops", "last"), [(0, 429), (1, 401)])
def test_forwarded_addresses_count_only_from_trusted_proxies(auth: Any, hops: int, last: int) -> None:
    """X-Forwarded-For is ignored by default, because any client can send it."""
    client = auth.client(trusted_proxies=hops, limit_login_address=1)
    for n, expected in ((1, 401), (2, last)):
        headers = {"X-Forwarded-For": f"10.1.1.{n}"}
        assert login(client, f"{n}@example.com", **headers).status_code == expected


def test_an_ipv4_mapped_address_counts_as_ipv4(auth: Any) -> None:
    """An IPv4-mapped address counts as IPv4; otherwise all IPv4 callers would share one /64."""
    client = auth.client(limit_login_address=1)
    got = [login(client, f"{n}@example.com", f"::ffff:192.0.2.{n}").status_code for n in (1, 2)]
    assert got == [401, 401]


@pytest.mark.parametrize(
    ("method", "path", "sent", "status", "code"),
    [
        ("GET", "/nothing", {}, 404, "not_found"),
        ("GET", "/login", {}, 405, "method_not_allowed"),
        ("POST", "/login", {"data": "x"}, 415, "unsupported_media_type"),
        ("POST", "/login", {"data": "{", "content_type": "application/json"}, 400, "bad_input"),
        ("POST", "/login", {"json": ["x"]}, 400, "bad_input"),
        ("POST", "/login", {"data": "[" * 15_000, "content_type": "application/json"}, 400, "bad_input"),
        ("POST", "/login", {"json": {"email": "x" * 17_000}}, 413, "body_too_large"),
        ("POST", "/logout", {"json": {}}, 400, "bad_input"),
        ("POST", "/refresh", {"json": {"refresh_token": 5}}, 400, "bad_input"),
    ],
)
def test_every_error_is_a_problem(
    client: Any, method: str, path: str, sent: dict[str, Any], status: int, code: str
) -> None:
    """Every error is an RFC 9457 problem with a stable code and the request id."""
    got = client.open(path, method=method, **sent)
    assert_problem(got, status, code)


def test_without_mongodb_a_login_gets_503(auth: Any, capsys: Any) -> None:
    """Without MongoDB a login gets 503, and neither response nor log contains the address or password."""
    client = auth.client(mongo_url="mongodb://someone:pass-word@127.0.0.1:9/deltastream")
    got = login(client, "a@example.com")
    assert (got.status_code, got.json["code"], got.headers["Retry-After"]) == (503, "store_unavailable", "1")
    assert "127.0.0.1:9" not in got.text
    assert "pass-word" not in capsys.readouterr().err


def test_logs_contain_no_secrets(auth: Any, account: Any, capsys: Any) -> None:
    """No log line contains an email, a password or a token, also after errors."""
    client = auth.client(limit_login_account=4)
    session = client.post("/register", json=account).json
    client.post("/register", json=account)
    for password in (account["password"], "a wrong password"):
        client.post("/login", json={**account, "password": password})
    client.post("/login", data=f'{{"email": "{account["email"]}"', content_type="application/json")
    client.post("/verify", headers={"Authorization": f"Bearer {session['token']}"})
    for _ in range(2):
        client.post("/refresh", json={"refresh_token": session["refresh_token"]})
    client.post("/logout", json={"refresh_token": session["refresh_token"]})
    for _ in range(4):
        client.post("/login", json=account)
    auth.db["users"].update_one({}, {"$unset": {"password_hash": ""}})  # cause an unexpected error
    broken = auth.client(limit_login_account=100).post("/login", json=account)
    assert (broken.status_code, broken.json["code"]) == (500, "internal_error")
    output = capsys.readouterr().err
    assert output.count('"event": "request"') >= 14
    names = [account["email"], "trader", account["password"], "a wrong password"]
    for secret in [*names, session["token"], session["refresh_token"]]:
        assert secret not in output


def test_responses_with_tokens_are_not_cached(client: Any, account: Any) -> None:
    """Responses with tokens have `no-store` and `nosniff`."""
    got = client.post("/register", json=account)
    assert got.headers["Cache-Control"] == "no-store"
    assert got.headers["X-Content-Type-Options"] == "nosniff"
