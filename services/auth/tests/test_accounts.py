"""Registration and login."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Any

import pytest
from prometheus_client import REGISTRY
from tests.support.contracts import shown, validator

from auth.errors import Busy
from auth.passwords import Passwords, owasp_hasher


def test_registering_gives_an_account_and_a_session(auth: Any, session: Any, account: Any) -> None:
    """A registration returns an account and a session, with the fields `token` and `user` of the original."""
    assert session["token"] == session["access_token"]
    assert session["user"] == {"id": session["user_id"], "email": account["email"], "name": ""}
    assert session["expires_in"] == 600
    assert datetime.fromisoformat(session["expires_at"]).timestamp() == int(auth.clock()) + 600
    assert session["message"]


def test_stored_documents_match_the_contracts(auth: Any, session: Any) -> None:
    """Stored accounts and refresh tokens match the contracts; a refresh token is stored only as its hash."""
    (user,), (token,) = auth.db["users"].find(), auth.db["refresh_tokens"].find()
    validator("document-users").validate(shown(user))
    validator("document-refresh_tokens").validate(shown(token))
    assert session["refresh_token"] not in str(token)


def test_the_products_hasher_has_owasps_parameters() -> None:
    """The product hashes with Argon2id, 19 MiB, two passes, one lane."""
    assert owasp_hasher().hash("x").startswith("$argon2id$v=19$m=19456,t=2,p=1$")


def test_an_email_has_one_account(auth: Any, client: Any, account: Any) -> None:
    """An email gets one account, also with simultaneous registrations and with another spelling."""
    with ThreadPoolExecutor(4) as pool:
        got = list(pool.map(lambda _: client.post("/register", json=account).status_code, range(4)))
    assert sorted(got) == [201, 409, 409, 409]
    again = client.post("/register", json={**account, "email": " TRADER@Example.com "})
    assert (again.status_code, again.json["code"]) == (409, "email_taken")
    assert auth.db["users"].count_documents({}) == 1


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("email", None),
        ("email", "no-at-sign"),
        ("email", "a b@example.com"),
        ("email", "a@exa..mple.com"),
        ("email", "a@" + "x" * 260),
        ("email", 5),
        ("password", None),
        ("password", "elevenchars"),
        ("password", "x" * 129),
        ("password", "x" * 600),
        ("password", ["x"]),
        ("name", "x" * 101),
        ("name", "line\nbreak"),
        ("email", "tr\u0430der@example.com"),  # a Cyrillic a
        ("email", "\uff54rader@example.com"),  # fullwidth
        ("email", "trader\u200b@example.com"),
        ("email", "\u202etrader@example.com"),
        ("email", "trader@ex\u00adample.com"),
        ("email", ".trader@example.com"),
        ("email", "trader@example-.com"),
        ("email", "\ud83d\ude00@example.com"),
        ("name", "Tra\u200bder"),
        ("name", "\u202eredarT"),
        ("name", "\u3164"),
        ("name", "Trader\u0085"),
        ("name", "\ufb01nance"),  # a ligature
        ("name", "\U0001d413rader"),  # a styled letter
        ("name", "Trader\u2066"),
        ("name", "\ue000"),
    ],
)
def test_an_invalid_field_is_named(client: Any, account: Any, field: str, value: object) -> None:
    """400 names the invalid field and its rule, but not the value."""
    given = {k: v for k, v in {**account, field: value}.items() if v is not None}
    got = client.post("/register", json=given)
    assert (got.status_code, got.json["code"]) == (400, "bad_input")
    assert [one["field"] for one in got.json["errors"]] == [field]
    if isinstance(value, str):
        assert value not in got.text


def test_the_originals_password_may_be_allowed(auth: Any) -> None:
    """PASSWORD_MIN_LENGTH=7 allows "test123", the password of the original's example clients."""
    got = auth.client(password_min_length=7).post(
        "/register", json={"email": "a@example.com", "password": "test123", "name": "Test User"}
    )
    assert got.status_code == 201


def test_a_login_accepts_the_email_in_any_case_and_the_password_in_any_unicode_form(
    client: Any, session: Any, account: Any
) -> None:
    """A login accepts the email in any case, and the password in any Unicode form of the same characters."""
    got = client.post("/login", json={**account, "email": account["email"].upper()})
    assert (got.status_code, got.json["user"]) == (200, session["user"])
    composed = {"email": "b@example.com", "password": "caf\u00e9 caf\u00e9 caf\u00e9"}
    assert client.post("/register", json=composed).status_code == 201
    decomposed = {**composed, "password": "cafe\u0301 cafe\u0301 cafe\u0301"}
    assert client.post("/login", json=decomposed).status_code == 200


def test_an_unknown_account_looks_like_a_wrong_password(
    auth: Any, client: Any, session: Any, account: Any
) -> None:
    """An unknown email gets the same response after the same work as a wrong password."""
    answers, works = [], []
    for given in ({**account, "password": "wrong password"}, {**account, "email": "x@example.com"}):
        before = auth.hasher.verified
        got = client.post("/login", json=given)
        works.append(auth.hasher.verified - before)
        answers.append((got.status_code, {**got.json, "request_id": ""}))
    assert answers[0] == answers[1]
    assert answers[0][0] == 401
    assert works == [1, 1]


def test_a_login_updates_a_hash_with_old_parameters(
    auth: Any, session: Any, account: Any, counting: Any
) -> None:
    """After a change of the parameters, the next login stores a new hash."""
    stronger = auth.client(hasher=counting(time_cost=2))
    assert stronger.post("/login", json=account).status_code == 200
    assert ",t=2," in auth.db["users"].find_one()["password_hash"]
    assert stronger.post("/login", json=account).status_code == 200


def test_the_number_of_simultaneous_hashes_is_limited(counting: Any) -> None:
    """A caller beyond the limit is refused and counted; a finished hash frees its slot."""
    passwords = Passwords(counting(), at_once=1, waiting=1, wait_s=0)
    before = REGISTRY.get_sample_value("auth_hash_refused_total") or 0
    with passwords.slot(), pytest.raises(Busy):
        passwords.hash("x")
    assert REGISTRY.get_sample_value("auth_hash_refused_total") == before + 1
    assert passwords.check(passwords.hash("x"), "x")


def test_a_login_beyond_the_hashing_limit_gets_503(auth: Any, account: Any, counting: Any) -> None:
    """A login beyond the limit gets 503 with Retry-After; the running login succeeds."""
    import threading

    inside, go = threading.Event(), threading.Event()

    class Slow(type(counting())):  # type: ignore[misc]
        def verify(self, hash: Any, password: Any) -> Any:
            inside.set()
            assert go.wait(30)
            return super().verify(hash, password)

    client = auth.client(hasher=Slow(), hash_concurrency=1, hash_wait_ms=0)
    assert client.post("/register", json=account).status_code == 201
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(client.post, "/login", json=account)
        assert inside.wait(30)
        second = client.post("/login", json=account)
        go.set()
    assert (second.status_code, second.json["code"], second.headers["Retry-After"]) == (503, "busy", "1")
    assert first.result().status_code == 200


def test_readiness_needs_the_unique_index(auth: Any, client: Any) -> None:
    """Without the unique index on email auth is not ready: an email could get two accounts."""
    assert client.get("/readyz").status_code == 200
    auth.db["users"].drop_indexes()
    unready = auth.client().get("/readyz")
    assert (unready.status_code, unready.json["checks"]) == (503, {"mongo": "unavailable"})
