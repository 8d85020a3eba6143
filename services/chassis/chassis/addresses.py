"""Client addresses: normalise them, and map each to the sender that rate and connection limits count."""

from __future__ import annotations

import ipaddress


def unmapped(address: str) -> str:
    """Return an IPv4-mapped address (`::ffff:192.0.2.1`) as IPv4. Return any other text unchanged.

    A dual-stack socket reports its IPv4 peers in the mapped form.
    """
    parsed = _parsed(address)
    return str(parsed) if isinstance(parsed, ipaddress.IPv4Address) else address


def network(address: str) -> str | None:
    """Return the sender that limits count: the IPv4 address, or the /64 network of an IPv6 address.

    One IPv6 host usually owns a whole /64. Returns None if `address` is not an IP address.
    """
    parsed = _parsed(address)
    if isinstance(parsed, ipaddress.IPv6Address):
        return str(ipaddress.ip_network((parsed, 64), strict=False))
    return None if parsed is None else str(parsed)


def _parsed(address: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])  # %: the interface of a link-local address
    except ValueError:
        return None
    if isinstance(parsed, ipaddress.IPv6Address) and parsed.ipv4_mapped is not None:
        return parsed.ipv4_mapped
    return parsed
