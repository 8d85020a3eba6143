"""Tests for the gunicorn settings that all HTTP services share."""

from __future__ import annotations

import pytest

from chassis import gunicorn_base


@pytest.mark.parametrize(
    ("host", "bind"),
    [
        ("127.0.0.1", "127.0.0.1:8000"),
        ("localhost", "localhost:8000"),
        ("::", "[::]:8000"),
        ("::1", "[::1]:8000"),
    ],
)
def test_an_ipv6_address_is_bound_in_brackets(host: str, bind: str) -> None:
    """gunicorn splits the bind address at the last colon."""
    assert gunicorn_base.address(host, 8000) == bind
