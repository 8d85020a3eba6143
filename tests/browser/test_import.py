"""Files dropped on the view Sources of a local run become a feed, or a report of what is wrong."""

from __future__ import annotations

import base64
import re
from pathlib import Path

import pytest
from devcluster.waiting import wait_until
from playwright.sync_api import Page, expect

from tests.browser.desk import Desk

pytestmark = pytest.mark.timeout(300)
DROP = """([names, contents]) => {
    const given = new DataTransfer();
    names.forEach((name, at) => given.items.add(
        new File([Uint8Array.from(atob(contents[at]), (one) => one.charCodeAt(0))], name)));
    const view = document.querySelector(".import").parentElement;
    for (const type of ["dragenter", "dragover", "drop"])
        view.dispatchEvent(new DragEvent(type, {bubbles: true, cancelable: true, dataTransfer: given}));
}"""


def drop(page: Page, *files: tuple[str, bytes]) -> None:
    """Drop files as a mouse does; a browser under test has no file manager."""
    contents = [base64.b64encode(content).decode() for _, content in files]
    page.evaluate(DROP, [[name for name, _ in files], contents])


def spy(path: Path) -> bytes:
    """A snapshot of SPY in the product's own columns, without its time."""
    head = "product,expiry,strike,spot,side,ltp,bid,ask,bid_qty,ask_qty,vol,oi,prev_oi,close"
    rows = [
        f"SPY,2026-12-18,{strike},500,{side},5,4.9,5.1,1,1,10,20,20,5"
        for strike in range(480, 521, 5)
        for side in "CP"
    ]
    path.write_text("\n".join([head, *rows]) + "\n")
    return path.read_bytes()


def opened(desk: Desk) -> Page:
    page = visited(desk)
    desk.login()
    return page


def visited(desk: Desk) -> Page:
    """The view, once it takes files."""
    page = desk.open("sources?feed=day")
    expect(page.get_by_text("Import files", exact=True)).to_be_visible()
    return page


def test_a_dropped_file_is_asked_for_what_it_does_not_say_and_then_replayed(
    replaying: Desk, tmp_path: Path
) -> None:
    """The field is marked by its name. With the answer a new feed runs, and the report says what it found."""
    page = opened(replaying)
    drop(page, ("My SPY chain.csv", spy(tmp_path / "spy.csv")))
    said = page.locator(".import-said")
    expect(said).to_contain_text("Not imported: My_SPY_chain.csv, line 1")
    expect(said).to_contain_text("(as_of)")
    field = page.get_by_label("Time of the prices")
    expect(field).to_have_attribute("aria-invalid", "true")
    expect(field).to_be_focused()
    field.fill("2026-11-27T16:00:00-05:00")
    expect(page.get_by_label("Name of the new feed")).to_have_value("my-spy-chain")
    page.keyboard.press("Enter")
    expect(said).to_contain_text("Done: the feed my-spy-chain replays the recording")
    report = page.locator(".import-report")
    expect(report).to_contain_text(re.compile(r"Rows\s*18"))
    expect(report).to_contain_text(re.compile(r"Contracts\s*18"))
    expect(report).to_contain_text(re.compile(r"Products\s*SPY"))
    expect(page.locator(".source-detail h2")).to_have_text("my-spy-chain")
    wait_until(
        lambda: "SPY" in replaying.system.get("/api/data/products")["products"], "its messages are stored", 90
    )
    expect(page.locator(".replay-said")).to_contain_text("2026-11-27 21:00:00 UTC")
    folder = replaying.system.home / "imports"
    assert sorted(path.name for path in (folder / "my-spy-chain").iterdir()) == ["feed.yaml", "recording.csv"]
    assert not list((folder / "uploads").iterdir())
    replaying.forgive("409")  # the page asks where the replay is before its generator has reported


def test_a_refused_file_has_every_problem_with_its_count_and_first_place(
    replaying: Desk, tmp_path: Path
) -> None:
    """Nothing is imported; the feeds stay as they are."""
    page = opened(replaying)
    before = [row["name"] for row in replaying.system.get("/api/feeds")["feeds"]]
    page.get_by_text("Import files", exact=True).click()
    bad = spy(tmp_path / "spy.csv").replace(b",4.9,", b",x,")
    page.get_by_label("Files").set_input_files({"name": "bad.csv", "mimeType": "text/csv", "buffer": bad})
    page.get_by_label("Time of the prices").fill("2026-11-27T16:00:00-05:00")
    page.get_by_role("button", name="Import").click()
    expect(page.locator(".import-said")).to_contain_text("Not imported: the files have errors")
    row = page.locator(".import-problems tbody tr").first
    expect(row).to_contain_text("✕ error")
    expect(row).to_contain_text("bid")
    expect(row).to_contain_text("18")
    expect(row).to_contain_text("bad.csv:2")
    assert [row["name"] for row in replaying.system.get("/api/feeds")["feeds"]] == before


def test_too_large_files_are_not_sent(replaying: Desk) -> None:
    """The page says the limit and what to use instead."""
    page = opened(replaying)
    page.evaluate(
        """() => { const given = new DataTransfer();
        given.items.add(new File([new Uint8Array(33554433)], "big.csv"));
        document.querySelector(".import").parentElement.dispatchEvent(
            new DragEvent("drop", {bubbles: true, cancelable: true, dataTransfer: given})); }"""
    )
    expect(page.locator(".import-said")).to_contain_text("at most 32 MiB: use bin/deltastream import")


def test_a_reader_without_the_role_is_told_so(replaying: Desk) -> None:
    page = visited(replaying)
    drop(page, ("a.csv", b"x"))
    expect(page.locator(".import-rule").last).to_contain_text("Log in (Account)")
    expect(page.get_by_role("button", name="Import")).to_be_hidden()
