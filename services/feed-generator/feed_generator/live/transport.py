"""WebSocket connections by the library `websockets`. Errors become one line with the host and the fix."""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from urllib.parse import urlsplit

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import (
    ConnectionClosed,
    InvalidHandshake,
    InvalidProxy,
    InvalidStatus,
    InvalidURI,
    ProxyError,
)
from websockets.frames import CloseCode

from feed_generator.live.exchange import (
    CHECK_NETWORK,
    Connection,
    Dropped,
    Frame,
    LiveError,
    Misconfigured,
    Unauthorized,
)

_OPEN_TIMEOUT_S = 4
_CLOSE_TIMEOUT_S = 1
# An instrument list of a large currency has 1 MB.
_MAX_FRAME_BYTES = 16 * 1024 * 1024
_MAX_QUEUED_FRAMES = 1024
_REFUSED = (401, 403)
_TOO_MANY_REQUESTS = 429
_SERVER_ERROR = 500
# At DEBUG the library logs the request of the handshake, whose URL may hold a key and a token.
_library = logging.getLogger("feed_generator.live.websockets")
_library.setLevel(logging.INFO)


class _WebSocket:
    """A `Connection`."""

    def __init__(self, socket: ClientConnection, host: str) -> None:
        self._socket, self._host = socket, host

    async def send(self, frame: Frame) -> None:
        with suppress(ConnectionClosed):
            await self._socket.send(frame)

    async def receive(self) -> bytes:
        try:
            return await self._socket.recv(decode=False)
        except ConnectionClosed as error:
            raise Dropped("Dropped", _ended(error, self._host)) from None


@asynccontextmanager
async def websocket(
    url: str, headers: Mapping[str, str] | None = None, *, keyless: bool = False
) -> AsyncIterator[Connection]:
    """Open a connection to `url` (ws: or wss:). Errors show only its host: the rest may hold a secret.

    If the handshake is answered by 401 or 403, it raises Unauthorized, or Misconfigured if the exchange needs
    no key (`keyless`). It raises Dropped if the handshake fails otherwise.
    """
    host = urlsplit(url).netloc.rpartition("@")[2]
    try:
        socket = await connect(
            url,
            additional_headers=headers,
            logger=_library,
            open_timeout=_OPEN_TIMEOUT_S,
            close_timeout=_CLOSE_TIMEOUT_S,
            max_size=_MAX_FRAME_BYTES,
            max_queue=_MAX_QUEUED_FRAMES,
        )
    except Exception as error:  # the library raises OSError, TimeoutError, ValueError and errors of its own
        raise _failed(error, host, keyless=keyless) from None
    try:
        yield _WebSocket(socket, host)
    finally:
        await socket.close()


def answered(host: str, status: int, problem: str) -> Dropped:
    """Return the error of an HTTP status. `problem` is the text for one without a text of its own."""
    says = f"{host} answered {status}"
    if status == _TOO_MANY_REQUESTS:
        return Dropped("RateLimited", f"{says}: too many connections or requests share this address")
    if status >= _SERVER_ERROR:
        return Dropped("Unavailable", f"{says}: it is down or in maintenance; see its status page")
    return Dropped("BadAnswer", f"{says} {problem}")


def _ended(error: ConnectionClosed, host: str) -> str:
    """Return in one line who ended a connection, and why."""
    if error.sent and not error.rcvd_then_sent:  # the library ended it
        if error.sent.code == CloseCode.MESSAGE_TOO_BIG:
            return f"{host} sent a frame of more than {_MAX_FRAME_BYTES // 2**20} MiB: check the url"
        return f"the connection to {host} had to be ended: {error.sent}"
    return f"{host} ended the connection" + (f": {error.rcvd}" if error.rcvd else "")


def _refused(status: int, host: str, *, keyless: bool) -> LiveError:
    """Return the error of a handshake that is answered by another status than 101."""
    if status in _REFUSED and keyless:
        return Misconfigured(
            "Blocked",
            f"{host} answered {status}, although it needs no key: "
            "it or a proxy refuses this machine's address or country",
        )
    if status in _REFUSED:
        return Unauthorized("Refused", f"{host} answered {status}: renew the credential of this source")
    return answered(host, status, "instead of a WebSocket: check the url")


def _failed(error: Exception, host: str, *, keyless: bool) -> LiveError:
    """Return the error of a handshake as one line."""
    if isinstance(error, InvalidStatus):
        return _refused(error.response.status_code, host, keyless=keyless)
    if isinstance(error, ssl.SSLCertVerificationError):
        return Dropped(
            "BadCertificate",
            f"the certificate of {host} is not trusted ({error.verify_message}): check clock and url; "
            "SSL_CERT_FILE names the authority of a proxy",
        )
    if isinstance(error, TimeoutError | asyncio.TimeoutError):
        return Dropped(
            "Timeout", f"{host} did not answer within {_OPEN_TIMEOUT_S} s: check network and proxy"
        )
    if isinstance(error, ProxyError):
        return Dropped(
            "ProxyRefused", f"the proxy of the environment does not connect to {host}: check HTTPS_PROXY"
        )
    if isinstance(error, InvalidProxy | ImportError):  # the second: SOCKS needs another package
        return Dropped("BadProxy", "the proxy of the environment is not http://HOST:PORT: check HTTPS_PROXY")
    if isinstance(error, InvalidURI):
        return Dropped("BadUrl", f"{host} is not a WebSocket URL: it must start with wss:// or ws://")
    if isinstance(error, InvalidHandshake):
        return Dropped("BadAnswer", f"{host} did not answer as a WebSocket: check the url")
    if isinstance(error, OSError):
        problem = f"{host} cannot be reached ({error.strerror or error})"
        return Dropped("Unreachable", f"{problem}: {CHECK_NETWORK}")
    # The error's own text may have the URL, and so a secret.
    return Dropped("BadUrl", f"{host} cannot be connected ({type(error).__name__}): check url and proxy")
