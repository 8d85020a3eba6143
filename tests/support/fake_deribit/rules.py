"""What the exchange refuses, as its documentation says: requests beyond its limits and wrong parameters."""

from __future__ import annotations

from typing import Any

Error = dict[str, Any]

CONNECTIONS = 32
"""How many connections an address may have. The handshake of another one is answered by 429."""

_CURRENCIES = ("BTC", "ETH", "USDC", "USDT", "EURR")
_KINDS = ("future", "option", "spot", "future_combo", "option_combo")
_LEAST_HEARTBEAT_S = 10
_MAX_CHANNELS = 500
_MAX_REQUEST_BYTES = 32 * 1024  # that there is a limit is documented, its size is not
_CREDITS_A_SECOND = 10_000
# Cost and pool by method. `get_instruments` has a sustained rate of one a second; the pool of its burst is
# not documented, so it is taken to be that of other requests.
_COSTS = {
    "public/subscribe": (3_000, 30_000),
    "public/unsubscribe": (3_000, 30_000),
    "public/get_instruments": (10_000, 50_000),
}
_OTHER_COST = (500, 50_000)


class Credits:
    """The credits of an address, a pool for each cost. They come back with the time."""

    def __init__(self) -> None:
        self._pools: dict[tuple[int, int], tuple[float, int]] = {}

    def pay(self, method: str, now_ms: int) -> bool:
        """Take the cost of a request. Returns False if the credits do not suffice."""
        cost, most = key = _COSTS.get(method, _OTHER_COST)
        left, at_ms = self._pools.get(key, (float(most), now_ms))
        left = min(most, left + (now_ms - at_ms) * _CREDITS_A_SECOND / 1000)
        enough = left >= cost
        self._pools[key] = (left - cost if enough else left, now_ms)
        return enough


def unreadable(text: str) -> Error | None:
    """Return the error of a request that the exchange does not read. Its answer has no id."""
    too_large = len(text.encode()) > _MAX_REQUEST_BYTES
    return {"code": -32600, "message": "request entity too large"} if too_large else None


def problem(request: dict[str, Any]) -> Error | None:
    """Return the error of a request with wrong members, or None."""
    if request.get("jsonrpc") != "2.0" or not isinstance(request.get("id"), int):
        return {"code": -32600, "message": "Invalid Request"}
    method, params = request["method"], request.get("params", {})
    if method == "public/set_heartbeat" and params["interval"] < _LEAST_HEARTBEAT_S:
        return _invalid("interval")
    if method == "public/get_instruments":
        if params["currency"] not in _CURRENCIES:
            return _invalid("currency")
        if params.get("kind", "option") not in _KINDS:
            return _invalid("kind")
    if method.endswith("subscribe"):
        channels = params["channels"]
        if not isinstance(channels, list) or not 0 < len(channels) <= _MAX_CHANNELS:
            return _invalid("channels")
        if any(channel.endswith(".raw") for channel in channels):
            return {"code": 13778, "message": "raw_subscriptions_not_available_for_unauthorized"}
    return None


def _invalid(param: str) -> Error:
    return {"code": -32602, "message": "Invalid params", "data": {"param": param}}
