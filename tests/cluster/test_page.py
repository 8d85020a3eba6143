"""The web page of a release, opened in Chromium through port-forwards as `make up` opens them."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from devcluster.kube import Cluster
from devcluster.ports import free_port
from devcluster.release import GATEWAYS, NAME, for_page, install
from playwright.sync_api import expect

from tests.cluster.feeds import applied, feed
from tests.support import chromium

pytestmark = pytest.mark.timeout(600)
PASSWORD = "correct horse battery"
LOGIN = "Log in to see the data"


@pytest.fixture
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
