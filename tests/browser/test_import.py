"""Files dropped on the view Sources of a local run become a feed, or a report of what is wrong."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from devcluster.waiting import wait_until
from playwright.sync_api import Page, Route, expect

from tests.browser.desk import Desk
from tests.browser.test_looks import RULES

pytestmark = pytest.mark.timeout(300)
FILES = Path(__file__).parents[2] / "services/feed-generator/tests/files"
VIEW = (600, 500)
"""A place of the window in the view."""
TAKEN = """([selector, type]) => {
    const given = new DataTransfer();
    if (type === "Files") given.items.add(new File(["x"], "a.csv"));
    else given.setData(type, "http://127.0.0.1/");
    const init = {bubbles: true, cancelable: true, dataTransfer: given};
    const target = document.querySelector(selector);
    return ["dragover", "drop"].map(name => !target.dispatchEvent(new DragEvent(name, init)));
}"""
"""Whether the page takes what is dragged and dropped there, so that the browser does not open it."""


def drop(page: Page, *paths: Path) -> None:
    """Drop files on the view, as the browser gets them from a file manager."""
    drag: dict[str, Any] = {"items": [], "files": [str(path) for path in paths], "dragOperationsMask": 1}
    browser = page.context.new_cdp_session(page)
    for kind in ("dragEnter", "dragOver", "drop"):
        browser.send("Input.dispatchDragEvent", {"type": kind, "x": VIEW[0], "y": VIEW[1], "data": drag})
    browser.detach()


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
    path = tmp_path / "My SPY chain.csv"
    spy(path)
    drop(page, path)
    said = page.locator("#import-said")
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
    expect(page.locator("#import-said")).to_contain_text("Not imported: the files have errors")
    row = page.locator(".import-problems tbody tr").first
    expect(row).to_contain_text("✕ error")
    expect(row).to_contain_text("bid")
    expect(row).to_contain_text("18")
    expect(row).to_contain_text("bad.csv:2")
    assert [row["name"] for row in replaying.system.get("/api/feeds")["feeds"]] == before


def test_what_cannot_be_sent_is_refused_before_it_is_sent(replaying: Desk, tmp_path: Path) -> None:
    """2 GB, a folder: the page says why, and what to do. Nothing goes to the gateway."""
    page = opened(replaying)
    sent: list[str] = []
    page.on("request", lambda request: sent.append(request.url) if "/api/imports" in request.url else None)
    big, folder, said = tmp_path / "big.csv", tmp_path / "downloads", page.locator("#import-said")
    with big.open("wb") as file:
        file.truncate(2 * 1024**3)  # a sparse file
    folder.mkdir()
    drop(page, big)
    expect(said).to_contain_text("2048.0 MiB, and the page takes at most 32 MiB: use bin/deltastream import")
    drop(page, folder)
    expect(said).to_contain_text("downloads cannot be read: it is a folder")
    assert sent == []


@pytest.mark.parametrize("view", ["sources?feed=day", "chain/NIFTY"])
def test_a_drop_beside_the_target_leaves_the_page(replaying: Desk, view: str) -> None:
    """Files and links: the browser would open them, and the login would be lost. A field takes its text.

    A drop that no listener takes does nothing in a browser under test, so the test asks whether one took it.
    """
    page = replaying.open(view)
    expect(page.locator("#view > section")).to_be_visible()
    page.evaluate("document.body.append(document.createElement('textarea'))")
    assert page.evaluate(TAKEN, ["header", "Files"]) == [True, True]
    assert page.evaluate(TAKEN, ["header", "text/uri-list"]) == [True, True]
    assert page.evaluate(TAKEN, ["#view > section", "text/uri-list"]) == [True, True]
    assert page.evaluate(TAKEN, ["textarea", "text/uri-list"]) == [False, False]


def test_all_that_is_missing_is_asked_for_at_once(replaying: Desk, tmp_path: Path) -> None:
    """Each field is marked, not by its colour alone, and described by the refusal. Clear begins again."""
    page = opened(replaying)
    path = tmp_path / "chain.csv"
    path.write_bytes((FILES / "option-chain-ED-NIFTY-27-Jun-2024.csv").read_bytes())
    drop(page, path)
    asked = page.locator(".import [aria-invalid]")
    expect(asked).to_have_count(3)
    form = page.locator(".import form")
    fields = [form.get_by_label(label) for label in ("Time of the prices", "Expiry", "Products")]
    for field in fields:
        expect(field).to_have_attribute("aria-describedby", "import-said")
    mark = "getComputedStyle(document.querySelector('label:has([aria-invalid]) span'), '::before').content"
    assert page.evaluate(mark) == '"✕ "'
    for theme in ("light", "dark"):
        replaying.look(theme=theme)
        found = Axe().run(page, options=RULES[theme])
        assert found.violations_count == 0, found.generate_report()
    fields[1].fill("2024-06-27")
    expect(asked).to_have_count(0)
    page.get_by_role("button", name="Clear").click()
    expect(page.locator("#import-said")).to_have_text("")
    expect(fields[1]).to_have_value("")
    expect(page.get_by_label("Files")).to_have_value("")


def test_what_was_stated_for_other_files_is_forgotten(replaying: Desk, tmp_path: Path) -> None:
    """An expiry of yesterday's file would be taken for today's."""
    page = opened(replaying)
    one, other = tmp_path / "one.csv", tmp_path / "other.csv"
    for path in (one, other):
        path.write_text("no,such,file\n1,2,3\n")
    page.get_by_text("Import files", exact=True).click()
    expiry = page.locator(".import form").get_by_label("Expiry")
    expiry.fill("2024-06-27")
    drop(page, one)
    expect(page.locator("#import-said")).to_contain_text("Not imported")
    expect(expiry).to_have_value("2024-06-27")
    drop(page, other)
    expect(expiry).to_have_value("")


def test_a_drop_during_an_import_is_refused_in_words(replaying: Desk, tmp_path: Path) -> None:
    """Also after another view was shown meanwhile: the import and its end are not forgotten."""
    page = opened(replaying)
    asked: list[str] = []
    ended = {"stage": "refused", "detail": "spot: must be above 0"}
    state = {"id": "0f" * 16, "feed": "a", "stage": "converting", "read": 1, "of": 2, "report": None}
    state["detail"] = "the files are converted"

    def answer(route: Route) -> None:
        asked.append(route.request.method)
        route.fulfill(json=state, status=202 if route.request.method == "POST" else 200)

    page.route("**/api/imports**", answer)
    path = tmp_path / "a.csv"
    path.write_text("x")
    drop(page, path)
    said = page.locator("#import-said")
    expect(said).to_have_text("Converting: the files are converted.")
    drop(page, path)
    expect(page.locator(".import-said").last).to_contain_text("One import at a time")
    assert asked.count("POST") == 1
    page.keyboard.press("Escape")
    page.goto(replaying.link("quality"))
    expect(page.locator(".view-quality")).to_be_visible()
    state |= ended
    page.goto(replaying.link("sources?feed=day"))
    expect(said).to_have_text("Not imported: spot: must be above 0.")
    expect(page.get_by_label("Spot")).to_have_attribute("aria-invalid", "true")
    expect(page.get_by_role("button", name="Import")).not_to_have_attribute("aria-disabled", "true")


def test_a_running_import_can_be_cancelled(replaying: Desk, tmp_path: Path) -> None:
    """Nothing of it stays: no file, no feed. The page says so in one line, and takes the next import."""
    page = opened(replaying)
    before = [row["name"] for row in replaying.system.get("/api/feeds")["feeds"]]
    path = tmp_path / "long.csv"
    head, *rows = spy(path).decode().splitlines()
    with path.open("w") as file:
        print(f"timestamp,{head}", file=file)
        for second in range(25_000):  # it takes much longer to convert than to cancel
            time = f"2026-11-27T{second // 3600:02}:{second // 60 % 60:02}:{second % 60:02}Z"
            file.writelines(f"{time},{row}\n" for row in rows)
    drop(page, path)
    said, button = page.locator("#import-said"), page.get_by_role("button", name="Cancel the import")
    expect(said).to_contain_text("Converting", timeout=30_000)
    button.focus()
    page.keyboard.press("Enter")
    expect(said).to_have_text("Cancelled: nothing is imported.", timeout=30_000)
    expect(said).not_to_have_attribute("data-failed", "true")
    expect(button).to_be_hidden()
    submit = page.get_by_role("button", name="Import", exact=True)
    expect(submit).to_be_focused()
    expect(submit).not_to_have_attribute("aria-disabled", "true")
    folder = replaying.system.home / "imports"
    wait_until(lambda: not list((folder / "uploads").iterdir()), "the uploads are removed")
    assert not [found.name for found in folder.iterdir() if found.name.startswith((".", "long"))]
    assert [row["name"] for row in replaying.system.get("/api/feeds")["feeds"]] == before


def test_an_import_that_the_gateway_forgot_ends(replaying: Desk, tmp_path: Path) -> None:
    """A forgotten import must not block the next one."""
    page = opened(replaying)
    state = {
        "id": "0f" * 16,
        "feed": "a",
        "stage": "waiting",
        "read": 0,
        "of": 0,
        "detail": "",
        "report": None,
    }

    def answer(route: Route) -> None:
        if route.request.method == "POST":
            route.fulfill(json=state, status=202)
        else:
            route.fulfill(
                json={"code": "import_unknown", "detail": "no import 0f: send the files again"}, status=404
            )

    page.route("**/api/imports**", answer)
    path = tmp_path / "a.csv"
    path.write_text("x")
    drop(page, path)
    expect(page.locator("#import-said")).to_contain_text("send the files again.")
    expect(page.get_by_role("button", name="Import")).not_to_have_attribute("aria-disabled", "true")
    replaying.forgive("404")


def test_a_reader_without_the_role_is_told_so(replaying: Desk, tmp_path: Path) -> None:
    page = visited(replaying)
    path = tmp_path / "a.csv"
    path.write_text("x")
    drop(page, path)
    expect(page.locator(".import-rule").last).to_contain_text("Log in (Account)")
    expect(page.get_by_role("button", name="Import")).to_be_hidden()
