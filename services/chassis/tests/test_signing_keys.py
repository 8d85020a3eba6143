"""Tests for the cache of signing keys: tokens with invented key ids must not load auth or delay others."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from devcluster.waiting import wait_until

from chassis.signing_keys import KeysUnavailable, SigningKeys


class Auth:
    """A stand-in for auth: it counts the fetches, can be down, and can hang until `answer` is set."""

    def __init__(self) -> None:
        self.keys: dict[str, Any] = {"k1": "first"}
        self.fetches, self.down = 0, False
        self.answer = threading.Event()
        self.answer.set()
        self.now = 0.0

    def fetch(self) -> Mapping[str, Any]:
        self.fetches += 1
        self.answer.wait()
        if self.down:
            raise KeysUnavailable
        return self.keys


@pytest.fixture
def auth() -> Auth:
    return Auth()


@pytest.fixture
def signing(auth: Auth) -> SigningKeys:
    return SigningKeys(auth.fetch, lambda: auth.now)


def test_a_flood_of_invented_ids_causes_one_fetch_every_five_seconds(
    auth: Auth, signing: SigningKeys
) -> None:
    """Also ids that are missing count as unknown."""
    for number in range(1000):
        assert signing.find(f"invented-{number}") is None
        assert signing.find(None) is None
    assert auth.fetches == 1
    auth.now = 5.0
    for number in range(1000):
        assert signing.find(f"invented-{number}") is None
    assert auth.fetches == 2


def test_a_new_key_is_found_within_the_pause(auth: Auth, signing: SigningKeys) -> None:
    """auth starts to sign with another key when its secret is rotated."""
    assert signing.find("k1") == "first"
    auth.keys = {"k2": "second"}
    auth.now = 5.0
    assert signing.find("k2") == "second"
    assert signing.find("k1") is None


def test_while_auth_hangs_no_known_key_waits(auth: Auth, signing: SigningKeys) -> None:
    """One thread waits for auth, because of an invented id. All others are answered at once."""
    assert signing.find("k1") == "first"
    auth.answer.clear()
    auth.now = 10.0
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(signing.find, "invented")
        wait_until(lambda: auth.fetches == 2, "a thread waits for auth")
        assert signing.find("k1") == "first"
        assert signing.find("also invented") is None
        assert not waiting.done()
        auth.answer.set()
        assert waiting.result() is None


def test_callers_at_the_start_wait_for_the_first_fetch(auth: Auth, signing: SigningKeys) -> None:
    """Many clients may connect at once to a service that has just started. auth is asked once."""
    auth.answer.clear()
    with ThreadPoolExecutor(8) as pool:
        found = [pool.submit(signing.find, "k1") for _ in range(8)]
        wait_until(lambda: auth.fetches == 1, "a thread waits for auth")
        auth.answer.set()
        assert [one.result() for one in found] == ["first"] * 8
    assert auth.fetches == 1


def test_keys_outlive_an_outage_for_five_minutes(auth: Auth, signing: SigningKeys) -> None:
    """They are renewed before they expire. Then no token can be verified, and auth is asked once a second."""
    assert signing.find("k1") == "first"
    auth.down = True
    for auth.now in (241.0, 241.5, 299.0):
        assert signing.find("k1") == "first"
    assert auth.fetches == 3
    auth.now = 300.5
    for _ in range(100):
        with pytest.raises(KeysUnavailable):
            signing.find("k1")
    assert auth.fetches == 4
    auth.down, auth.now = False, 302.0
    assert signing.find("k1") == "first"
