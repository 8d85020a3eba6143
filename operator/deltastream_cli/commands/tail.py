"""Follow a product: a live table in a terminal, lines elsewhere."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from rich.live import Live as Redrawn

from deltastream_cli.adapters.gateway import Gateway
from deltastream_cli.adapters.live import Live, connected, socket_url
from deltastream_cli.adapters.screen import Screen
from deltastream_cli.domain import figures
from deltastream_cli.domain.market import Market
from deltastream_cli.errors import CommandError, NotFound

_PER_SECOND = 4
_ENDING = frozenset({"token_expired"})  # the client reconnects with a fresh token


def tail(
    gateway: Gateway,
    screen: Screen,
    product: str,
    *,
    url: str | None,
    count: int | None,
    monotonic: Callable[[], float] = time.monotonic,
) -> None:
    """Print the product's events until `count` of them, or until Ctrl-C. Raises a CommandError."""
    products = gateway.get("/api/data/products")["products"]
    if product not in products:
        raise NotFound(f"{product} has no data; there are: {', '.join(products) or 'no products yet'}")
    with connected(socket_url(gateway, url), gateway.token, product) as live:
        if screen.as_json or not screen.out.is_terminal:
            _lines(live, screen, count)
        else:
            _table(live, screen, Market(product), count, monotonic)


def _data(live: Live, timeout_s: float) -> Iterator[tuple[str, Mapping[str, Any]] | None]:
    """Yield events, and None after a pause. Raises CommandError if the gateway sends an error."""
    while True:
        event = live.next(timeout_s)
        if event and event[0] == "error" and event[1].get("code") not in _ENDING:
            raise CommandError(f"the gateway ended the subscription: {event[1].get('message')}")
        yield event


def _lines(live: Live, screen: Screen, count: int | None) -> None:
    left = count
    for event in _data(live, 1.0):
        if event is None:
            continue
        name, data = event
        if name in ("underlying_update", "chain_update"):
            if screen.as_json:
                screen.line_of_json({"event": name, **data})
            else:
                screen.line(_line(name, data))
            left = None if left is None else left - 1
            if left == 0:
                return
        elif name in ("disconnected", "resync"):
            screen.note(f"{name}: some events are missing here")


def _line(name: str, data: Mapping[str, Any]) -> str:
    said = f"{data['timestamp']} {data['product']}"
    if name == "underlying_update":
        return f"{said} {data['price']:.{figures.decimals([data['price']], 2)}f}"
    parts = (("forward", "price"), ("atm_iv", "percent"), ("pcr_oi", "ratio"), ("max_pain_strike", "price"))
    words = " ".join(f"{key}={figures.text(data[key], kind, 2).replace(',', '')}" for key, kind in parts)
    return f"{said} {data['expiry']} {words}"


def _table(
    live: Live, screen: Screen, market: Market, count: int | None, monotonic: Callable[[], float]
) -> None:
    seen = 0
    with Redrawn(console=screen.out, auto_refresh=False, transient=False) as drawn:
        shown = monotonic() - 1
        for event in _data(live, 1 / _PER_SECOND):
            if event is not None:
                seen += market.apply(*event, at=monotonic())
            if monotonic() - shown >= 1 / _PER_SECOND or seen == count:
                shown = monotonic()
                drawn.update(screen.rendered(market.report(shown)), refresh=True)
            if seen == count:
                return
