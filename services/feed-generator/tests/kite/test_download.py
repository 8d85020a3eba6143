"""Kite's instrument list over HTTP: how a server may send it, and how it may fail to."""

from __future__ import annotations

import gzip
import itertools
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import pytest

from feed_generator.live.exchange import Dropped
from feed_generator.live.kite.account import Account
from feed_generator.live.kite.download import download
from feed_generator.live.kite.instruments import Instruments

LIST = (
    "instrument_token,exchange_token,tradingsymbol,name,last_price,expiry,strike,tick_size,lot_size,"
    "instrument_type,segment,exchange\n"
    "256265,1001,NIFTY 50,NIFTY 50,0,,0,0,0,EQ,INDICES,NSE\n"
    + "".join(
        f"{at * 256 + 2},{at},NIFTY26D08{at}CE,NIFTY,0,2026-12-08,{at},0.05,65,CE,NFO-OPT,NFO\n"
        for at in range(20_000, 20_500)
    )
).encode()
PACKED = gzip.compress(LIST)
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/csv\r\n"
GZIP, CHUNKED = HEAD + b"Content-Encoding: gzip\r\n", b"Transfer-Encoding: chunked\r\n\r\n"


def length(body: bytes) -> bytes:
    return b"Content-Length: %d\r\n\r\n" % len(body)


def chunks(body: bytes) -> bytes:
    return b"".join(
        b"%x\r\n%b\r\n" % (len(body[at : at + 70]), body[at : at + 70]) for at in range(0, len(body), 70)
    )


@contextmanager
def server(pieces: Sequence[bytes]) -> Iterator[str]:
    """Serve one request with `pieces`, each in a segment of its own, and end the connection."""
    listener = socket.create_server(("127.0.0.1", 0))

    def answer() -> None:
        client, _ = listener.accept()
        with client:
            client.recv(65_536)
            for piece in pieces:
                client.sendall(piece)

    thread = threading.Thread(target=answer, daemon=True)
    thread.start()
    with listener:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        thread.join(timeout=20)


def listed(*pieces: bytes, clock: Callable[[], float] = time.monotonic) -> Instruments:
    with server(pieces) as url:
        return download(url, Account("key", "token"), ["NIFTY"], time.time_ns(), clock=clock)


@pytest.mark.parametrize(
    "answer",
    [
        (HEAD, length(LIST), LIST),
        (HEAD, CHUNKED, chunks(LIST), b"0\r\n\r\n"),
        (GZIP, length(PACKED), PACKED),
        (GZIP, CHUNKED, chunks(PACKED), b"0\r\n\r\n"),
    ],
    ids=["plain", "chunks", "gzip", "gzip in chunks"],
)
def test_a_list_is_read_however_it_is_sent(answer: tuple[bytes, ...]) -> None:
    """A server that compresses on the way does not know the length, and sends chunks."""
    assert len(listed(*answer).products["NIFTY"].contracts) == 500


@pytest.mark.parametrize(
    "answer",
    [
        (HEAD, length(LIST), LIST[:-100]),
        (GZIP, length(PACKED), PACKED[:-100]),
        (GZIP, CHUNKED, chunks(PACKED)[:-100]),
        (GZIP, length(LIST), LIST),
    ],
    ids=["plain", "gzip", "gzip in chunks", "not gzip"],
)
def test_a_list_that_is_cut_is_not_used(answer: tuple[bytes, ...]) -> None:
    """Its missing contracts would be missing for half an hour."""
    with pytest.raises(Dropped, match="no instrument list"):
        listed(*answer)


def test_a_list_that_comes_too_slowly_is_given_up() -> None:
    """A server that sends a little now and then would hold the thread for days."""
    ticks = itertools.count(step=61.0)
    with pytest.raises(Dropped, match="does not send its list within 60 s") as error:
        listed(HEAD, length(LIST), LIST, clock=lambda: next(ticks))
    assert error.value.reason == "Timeout"
