"""The running system shows its feeds, and its operator's account changes them."""

from __future__ import annotations

from typing import Any

import pytest
from devcluster.waiting import wait_until

from deltastream_operator.domain.status import DECISIONS_KEPT
from tests.integration.conftest import OPERATOR
from tests.support.contracts import validator
from tests.support.local_system import LocalSystem

pytestmark = pytest.mark.timeout(400)  # the first test also waits for the system
FEED = "synthetic"


def token(system: LocalSystem, email: str) -> str:
    """Log in, and register the account if it does not exist yet."""
    account = {"email": email, "password": "test123"}
    status, session = system.call("/api/auth/login", account)
    if status == 401:
        status, session = system.call("/api/auth/register", account)
    assert status in (200, 201), session
    return str(session["token"])


def row(system: LocalSystem, name: str = FEED) -> dict[str, Any]:
    table = system.get("/api/feeds")
    validator("feeds-table").validate(table)
    return next(one for one in table["feeds"] if one["name"] == name)


def condition(feed: dict[str, Any], kind: str) -> str:
    return str(next(one["status"] for one in feed["conditions"] if one["type"] == kind))


def enrichers(system: LocalSystem) -> int:
    return sum(name.startswith(f"{FEED}-worker-") for name in system.pids())


def test_every_feed_has_a_row_with_its_load_and_decisions(system: LocalSystem) -> None:
    """The table is at most a few seconds old."""
    table: dict[str, Any] = {}

    def is_measured() -> bool:  # after an outage of Redis the load is not known for a while
        table.update(system.get("/api/feeds"))
        loads = {one["name"]: one for one in table["feeds"]}
        return (
            all(one["load_reason"] is None for one in loads.values())
            and loads[FEED]["service_seconds"] is not None
            and (loads[FEED]["arrivals_per_second"] or 0) > 0
        )

    wait_until(is_measured, "the load is known")
    assert table["authority"] == "local"
    assert [one["name"] for one in table["feeds"]] == ["load", "nifty-replay", "pushed", "roots", "synthetic"]
    for feed in table["feeds"]:
        assert feed["generator"]["desired"] == (feed["source"] != "external")
        first, count = feed["decisions"][0]["message"], len(feed["decisions"])
        assert first.startswith(("generator none -> ", "enricher none -> ")) or count == DECISIONS_KEPT
        assert feed["history"]["at"]
    synthetic = next(one for one in table["feeds"] if one["name"] == FEED)
    assert (synthetic["mode"], synthetic["source"], synthetic["product_count"]) == (
        "Automatic",
        "synthetic",
        7,
    )
    wait_until(lambda: condition(row(system), "Ready") == "True", "the feed is ready")


def test_an_operator_scales_and_pauses_a_feed_and_it_shows(system: LocalSystem) -> None:
    """The processes and the table follow the request; afterwards the feed runs as its file says."""
    operator = token(system, OPERATOR)
    path = f"/api/feeds/{FEED}"
    try:
        status, answer = system.call(f"{path}/scale", {"mode": "Manual", "replicas": 2}, operator)
        assert (status, answer["feed"]["mode"], answer["feed"]["enricher"]["desired"]) == (200, "Manual", 2)
        assert "lasts until the local run ends" in answer["detail"]
        wait_until(lambda: enrichers(system) == 2, "two workers run")
        wait_until(lambda: row(system)["enricher"] == {"desired": 2, "ready": 2}, "both serve")
        ours = [one for one in row(system)["decisions"] if one["component"] == "enricher"]
        assert ours[-1]["reason"] == "ManualReplicas"

        status, answer = system.call(f"{path}/pause", {}, operator)
        assert (status, condition(answer["feed"], "Paused")) == (200, "True")
        assert system.call(f"{path}/scale", {"replicas": 1}, operator)[0] == 200
        wait_until(lambda: row(system)["mode"] == "Manual", "the table is there")
        assert (condition(row(system), "Paused"), enrichers(system)) == ("True", 2)

        status, answer = system.call(f"{path}/resume", {}, operator)
        assert (status, condition(answer["feed"], "Paused")) == (200, "False")
        wait_until(lambda: enrichers(system) == 1, "one worker runs")
    finally:
        for action, body in (("resume", {}), ("scale", {"mode": "Automatic"})):
            wait_until(
                lambda a=action, b=body: system.call(f"{path}/{a}", b, operator)[0] == 200,
                f"{action} is done",
                60,
            )


def test_what_an_operator_may_not_do_is_one_clear_message(system: LocalSystem) -> None:
    """Refusals come from the local run, which knows the feed's bounds."""
    operator = token(system, OPERATOR)
    status, answer = system.call(f"/api/feeds/{FEED}/scale", {"mode": "Manual", "replicas": 9}, operator)
    assert (status, answer["code"]) == (400, "bad_input")
    assert answer["detail"].startswith("replicas: is 9; must be within minReplicas 1 to maxReplicas 4")
    status, answer = system.call("/api/feeds/no-such-feed/pause", {}, operator)
    assert (status, answer["code"]) == (404, "unknown_feed")


def test_another_account_may_look_but_not_change(system: LocalSystem) -> None:
    """Only the first account of a local run has the role."""
    assert token(system, OPERATOR), "the first account"
    other = token(system, "looker@example.com")
    status, answer = system.call(f"/api/feeds/{FEED}/pause", {}, other)
    assert (status, answer["code"]) == (403, "operator_role_needed")
    assert system.call(f"/api/feeds/{FEED}/pause", {})[0] == 401
    assert condition(row(system), "Paused") == "False"
