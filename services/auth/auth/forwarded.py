"""Determine the caller's address: X-Forwarded-For if a service client signed it, else the TCP peer.

Any client that reaches auth can send X-Forwarded-For. Without NetworkPolicies, or in a local run, this is any
process. The API gateway's forwarded.py creates the signature.
"""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import re
from collections.abc import Callable, Iterable
from typing import Any

from auth.clients import Clients

_FRESH_S = 300  # seconds; the clocks of two nodes may differ
_PROOF = re.compile(r"([a-z0-9-]{1,40}) ([0-9]{1,12}) ([0-9a-f]{64})")


def forwarded(
    app: Callable[..., Iterable[bytes]], clients: Clients, clock: Callable[[], float]
) -> Callable[..., Iterable[bytes]]:
    """WSGI middleware: set REMOTE_ADDR to X-Forwarded-For if X-Forwarded-Proof is valid."""

    def signature_is_valid(environ: dict[str, Any]) -> bool:
        parts = _PROOF.fullmatch(environ.get("HTTP_X_FORWARDED_PROOF", ""))
        if parts is None or abs(clock() - int(parts[2])) > _FRESH_S:
            return False
        address = environ.get("HTTP_X_FORWARDED_FOR", "")
        message = "\n".join(("forwarded v1", parts[2], environ.get("PATH_INFO", ""), address)).encode()
        expected = hmac.new(clients.key(parts[1]), message, hashlib.sha256).hexdigest()
        return hmac.compare_digest(expected, parts[3]) and _is_address(address)

    def wrapped(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        if signature_is_valid(environ):
            environ["REMOTE_ADDR"] = environ["HTTP_X_FORWARDED_FOR"]
        return app(environ, start_response)

    return wrapped


def _is_address(value: str) -> bool:
    try:
        ipaddress.ip_address(value)
    except ValueError:
        return False
    return True
