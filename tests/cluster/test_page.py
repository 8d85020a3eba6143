"""The web page of a release, opened in Chromium through port-forwards as `make up` opens them."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from devcluster.kube import Cluster
from devcluster.ports import free_port
from devcluster.release import GATEWAYS, NAME, for_page, install
from devcluster.waiting import wait_until
from playwright.sync_api import expect

from tests.cluster.data import append, redis_client
from tests.cluster.feeds import applied, feed, idle, patch, ready, status
from tests.support import chromium

pytestmark = pytest.mark.timeout(600)
PASSWORD = "correct horse battery"
BACKLOG = 60_000  # messages: enough for several enrichers to be ready at once, also on a fast machine
LOGIN = "Log in to see the data"
SHOWN = 5  # decisions of a feed that its table has; the status keeps more


@pytest.fixture(scope="module")
def port(system: Cluster) -> Iterator[int]:
    """The loopback port of the page. The release is installed for it, and restored afterwards."""
    ports = {name: free_port() for name in GATEWAYS}
    install(system, *for_page(ports), within="180s")
    with ExitStack() as stack:
        for name, inside in GATEWAYS.items():
            stack.enter_context(system.forward(f"svc/{NAME}-{name}", inside, ports[name]))
        yield ports["api-gateway"]
    install(system, within="180s")


def test_the_page_is_live_after_a_login(system: Cluster, port: int) -> None:
    """Reads need an account. With one, the page shows a feed's market and follows it."""
    with applied(system, feed("page")), chromium.started() as browser:
        reader = chromium.Profile(browser, port)
        page = reader.open("chain/SPY")
        expect(page.get_by_role("heading", name=LOGIN)).to_be_visible()
        reader.log_in(f"{uuid.uuid4().hex}@example.com", PASSWORD, button="Create account")
        expect(page.locator(".ladder tbody tr.atm")).to_be_visible(timeout=90_000)
        expect(reader.state()).to_have_attribute("data-state", "live")
        reader.wait("document.querySelectorAll('.ladder td[data-flash]').length > 0")
        reader.close()
        assert reader.errors == []


def told(system: Cluster, name: str) -> list[str]:
    """The last decisions of the feed's status, newest first."""
    return [decision["message"] for decision in reversed(status(system, name)["decisions"][-SHOWN:])]


def test_the_feeds_view_shows_pods_come_and_go_while_a_backlog_is_worked_off(
    system: Cluster, port: int
) -> None:
    """The numbers change without a reload, and the decisions are those of the feed's status."""
    with applied(system, idle("seen")) as name, redis_client(system) as client, chromium.started() as browser:
        ready(system, name)
        reader = chromium.Profile(browser, port)
        page = reader.open(f"feeds?feed={name}")
        reader.log_in(f"{uuid.uuid4().hex}@example.com", PASSWORD, button="Create account")
        enrichers = page.locator(f".list tr:has([data-feed={name}]) td.c-enricher")
        expect(enrichers).to_have_text("0 of 0")
        enrichers.evaluate(
            """cell => { window.seen = []; new MutationObserver(() => seen.push(parseInt(cell.textContent)))
            .observe(cell, {childList: true, characterData: true, subtree: true}); }"""
        )
        append(client, name, BACKLOG, product="AAPL")
        patch(system, name, {"mode": "Automatic"})
        reader.wait("Math.max(...seen) > 1", 180)
        expect(enrichers).to_have_text("1 of 1", timeout=180_000)
        shown = page.locator(".decisions q")
        wait_until(lambda: shown.all_inner_texts() == told(system, name), "the decisions of the status")
        reader.close()
        assert reader.errors == []
