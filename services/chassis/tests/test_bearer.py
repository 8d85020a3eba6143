"""Tests for the verification of bearer tokens."""

from __future__ import annotations

from collections.abc import Iterator

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from devcluster.ports import free_port
from devcluster.waiting import wait_until
from tests.support.tokens import access_token, key_server

from chassis.bearer import KeysUnavailable, Unauthorized, Verifier

OURS = "storage"


@pytest.fixture(scope="module")
def verifier() -> Iterator[Verifier]:
    with key_server() as url:
        yield Verifier(f"{url}/.well-known/jwks.json", OURS)


# Pytest makes the parameters of a test long before it runs the test.
WHOLE_RUN_S = 86_400


def _altered(token: str) -> str:
    head, claims, signature = token.split(".")
    return f"{head}.{claims}.{signature[::-1]}"


def test_a_token_for_this_audience_is_accepted(verifier: Verifier) -> None:
    """The case of the scheme `Bearer` does not matter (RFC 9110)."""
    for scheme in ("Bearer", "bearer"):
        assert verifier.claims(f"{scheme} {access_token(OURS)}")["sub"] == "service:api-gateway"


@pytest.mark.parametrize(
    ("authorization", "reason"),
    [
        (None, "a bearer token is needed"),
        ("", "a bearer token is needed"),
        ("Bearer ", "a bearer token is needed"),
        ("Basic dGVzdDp0ZXN0", "a bearer token is needed"),
        ("Bearer x.y.z", "not valid"),
        (f"Bearer {access_token(OURS, lifetime_s=-31)}", "expired"),
        (f"Bearer {access_token('deltastream-api', lifetime_s=WHOLE_RUN_S)}", "another audience"),
        (f"Bearer {access_token(OURS, issuer='somebody', lifetime_s=WHOLE_RUN_S)}", "not valid"),
        (f"Bearer {access_token(OURS, key=Ed25519PrivateKey.generate())}", "not valid"),
        (f"Bearer {_altered(access_token(OURS))}", "not valid"),
        (
            f"Bearer {jwt.encode({'aud': OURS}, 'k' * 32, algorithm='HS256', headers={'kid': 'k1'})}",
            "not valid",
        ),
        (f"Bearer {jwt.encode({'aud': OURS}, '', algorithm='none', headers={'kid': 'k1'})}", "not valid"),
    ],
)
def test_every_other_token_is_refused_with_a_reason(
    authorization: str | None, reason: str, verifier: Verifier
) -> None:
    """A token needs our issuer, key, algorithm and audience, and must not be expired by more than 30 s."""
    with pytest.raises(Unauthorized, match=reason):
        verifier.claims(authorization)


def test_a_token_within_the_leeway_is_still_accepted(verifier: Verifier) -> None:
    """The clocks of two nodes differ a little."""
    assert verifier.claims(f"Bearer {access_token(OURS, lifetime_s=-20)}")


def test_without_keys_no_token_is_refused() -> None:
    """An outage of auth raises KeysUnavailable, not Unauthorized: the token may be valid."""
    with pytest.raises(KeysUnavailable):
        Verifier(f"http://127.0.0.1:{free_port()}/jwks", OURS).claims(f"Bearer {access_token(OURS)}")


def test_a_token_is_verified_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A signature is checked once per token and key, and again after the key was fetched again."""
    with key_server() as url:
        own = Verifier(f"{url}/.well-known/jwks.json", OURS)
        calls: list[str] = []
        decode = jwt.decode
        monkeypatch.setattr(
            jwt, "decode", lambda token, *a, **k: calls.append(token) or decode(token, *a, **k)
        )
        tokens = [access_token(OURS), access_token(OURS)]
        for token in tokens * 2:
            own.claims(f"Bearer {token}")
        assert calls == tokens
        own._keys._renew()
        own.claims(f"Bearer {tokens[0]}")
        assert calls == [*tokens, tokens[0]]


def test_a_verified_token_still_expires(verifier: Verifier) -> None:
    """A token that was accepted is refused once it has expired by more than 30 s."""
    token = f"Bearer {access_token(OURS, lifetime_s=-28)}"
    verifier.claims(token)
    wait_until(lambda: _is_refused(verifier, token), "the token has expired")


def _is_refused(verifier: Verifier, token: str) -> bool:
    try:
        verifier.claims(token)
    except Unauthorized as error:
        return "expired" in error.reason
    return False
