"""Tests for client addresses: which addresses count as one sender."""

from __future__ import annotations

import pytest

from chassis import addresses


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("::1", "::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("::FFFF:192.0.2.1", "192.0.2.1"),
        ("::ffff:c000:201", "192.0.2.1"),
        ("0:0:0:0:0:ffff:192.0.2.1", "192.0.2.1"),
        ("", None),
        ("unknown", None),
        ("::ffff:nobody", None),
        ("192.0.2.1, 192.0.2.2", None),
    ],
)
def test_a_sender_is_an_ipv4_address_or_an_ipv6_network(address: str, network: str | None) -> None:
    """All spellings of an address map to one sender, else each spelling has its own rate limit."""
    assert addresses.network(address) == network


@pytest.mark.parametrize(
    ("address", "plain"),
    [
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("::ffff:c000:201", "192.0.2.1"),
        ("192.0.2.1", "192.0.2.1"),
        ("2001:db8::1", "2001:db8::1"),
        ("fe80::1%eth0", "fe80::1%eth0"),
        ("nobody", "nobody"),
    ],
)
def test_a_mapped_address_is_the_ipv4_address(address: str, plain: str) -> None:
    """Other services and logs get the peer's real address."""
    assert addresses.unmapped(address) == plain
