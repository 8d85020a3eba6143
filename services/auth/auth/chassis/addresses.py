"""Whose an address is: what limits and bounds count as one sender."""

from __future__ import annotations

import ipaddress


def unmapped(address: str) -> str:
    """An IPv4 peer of a dual-stack socket (`::ffff:192.0.2.1`) as IPv4; anything else as it is."""
    parsed = _parsed(address)
    return str(parsed) if isinstance(parsed, ipaddress.IPv4Address) else address


def network(address: str) -> str | None:
    """The IPv4 address, or the /64 of an IPv6 host, which owns all of it; None if `address` is none."""
    parsed = _parsed(address)
    if isinstance(parsed, ipaddress.IPv6Address):
        return str(ipaddress.ip_network((parsed, 64), strict=False))
    return None if parsed is None else str(parsed)


def _parsed(address: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])  # a link-local one names its interface
    except ValueError:
        return None
    if isinstance(parsed, ipaddress.IPv6Address) and parsed.ipv4_mapped is not None:
        return parsed.ipv4_mapped
    return parsed
