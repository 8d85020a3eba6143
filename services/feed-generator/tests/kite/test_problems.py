"""What a generator says if Kite, the credentials, the network or the clock do not work."""

from __future__ import annotations

import logging
import ssl
import time
from http import HTTPStatus
from pathlib import Path

import pytest
from tests.support import fake_kite
from tests.support.fake_kite import API_KEY, FakeKite
from tests.support.kite_desk import PRODUCTS, Runner, running
from tests.support.kite_market import HEADER, KiteMarket
from tests.support.tls import Certificates

from feed_generator.live.kite import account


def test_an_expired_token_is_unauthorized_until_a_new_one_is_in_the_file(desk: Runner) -> None:
    (status,) = desk.statuses
    desk.kite.expire("token2")
    desk.until(lambda: not status.authorized and desk.kite.refusals >= 3)
    assert status.reason == "TokenExpired"
    assert "log in at Kite" in status.message
    desk.write_token("token2")
    desk.until(lambda: status.connected and status.authorized)


@pytest.mark.parametrize(
    ("file", "content", "problem"),
    [
        (1, None, "KITE_ACCESS_TOKEN_FILE: .* cannot be read"),
        (1, "", "KITE_ACCESS_TOKEN_FILE: .* must contain one word"),
        (0, "two words", "KITE_API_KEY_FILE: .* must contain one word"),
        (0, "ключ", "KITE_API_KEY_FILE: .* must contain one word"),
    ],
)
def test_a_missing_credential_is_unauthorized_and_names_the_file(
    kite: FakeKite, tmp_path: Path, file: int, content: str | None, problem: str
) -> None:
    runner = Runner(kite, tmp_path, PRODUCTS)
    runner.files[file].unlink() if content is None else runner.files[file].write_text(content)
    with pytest.raises(account.Unauthorized, match=problem) as error:
        account.read(*map(str, runner.files))
    assert content is None or not content or content not in str(error.value)
    assert kite.downloads == 0


@pytest.mark.parametrize(
    ("body", "reason", "problem"),
    [
        (b"<!DOCTYPE html><html>maintenance</html>", "BadInstrumentList", "not Kite's instrument list"),
        (f"{HEADER}\n".encode(), "BadInstrumentList", "is empty"),
        (f"{HEADER}\n".encode("utf-16"), "BadAnswer", "is not UTF-8"),
        (f"{HEADER}\n".encode() + b"x" * (1 << 20), "BadInstrumentList", "it is far too long: check apiUrl"),
        (
            f"{HEADER}\n1,1,A,A,0,,0,0,0,EQ,NSE,NSE\n".encode(),
            "UnknownProducts",
            "NIFTY: the instrument list",
        ),
    ],
)
def test_a_list_that_cannot_be_used_is_said_and_asked_for_again(
    kite: FakeKite, tmp_path: Path, body: bytes, reason: str, problem: str
) -> None:
    kite.list_body = body
    with running(kite, tmp_path) as runner:
        (status,) = runner.statuses
        runner.until(lambda: status.reason == reason and kite.downloads >= 2)
        assert problem in status.message
        assert not status.connected
        assert status.authorized
        kite.list_body = None
        runner.until(runner.connected)


@pytest.mark.parametrize(
    ("fault", "value", "reason", "said", "refusals"),
    [
        ("status", HTTPStatus.TOO_MANY_REQUESTS, "RateLimited", "127.0.0.1:{port} answered 429", 2),
        ("status", HTTPStatus.BAD_GATEWAY, "Unavailable", "127.0.0.1:{port} answered 502", 2),
        ("status", HTTPStatus.NOT_FOUND, "BadAnswer", "127.0.0.1:{port} answered 404", 2),
        # Another program or feed has the connections of this API key.
        ("most_connections", 0, "TooManyConnections", "allows an API key 3 connections", 3),
        # With a wrong clock the source would look connected, and every tick would look old.
        ("ahead_s", 300, "ClockSkew", " s behind that of 127.0.0.1", 0),
        ("ahead_s", -300, "ClockSkew", " s ahead of that of 127.0.0.1", 0),
    ],
)
def test_a_problem_is_named_by_its_kind_until_it_ends(
    kite: FakeKite, tmp_path: Path, fault: str, value: int, reason: str, said: str, refusals: int
) -> None:
    """Of these, only an answer that Kite does not give is a reason to change apiUrl."""
    usual = getattr(kite, fault)
    setattr(kite, fault, value)
    with running(kite, tmp_path) as runner:
        (status,) = runner.statuses
        runner.until(lambda: status.reason == reason and kite.refusals >= refusals)
        assert said.format(port=kite.port) in status.message
        assert ("check apiUrl" in status.message) == (reason == "BadAnswer")
        assert status.authorized
        setattr(kite, fault, usual)
        runner.until(runner.connected)


def test_a_certificate_that_is_not_trusted_is_said_until_its_authority_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SSL_CERT_FILE names the authority for the list and for the ticker."""
    files = Certificates(tmp_path / "tls")
    served = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    served.load_cert_chain(files.both)
    market = KiteMarket(PRODUCTS, time.time_ns())
    with fake_kite.running(market, served) as kite, running(kite, tmp_path) as runner:
        (status,) = runner.statuses
        runner.until(lambda: status.reason == "BadCertificate")
        assert "check clock and apiUrl" in status.message
        monkeypatch.setenv("SSL_CERT_FILE", str(files.ca))
        runner.until(runner.connected)


def test_a_product_that_kite_does_not_list_is_named_and_the_others_run(
    kite: FakeKite, tmp_path: Path
) -> None:
    """A feed may have 500 products, so only the first missing ones are named."""
    with running(kite, tmp_path, ("NIFTY", *(f"NOSUCH{number}" for number in range(9)))) as runner:
        runner.until(runner.connected)
        message = runner.statuses[0].message
    assert "not received: NOSUCH0: the instrument list has no options" in message
    assert message.endswith("NFO or BFO; and 7 more")


def test_key_and_token_are_in_no_log_and_no_status(
    kite: FakeKite, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Not even at level DEBUG, at which the WebSocket library logs requests and the URL has both."""
    caplog.set_level(logging.DEBUG)
    with running(kite, tmp_path) as runner:
        runner.until(runner.connected)
        kite.expire("token2")
        (status,) = runner.statuses
        runner.until(lambda: not status.authorized)
    ours = [record.getMessage() for record in caplog.records if "server" not in record.name]
    assert ours
    assert not [line for line in (*ours, status.message) if API_KEY in line or "token1" in line]
