"""A local run with the fake Kite: numbers through the whole pipeline; a token that ends."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest
from devcluster.waiting import wait_until

from tests.support import fake_kite
from tests.support.fake_kite import API_KEY, FakeKite
from tests.support.kite_market import KiteMarket
from tests.support.local_system import LocalSystem, running

FEED = """
apiVersion: deltastream.dev/v1alpha1
kind: DeltaStreamFeed
metadata: {{name: kite}}
spec:
  products: [NIFTY, SENSEX]
  source: {{kite: {{expiries: 2, chainIntervalMillis: 200, url: "{url}", apiUrl: "{api_url}"}}}}
"""


def authorized(system: LocalSystem) -> tuple[str, str]:
    """Return status and message of the feed's condition SourceAuthorized."""
    status, table = system.call("/api/feeds")
    conditions = {one["type"]: one for one in table["feeds"][0]["conditions"]} if status == 200 else {}
    found = conditions.get("SourceAuthorized", {"status": "", "message": ""})
    return found["status"], found["message"]


def chain(system: LocalSystem, kite: FakeKite) -> dict[str, Any] | None:
    """Return the newest chain of NIFTY, after the market has moved a little."""
    kite.advance(5)
    status, answer = system.call("/api/data/chain/NIFTY?limit=1")
    return answer["chains"][0] if status == 200 and answer["chains"] else None


@pytest.mark.timeout(400)
def test_a_kite_feed_has_numbers_and_says_when_its_token_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The chain's volatility is the market's. Neither key nor token is in a log or an answer."""
    with fake_kite.running(KiteMarket(("NIFTY", "SENSEX"), time.time_ns())) as kite:
        for name, text in (("KITE_API_KEY_FILE", API_KEY), ("KITE_ACCESS_TOKEN_FILE", kite.token)):
            (tmp_path / name).write_text(text)
            monkeypatch.setenv(name, str(tmp_path / name))
        file = tmp_path / "kite.yaml"
        file.write_text(FEED.format(url=kite.url, api_url=kite.api_url))
        with running(tmp_path / "home", str(file)) as system:
            found: dict[str, Any] = {}

            def priced() -> bool:
                found.update(chain(system, kite) or {})
                return bool(found.get("atm_iv"))

            wait_until(priced, "a volatility")
            truth = [
                one["truth"]["iv"][len(one["strikes"]) // 2]
                for one in kite.market.messages
                if one["kind"] == "option_chain" and one["product"] == "NIFTY"
                if one["expiry"] == found["expiry"]
            ]
            assert found["atm_iv"] == pytest.approx(truth[-1], abs=0.01)
            assert (found["lot_size"], found["oi_unit"]) == (65, "shares")
            wait_until(lambda: authorized(system)[0] == "True", "the condition")
            kite.expire("token2")
            wait_until(lambda: authorized(system)[0] == "False", "the condition")
            assert "log in at Kite" in authorized(system)[1]
        written = "".join(log.read_text() for log in (tmp_path / "home").rglob("*.log"))
    assert "TokenExpired" in written
    assert not [secret for secret in (API_KEY, "token1") if secret in written]
