"""Decide which errors and times of the exchange end a connection, and say why in one line."""

from __future__ import annotations

from feed_generator.live.deribit.frames import Data, Error
from feed_generator.live.deribit.subscriptions import Piece
from feed_generator.live.exchange import BadFrame, Dropped, Misconfigured

# The enrichers refuse a message whose event time is 300 s from their clock.
_MAX_SKEW_NS = 120 * 10**9
_MAX_AGE_NS = 240 * 10**9
_INVALID_PARAMS = -32602
_TOO_MANY = (10028, 10066)  # requests in a time, and at once
# retry, settlement_in_progress, matching_engine_queue_full, system_maintenance, temporarily_unavailable and
# timed_out
_UNAVAILABLE = (10040, 10041, 10047, 11051, 13028, 13888)
_NS_PER_MS = 1_000_000


def check_error(error: Error, asked: str | Piece | None) -> None:
    """Raise Dropped unless the session can go on without what was asked for.

    `asked`: the currency whose instruments were asked for, a subscription's piece, or None for anything else.
    """
    said = f"the exchange answered {error.message or 'an error'} ({error.code})"
    if error.code in _TOO_MANY:
        raise Dropped("RateLimited", f"{said}: too many clients share this address")
    if error.code in _UNAVAILABLE:
        raise Dropped("Unavailable", f"{said}: it is busy or in maintenance; see its status page")
    if isinstance(asked, Piece):
        raise Dropped("BadAnswer", f"{said} to {asked.method}")
    is_unknown_currency = error.code == _INVALID_PARAMS and asked is not None
    if not is_unknown_currency:
        raise Dropped("BadAnswer", said)


def check_time(what: str, data: Data, now_ns: int) -> None:
    """Raise BadFrame for a time that is far from ours. After one far ahead, all later ones would look old."""
    if abs(now_ns - data.timestamp * _NS_PER_MS) > _MAX_AGE_NS:
        raise BadFrame(f"the time of a {what} is more than {_MAX_AGE_NS // 10**9} s from ours: it is dropped")


def check_clock(exchange_ns: int, now_ns: int) -> None:
    """Raise Misconfigured if our clock is too far from the exchange's: the enrichers would refuse all."""
    skew_s = (now_ns - exchange_ns) / 1e9
    if abs(now_ns - exchange_ns) > _MAX_SKEW_NS:
        side = "ahead of" if skew_s > 0 else "behind"
        raise Misconfigured(
            "ClockSkew", f"this machine's clock is {abs(skew_s):.0f} s {side} the exchange's: synchronise it"
        )
