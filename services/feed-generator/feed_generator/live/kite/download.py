"""Download Kite's instrument list. It is read line by line, because it has some 10 MB.

The answer's `Date` shows whether this machine's clock is right: with a wrong one all ticks would look old.
"""

from __future__ import annotations

import ssl
import time
from collections.abc import Callable, Collection, Iterator
from email.utils import parsedate_to_datetime
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import urllib3

from feed_generator.live.exchange import CHECK_NETWORK, Dropped, Misconfigured
from feed_generator.live.kite import account, instruments
from feed_generator.live.kite.account import Account
from feed_generator.live.kite.instruments import Instruments
from feed_generator.live.transport import answered

_TIMEOUT = urllib3.Timeout(connect=4.0, read=8.0)
_VERSION = {"X-Kite-Version": "3"}
_REFUSED = (401, 403)
_BLOCK_BYTES, _MOST_BYTES, _MOST_LINE_BYTES = 1 << 16, 64 << 20, 1 << 16
_MAX_SKEW_S = 120
_WITHIN_S = 60


def download(
    api_url: str,
    credentials: Account,
    wanted: Collection[str],
    now_ns: int,
    *,
    clock: Callable[[], float] = time.monotonic,
) -> Instruments:
    """Return what the list of `api_url` says about the products `wanted`. Blocks for some seconds.

    Raises Unauthorized, Misconfigured or Dropped.
    """
    host = urlsplit(api_url).netloc.rpartition("@")[2]
    authorization = {"Authorization": f"token {credentials.api_key}:{credentials.access_token}"}
    try:
        with (
            _pool(api_url) as pool,
            pool.request(
                "GET",
                f"{api_url}/instruments",
                headers=_VERSION | authorization | {"Accept-Encoding": "gzip"},
                timeout=_TIMEOUT,
                retries=False,
                redirect=False,
                preload_content=False,
            ) as answer,
        ):
            if answer.status in _REFUSED:
                raise account.refused(host)
            if answer.status != 200:
                raise answered(host, answer.status, "to /instruments: check apiUrl")
            _check_clock(host, answer.headers.get("Date"), now_ns)
            return instruments.read((line.decode() for line in _lines(host, answer, clock)), wanted)
    except urllib3.exceptions.HTTPError as error:
        if isinstance(cause := _cause(error), ssl.SSLCertVerificationError):
            problem = (
                f"the certificate of {host} is not trusted ({cause.verify_message}): check clock and apiUrl"
            )
            raise Dropped("BadCertificate", problem) from None
        problem = f"{host}: no instrument list ({type(cause).__name__})"
        raise Dropped("Unreachable", f"{problem}: {CHECK_NETWORK}") from None
    except UnicodeDecodeError:
        raise Dropped("BadAnswer", f"{host}: the instrument list is not UTF-8: check apiUrl") from None


def _check_clock(host: str, date: str | None, now_ns: int) -> None:
    """Raise Misconfigured if our clock differs by minutes from the date of an answer."""
    try:
        skew_s = now_ns / 1e9 - parsedate_to_datetime(date or "").timestamp()
    except ValueError:  # there is no date, or it is none
        return
    if abs(skew_s) > _MAX_SKEW_S:
        side = "ahead of" if skew_s > 0 else "behind"
        raise Misconfigured(
            "ClockSkew", f"this machine's clock is {abs(skew_s):.0f} s {side} that of {host}: synchronise it"
        )


def _lines(host: str, answer: urllib3.BaseHTTPResponse, clock: Callable[[], float]) -> Iterator[bytes]:
    """Yield the lines of an answer in bounded memory and time, whatever the server sends."""
    size, rest, deadline = 0, b"", clock() + _WITHIN_S
    # `stream` would not decompress an answer in chunks, and would wait for a whole block of a slow one.
    while block := answer.read1(_BLOCK_BYTES, decode_content=True):
        if clock() > deadline:
            raise Dropped("Timeout", f"{host} does not send its list within {_WITHIN_S} s: {CHECK_NETWORK}")
        size += len(block)
        *lines, rest = (rest + block).split(b"\n")
        yield from lines
        if size > _MOST_BYTES or len(rest) > _MOST_LINE_BYTES:
            raise Misconfigured(
                "BadInstrumentList", "this is not Kite's instrument list: it is far too long: check apiUrl"
            )
    if rest:
        yield rest


def _pool(url: str) -> urllib3.PoolManager:
    """Return a pool that uses the proxy of the environment, as WebSocket connections do."""
    parts = urlsplit(url)
    proxy = getproxies().get(parts.scheme)
    if proxy and not proxy_bypass(parts.hostname or ""):
        return urllib3.ProxyManager(proxy)
    return urllib3.PoolManager()


def _cause(error: urllib3.exceptions.HTTPError) -> BaseException:
    """Return what is behind an error. The error's own text may have a proxy's URL, and so a password."""
    behind = getattr(error, "reason", None) or next(iter(error.args), None)
    return behind if isinstance(behind, BaseException) else error
