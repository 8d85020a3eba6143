"""Distribute instruments over the few connections that Kite allows an API key."""

from __future__ import annotations

from collections.abc import Sequence

from feed_generator.live.exchange import Dropped, Misconfigured

CONNECTIONS = 3
INSTRUMENTS_A_CONNECTION = 3000


def allowed(index: int, count: int) -> int:
    """Return how many connections generator `index` of the feed's `count` may open.

    All generators of a feed share one API key. A fourth generator gets none.
    """
    return len(range(index, CONNECTIONS, count))


def too_many(host: str) -> Dropped:
    """Return the error of a connection that `host` refuses because the API key has enough of them."""
    return Dropped(
        "TooManyConnections",
        f"{host} answered 429: it allows an API key {CONNECTIONS} connections; end other programs and feeds "
        "with this key, or give them keys of their own",
    )


def distribute(tokens: Sequence[int], connections: int) -> list[list[int]]:
    """Return the instruments of each connection, in the order of `tokens`, on as few connections as possible.

    Raises Misconfigured if `connections` do not suffice.
    """
    if not connections:
        raise Misconfigured(
            "TooManyGenerators",
            f"Kite allows an API key {CONNECTIONS} connections and each generator needs one: "
            f"set spec.generator.maxReplicas to {CONNECTIONS} at most",
        )
    most = connections * INSTRUMENTS_A_CONNECTION
    if len(tokens) > most:
        raise Misconfigured(
            "TooManyInstruments",
            f"the products have {len(tokens)} instruments in these expiries, but Kite allows "
            f"{connections} connections of {INSTRUMENTS_A_CONNECTION} here: {most}; set fewer "
            "spec.source.kite.expiries or fewer spec.products",
        )
    return [
        list(tokens[start : start + INSTRUMENTS_A_CONNECTION])
        for start in range(0, len(tokens), INSTRUMENTS_A_CONNECTION)
    ]
