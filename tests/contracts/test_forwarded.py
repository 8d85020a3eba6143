"""auth trusts the caller's address in a request only if the API gateway signed it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import pytest

from api_gateway.forwarded import Forwarded
from auth.clients import Client, Clients
from auth.forwarded import forwarded

SECRET, NOW = "the-gateways-own-secret", 1_700_000_000.0
CLIENTS = Clients({"api-gateway": Client(secret=SECRET, audiences=["storage"])})


def caller_address(headers: dict[str, str], path: str = "/login") -> str:
    """The caller's address, as auth sees it for a request with these headers."""
    seen: dict[str, Any] = {}

    def app(environ: dict[str, Any], _start: Callable[..., Any]) -> Iterable[bytes]:
        seen.update(environ)
        return []

    environ = {"REMOTE_ADDR": "127.0.0.1", "PATH_INFO": path}
    environ |= {f"HTTP_{name.upper().replace('-', '_')}": value for name, value in headers.items()}
    forwarded(app, CLIENTS, lambda: NOW)(environ, lambda *_: None)
    return str(seen["REMOTE_ADDR"])


@pytest.mark.parametrize("address", ["10.1.1.1", "2001:db8::1"])
def test_an_address_signed_by_the_gateway_is_trusted(address: str) -> None:
    """auth then counts rate limits by the gateway's callers, not by the gateway."""
    assert (
        caller_address(Forwarded("api-gateway", SECRET, clock=lambda: NOW).headers("/login", address))
        == address
    )


@pytest.mark.parametrize(
    ("client", "secret", "late_s", "path"),
    [
        ("api-gateway", "wrong", 0, "/login"),
        ("nobody", SECRET, 0, "/login"),
        ("api-gateway", SECRET, 3600, "/login"),
        ("api-gateway", SECRET, -3600, "/login"),
        ("api-gateway", SECRET, 0, "/register"),
    ],
)
def test_a_wrong_secret_client_time_or_path_is_not_trusted(
    client: str, secret: str, late_s: float, path: str
) -> None:
    """The signature must use the shared secret, name this path and be recent."""
    headers = Forwarded(client, secret, clock=lambda: NOW - late_s).headers(path, "10.1.1.1")
    assert caller_address(headers) == "127.0.0.1"


@pytest.mark.parametrize("changed", [{"X-Forwarded-For": "10.1.1.2"}, {"X-Forwarded-Proof": "x"}])
def test_a_changed_address_or_signature_is_not_trusted(changed: dict[str, str]) -> None:
    """The signature covers the address."""
    headers = Forwarded("api-gateway", SECRET, clock=lambda: NOW).headers("/login", "10.1.1.1")
    assert caller_address({**headers, **changed}) == "127.0.0.1"


def test_only_an_ip_address_is_trusted() -> None:
    """Even a client with a secret can send only an IP address: rate limits use it as their key."""
    word = Forwarded("api-gateway", SECRET, clock=lambda: NOW).headers("/login", "10.1.1.1, 10.1.1.2")
    assert caller_address(word) == "127.0.0.1"
