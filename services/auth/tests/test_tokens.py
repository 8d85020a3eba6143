"""Access tokens and their signing keys."""

from __future__ import annotations

import base64
import json
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from tests.support.contracts import validator

from auth.keys import KeyRing

OTHER = "Pz8rT5vY1nC4kW7mB0xQ3hL6jD9gS2fa-next"


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def keys(client: Any) -> dict[str, Any]:
    """Return the published keys by kid."""
    return {key["kid"]: jwt.PyJWK(key).key for key in client.get("/.well-known/jwks.json").json["keys"]}


def test_a_users_token_matches_the_contract(client: Any, session: Any, account: Any) -> None:
    """A user's token matches the contract: EdDSA with a published key, ten minutes, the users' audience."""
    header = jwt.get_unverified_header(session["token"])
    claims = jwt.decode(
        session["token"], keys(client)[header["kid"]], algorithms=["EdDSA"], audience="deltastream-api"
    )
    validator("token-claims").validate(claims)
    assert (claims["sub"], claims["email"]) == (session["user_id"], account["email"])
    assert claims["exp"] - claims["iat"] == 600
    assert header["alg"] == "EdDSA"


def test_verify_returns_the_user_of_the_token(client: Any, session: Any, account: Any) -> None:
    """/verify returns user id and email, as in the original."""
    got = client.post("/verify", headers=bearer(session["token"]))
    expected = {"valid": True, "user_id": session["user_id"], "email": account["email"]}
    assert (got.status_code, got.json) == (200, expected)


def test_the_key_follows_from_the_secret(auth: Any) -> None:
    """The key depends only on the secret, so replicas and restarts agree on it."""
    assert keys(auth.client()).keys() == keys(auth.client()).keys()
    assert keys(auth.client()).keys() != keys(auth.client(jwt_secret=OTHER)).keys()


def test_the_jwks_has_no_private_part(client: Any) -> None:
    """The JWKS contains no private key (`d`)."""
    got = client.get("/.well-known/jwks.json")
    assert all(key.keys() == {"kty", "crv", "use", "alg", "kid", "x"} for key in got.json["keys"])
    assert got.headers["Cache-Control"] == "public, max-age=300"


def test_a_rotation_keeps_tokens_until_the_old_secret_goes(auth: Any, session: Any, account: Any) -> None:
    """With JWT_PREVIOUS_SECRET old tokens stay valid and new ones use the new key; later they are refused."""
    from_conftest = auth.client()  # the old secret
    old = from_conftest.post("/login", json=account).json["token"]
    secret = type(auth).client.__globals__["SECRET"]
    during = auth.client(jwt_secret=OTHER, jwt_previous_secret=secret)
    assert during.post("/verify", headers=bearer(old)).status_code == 200
    assert len(keys(during)) == 2
    new = during.post("/login", json=account).json["token"]
    after = auth.client(jwt_secret=OTHER)
    assert after.post("/verify", headers=bearer(new)).status_code == 200
    assert after.post("/verify", headers=bearer(old)).status_code == 401


def unsigned(claims: dict[str, Any], header: dict[str, Any], key: bytes = b"") -> str:
    """Build a token by hand, because PyJWT refuses to build invalid ones."""
    import hashlib
    import hmac

    def b64(raw: bytes) -> str:
        return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()

    head = f"{b64(json.dumps(header).encode())}.{b64(json.dumps(claims).encode())}"
    signature = hmac.new(key, head.encode(), hashlib.sha256).digest() if key else b""
    return f"{head}.{b64(signature)}"


@pytest.mark.parametrize(
    "kind", ["none", "HS256", "published kid", "no kid", "service's", "cut", "basic", ""]
)
def test_a_token_that_auth_did_not_sign_for_users_is_refused(
    client: Any, session: Any, auth: Any, kind: str
) -> None:
    """Tokens that auth did not sign for users are refused; a token cannot choose its algorithm."""
    header = jwt.get_unverified_header(session["token"])
    claims = jwt.decode(session["token"], options={"verify_signature": False})
    (jwk,) = client.get("/.well-known/jwks.json").json["keys"]
    public = base64.urlsafe_b64decode(jwk["x"] + "=")
    secret = type(auth).client.__globals__["SECRET"]
    ring = KeyRing(secret, None, lifetime_s=600, clock=auth.clock)
    forged = Ed25519PrivateKey.generate()
    tokens = {
        "none": unsigned(claims, {**header, "alg": "none"}),
        "HS256": unsigned(claims, {**header, "alg": "HS256"}, public),
        "published kid": jwt.encode(claims, forged, "EdDSA", headers={"kid": header["kid"]}),
        "no kid": jwt.encode(claims, forged, "EdDSA"),
        "service's": ring.issue("service:api-gateway", "storage")[0],
        "cut": session["token"][:-4],
        "basic": "dGVzdDp0ZXN0",
        "": "",
    }
    headers = {"basic": {"Authorization": f"Basic {tokens['basic']}"}, "": {}}.get(kind, bearer(tokens[kind]))
    got = client.post("/verify", headers=headers)
    assert (got.status_code, got.json["code"], got.json["valid"]) == (401, "unauthorized", False)
    assert got.headers["WWW-Authenticate"] == "Bearer"


def test_an_access_token_expires(auth: Any, client: Any, session: Any, account: Any) -> None:
    """A token is refused ten minutes plus the leeway after its issue."""
    auth.clock.at -= 631
    old = client.post("/login", json=account).json["token"]
    assert client.post("/verify", headers=bearer(old)).status_code == 401
