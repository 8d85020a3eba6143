"""Roles: the oldest account of a local run is its operator, and settings name the accounts that may push."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import jwt
from tests.support.contracts import validator


def registered(client: Any, email: str) -> dict[str, Any]:
    got = client.post("/register", json={"email": email, "password": "correct horse 7 staple"})
    assert got.status_code == 201, got.text
    answer: dict[str, Any] = got.json
    return answer


def roles(session: dict[str, Any]) -> Any:
    """The roles in the token, which follows its contract; None if it has no such claim."""
    claims = jwt.decode(session["token"], options={"verify_signature": False})
    validator("token-claims").validate(claims)
    assert session["user"]["roles"] == claims.get("roles", [])
    return claims.get("roles")


def test_only_the_first_account_is_operator_also_after_login_and_refresh(auth: Any) -> None:
    """Every token of the account has the role."""
    client = auth.client(first_account_is_operator=True)
    first = registered(client, "first@example.com")
    auth.clock.at += 1
    second = registered(client, "second@example.com")
    assert (roles(first), roles(second)) == (["operator", "ingest"], None)
    given = {"email": "first@example.com", "password": "correct horse 7 staple"}
    assert roles(client.post("/login", json=given).json) == ["operator", "ingest"]
    refreshed = client.post("/refresh", json={"refresh_token": first["refresh_token"]})
    assert roles(refreshed.json) == ["operator", "ingest"]


def test_without_the_setting_no_account_has_a_role(auth: Any) -> None:
    """In a cluster whoever registers first must not get rights."""
    assert roles(registered(auth.client(), "first@example.com")) is None


def test_the_accounts_of_the_setting_may_push(auth: Any) -> None:
    """The setting names ids and not addresses: anyone may register an address before its owner does."""
    first = registered(auth.client(), "first@example.com")
    second = registered(auth.client(), "second@example.com")
    client = auth.client(ingest_accounts=f"{first['user_id']}, {'0' * 32}")
    for session, expected in ((first, ["ingest"]), (second, None)):
        refreshed = client.post("/refresh", json={"refresh_token": session["refresh_token"]})
        assert roles(refreshed.json) == expected


def test_of_simultaneous_first_accounts_one_is_operator(auth: Any) -> None:
    """The role is not stored, so no race can give it to two accounts."""
    client = auth.client(first_account_is_operator=True)
    emails = [f"{number}@example.com" for number in range(4)]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda email: registered(client, email), emails))
    logins = [
        client.post("/login", json={"email": email, "password": "correct horse 7 staple"}).json
        for email in emails
    ]
    assert [roles(one) for one in logins].count(["operator", "ingest"]) == 1
