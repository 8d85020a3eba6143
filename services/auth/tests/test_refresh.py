"""Refresh tokens: used once, and revoked as families."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any


def refresh(client: Any, token: str) -> Any:
    return client.post("/refresh", json={"refresh_token": token})


def test_a_refresh_returns_a_new_pair_of_tokens(client: Any, session: Any) -> None:
    """A refresh returns new tokens of the same account, which can be refreshed in turn."""
    first = refresh(client, session["refresh_token"])
    assert first.status_code == 200
    assert first.json["user"] == session["user"]
    assert first.json["refresh_token"] != session["refresh_token"]
    assert refresh(client, first.json["refresh_token"]).status_code == 200


def test_a_second_use_revokes_the_tokens_family(client: Any, session: Any, account: Any) -> None:
    """A second use revokes the token's family, since one user stole it; other logins stay valid."""
    other = client.post("/login", json=account).json["refresh_token"]
    following = refresh(client, session["refresh_token"]).json["refresh_token"]
    assert refresh(client, session["refresh_token"]).status_code == 401
    assert refresh(client, following).status_code == 401
    assert refresh(client, other).status_code == 200


def test_of_simultaneous_refreshes_exactly_one_succeeds(
    auth: Any, client: Any, account: Any, session: Any
) -> None:
    """Of simultaneous uses one succeeds; its new token is revoked too, because the old one was used twice."""
    for _ in range(5):
        token = client.post("/login", json=account).json["refresh_token"]
        with ThreadPoolExecutor(4) as pool:
            got = list(pool.map(lambda _, token=token: refresh(client, token), range(4)))
        assert sorted(one.status_code for one in got) == [200, 401, 401, 401]
        (won,) = [one.json["refresh_token"] for one in got if one.status_code == 200]
        assert refresh(client, won).status_code == 401
    assert auth.db["refresh_tokens"].count_documents({"revoked": False}) == 1  # of the registration


def test_every_refused_token_gets_the_same_response(auth: Any, client: Any, session: Any) -> None:
    """Tokens that are unknown, expired, revoked or of a deleted account get the same response."""
    refusals = [refresh(client, "unknown")]
    ended = refresh(client, session["refresh_token"]).json["refresh_token"]
    client.post("/logout", json={"refresh_token": ended})
    refusals.append(refresh(client, ended))
    account = {"email": "b@example.com", "password": "a long password"}
    late = client.post("/register", json=account).json["refresh_token"]
    auth.clock.at += 30 * 86_400 + 1
    refusals.append(refresh(client, late))
    orphan = client.post("/login", json=account).json["refresh_token"]
    auth.db["users"].delete_one({"email": account["email"]})
    refusals.append(refresh(client, orphan))
    answers = [(one.status_code, {**one.json, "request_id": ""}) for one in refusals]
    assert answers == [answers[0]] * 4
    assert answers[0][0] == 401


def test_a_refresh_token_is_valid_for_thirty_days(auth: Any, client: Any, session: Any) -> None:
    """A refresh token is valid until one second before its end."""
    auth.clock.at += 30 * 86_400 - 1
    assert refresh(client, session["refresh_token"]).status_code == 200


def test_logout_revokes_the_family_and_is_idempotent(client: Any, session: Any) -> None:
    """Logout revokes the family and is idempotent; it accepts unknown and used tokens too."""
    following = refresh(client, session["refresh_token"]).json["refresh_token"]
    for token in (session["refresh_token"], session["refresh_token"], "never-was"):
        got = client.post("/logout", json={"refresh_token": token})
        assert (got.status_code, got.data) == (204, b"")
    assert refresh(client, following).status_code == 401
