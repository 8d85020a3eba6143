"""Access tokens like those of the auth service, and a server that publishes their public key."""

from __future__ import annotations

import json
import threading
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from tests.support.contracts import validator

ISSUER = "deltastream-auth"
USER = "5f" * 16
KEY = Ed25519PrivateKey.generate()


def access_token(
    audience: str,
    subject: str | None = None,
    *,
    roles: Sequence[str] = (),
    lifetime_s: int = 600,
    issuer: str = ISSUER,
    key: Ed25519PrivateKey = KEY,
) -> str:
    """Return a signed token: of a user for the API's audience, of a service for any other audience.

    The claims follow the contract. For a forged token a test passes another issuer or another key.
    """
    now = int(time.time())
    claims = {
        "iss": ISSUER,
        "aud": audience,
        "sub": subject or (USER if audience == "deltastream-api" else "service:api-gateway"),
        "jti": uuid.uuid4().hex,
        "iat": now,
        "exp": now + lifetime_s,
        **({"roles": list(roles)} if roles else {}),
    }
    validator("token-claims").validate(claims)
    return jwt.encode({**claims, "iss": issuer}, key, algorithm="EdDSA", headers={"kid": "k1"})


def headers_of(role: str, subject: str = USER) -> dict[str, str]:
    """Return the headers of a user with this role, for ten minutes: a test makes them when it needs them."""
    return {"Authorization": f"Bearer {access_token('deltastream-api', subject, roles=[role])}"}


def subject_of(authorization: str, audience: str) -> str | None:
    """Return the subject of an Authorization header's token; None if it is invalid for the audience."""
    token = authorization.removeprefix("Bearer ")
    try:
        claims = jwt.decode(token, KEY.public_key(), algorithms=["EdDSA"], audience=audience, issuer=ISSUER)
    except jwt.PyJWTError:
        return None
    return str(claims["sub"])


def jwks() -> dict[str, Any]:
    """Return the auth service's response at /.well-known/jwks.json."""
    jwk = json.loads(jwt.algorithms.OKPAlgorithm.to_jwk(KEY.public_key()))
    return {"keys": [{**jwk, "kid": "k1", "use": "sig", "alg": "EdDSA"}]}


@contextmanager
def key_server() -> Iterator[str]:
    """Run a server that only publishes the key as the auth service does, and yield its URL."""
    body = json.dumps(jwks()).encode()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200 if self.path == "/.well-known/jwks.json" else 404)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
