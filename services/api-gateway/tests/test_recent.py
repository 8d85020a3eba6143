"""Shared answers: identical reads share a call for a moment, and unchanged answers are not sent again."""

from __future__ import annotations

import contextlib
import threading
from typing import Any

import pytest

from api_gateway.errors import UpstreamUnavailable
from api_gateway.recent import Recent
from api_gateway.upstream import Answer

PRODUCTS = "/api/data/products"


class Upstream:
    """Counts calls. Its next answers have the given statuses, then 200."""

    def __init__(self, *statuses: int) -> None:
        self.calls, self._statuses = 0, list(statuses)

    def __call__(self) -> Answer:
        self.calls += 1
        status = self._statuses.pop(0) if self._statuses else 200
        if status == 503:
            raise UpstreamUnavailable("storage", "down")
        return Answer(status, {}, b"%d" % self.calls)


def test_an_answer_is_never_older_than_the_limit() -> None:
    """An answer is reused until the limit, counted from the start of its call, and then called for again."""
    now, upstream = [10.0], Upstream()
    recent = Recent(0.25, clock=lambda: now[0])
    assert [recent.read("a", upstream).answer.body for _ in range(3)] == [b"1"] * 3
    now[0] = 10.2499
    assert recent.read("a", upstream).answer.body == b"1"
    now[0] = 10.25
    assert recent.read("a", upstream).answer.body == b"2"
    assert recent.read("b", upstream).answer.body == b"3"


def test_sharing_can_be_switched_off() -> None:
    """With 0 seconds every read calls its upstream."""
    upstream = Upstream()
    recent = Recent(0, clock=lambda: 1.0)
    assert [recent.read("a", upstream).answer.body for _ in range(2)] == [b"1", b"2"]


@pytest.mark.parametrize("status", [404, 503])
def test_a_failure_is_not_shared(status: int) -> None:
    """A problem has the id of its request, so only answers with status 200 are reused."""
    upstream, recent = Upstream(status), Recent(10)
    if status == 503:
        with pytest.raises(UpstreamUnavailable):
            recent.read("a", upstream)
    else:
        assert recent.read("a", upstream).etag == ""
    assert recent.read("a", upstream).answer.body == b"2"


def test_answers_that_are_too_large_together_are_not_kept() -> None:
    """The memory of kept answers is limited."""
    upstream, recent = Upstream(), Recent(10, max_bytes=1)
    assert recent.read("a", upstream).answer.body == b"1"
    assert recent.read("b", upstream).answer.body == b"2"
    assert [recent.read(key, upstream).answer.body for key in "ab"] == [b"1", b"3"]


@pytest.mark.parametrize("fails", [False, True])
def test_readers_wait_for_a_running_call(fails: bool) -> None:
    """Readers that arrive during a call share its answer. If it fails, each makes its own call."""
    recent, called, go_on = Recent(60), threading.Event(), threading.Event()
    upstream = Upstream(503 if fails else 200)

    def slow() -> Answer:
        called.set()
        assert go_on.wait(30)
        return upstream()

    first = threading.Thread(target=_swallow, args=(recent, slow))
    first.start()
    assert called.wait(30)
    seen: list[bytes] = []
    others = [
        threading.Thread(target=lambda: seen.append(recent.read("a", upstream).answer.body)) for _ in "123"
    ]
    for other in others:
        other.start()
    go_on.set()
    for thread in (first, *others):
        thread.join(30)
    assert sorted(seen) == ([b"2", b"3", b"4"] if fails else [b"1"] * 3)


def _swallow(recent: Recent, call: Any) -> None:
    with contextlib.suppress(UpstreamUnavailable):
        recent.read("a", call)


def test_identical_reads_of_all_accounts_share_one_call(gateway: Any, user: Any) -> None:
    """The upstream is called once for equal parameters, in any spelling, and again for other parameters."""
    client = gateway.client(read_cache_seconds=1)
    for query in ("?expiry=&limit=5", "?limit=5", "?limit=05", "?limit=6"):
        assert client.get(f"/api/data/chain/NIFTY{query}", headers=user).status_code == 200
    assert [seen.target for seen in gateway.storage.seen] == [
        f"/option/chain/NIFTY?limit={n}" for n in (5, 6)
    ]


def test_a_shared_answer_still_needs_permission(gateway: Any, user: Any) -> None:
    """A kept answer does not bypass the token or the rate limit."""
    client = gateway.client(read_cache_seconds=1, rate_limit_per_minute=2)
    assert client.get(PRODUCTS, headers=user).status_code == 200
    assert client.get(PRODUCTS).status_code == 401
    assert [client.get(PRODUCTS, headers=user).status_code for _ in range(2)] == [200, 429]


def test_an_unchanged_answer_is_304_without_a_body(
    gateway: Any, client: Any, user: Any, make_answer: Any
) -> None:
    """A read with the ETag of the current answer gets 304; after a change it gets the new answer."""
    first = client.get(PRODUCTS, headers=user)
    known = {**user, "If-None-Match": f'"other", W/{first.headers["ETag"]}'}
    same = client.get(PRODUCTS, headers=known)
    assert (same.status_code, same.data, same.headers["ETag"]) == (304, b"", first.headers["ETag"])
    assert same.headers["Cache-Control"] == "private, no-cache"
    assert "Content-Type" not in same.headers
    gateway.storage.answers["/products"] = make_answer(200, {"products": ["SPY"]})
    changed = gateway.client().get(PRODUCTS, headers=known)
    assert (changed.status_code, changed.json) == (200, {"products": ["SPY"]})
    assert changed.headers["ETag"] != first.headers["ETag"]


def test_a_304_needs_a_token_too(client: Any, user: Any) -> None:
    """Without a token a matching ETag gets 401: it must not tell whether the data has changed."""
    etag = client.get(PRODUCTS, headers=user).headers["ETag"]
    assert client.get(PRODUCTS, headers={"If-None-Match": etag}).status_code == 401
