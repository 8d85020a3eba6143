"""One running system and one Chromium for all browser tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from devcluster.processes.http_process import HttpProcess
from devcluster.waiting import wait_until
from playwright.sync_api import Browser, Page

from tests.browser.desk import OPERATOR, Desk
from tests.browser.gateways import guarded
from tests.browser.recordings import write_feed
from tests.support import chromium
from tests.support.local_system import LocalSystem, running

FEEDS = f"k8s/samples/nifty-replay.yaml,{Path(__file__).with_name('live.yaml')}"


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    with chromium.started() as browser:
        yield browser


@pytest.fixture(scope="package")
def system(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalSystem]:
    """The recording of 21 June 2024 and a quick synthetic market, after both have delivered."""
    with running(tmp_path_factory.mktemp("system"), FEEDS) as started:
        wait_until(
            lambda: (started.call("/api/data/products")[1] or {}).get("products") == ["NIFTY", "SPY"],
            "both products are stored",
        )
        assert started.call("/api/auth/register", OPERATOR)[0] == 201  # the first account: it gets the role
        yield started


@pytest.fixture(scope="package")
def guarded_gateway(system: LocalSystem, tmp_path_factory: pytest.TempPathFactory) -> Iterator[HttpProcess]:
    """A gateway to the same system that shows its data to accounts only."""
    with guarded(system, tmp_path_factory.mktemp("gateways")) as gateway:
        yield gateway


@pytest.fixture
def desk(browser: Browser, system: LocalSystem) -> Iterator[Desk]:
    """A reader with a fresh browser profile. The test fails if the console shows an error."""
    made = Desk(browser, system)
    yield made
    made.close()
    assert made.errors == []


@pytest.fixture(scope="package")
def recording(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalSystem]:
    """A system of its own that replays ten minutes: what steers it or adds feeds disturbs no other test."""
    feed = write_feed(tmp_path_factory.mktemp("recording"))
    with running(tmp_path_factory.mktemp("replaying"), str(feed)) as started:
        wait_until(lambda: started.call("/api/feeds/day/replay")[0] == 200, "the replay reports")
        assert started.call("/api/auth/register", OPERATOR)[0] == 201
        yield started


@pytest.fixture(scope="module")
def page(browser: Browser, system: LocalSystem) -> Iterator[Page]:
    """An empty page of the gateway's origin, which may load its modules."""
    made = browser.new_page(locale="en-US")
    made.goto(system.url("/web/icon.svg"))
    yield made
    made.close()


@pytest.fixture
def replaying(browser: Browser, recording: LocalSystem) -> Iterator[Desk]:
    """A reader of that system's page. The test fails if the console shows an error."""
    made = Desk(browser, recording)
    yield made
    made.close()
    assert made.errors == []


@pytest.fixture
def stranger(browser: Browser, guarded_gateway: HttpProcess) -> Iterator[chromium.Profile]:
    """A reader of the guarded gateway's page, who is not logged in."""
    made = chromium.Profile(browser, guarded_gateway.port)
    yield made
    made.close()
    made.forgive("401")  # Chromium reports each refusal
    assert made.errors == []
