"""The smile shows the volatilities that REST answers, says why one is missing, and follows the market."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.browser.desk import Desk
from tests.browser.numbers import said, table

pytestmark = pytest.mark.timeout(300)
CLOSE = "2024-06-27"
CAPTION = "Quoted implied volatilities"
SMILE = "Implied volatility against"
TERM = "At-the-money volatility by expiry"


def percent(value: float | None) -> str:
    return "–" if value is None else f"{value * 100:,.2f}"


def test_every_volatility_agrees_with_rest(desk: Desk) -> None:
    """Puts below the forward, calls from it on: with the volatilities of bid and ask, or with the reason."""
    chain = desk.system.get(f"/api/data/chain/NIFTY?expiry={CLOSE}&limit=1")["chains"][0]
    shown = table(desk.open(f"smile/NIFTY/{CLOSE}?show=table"), CAPTION)
    assert len(shown) == len(chain["calls"])
    missing = 0
    for call, put in zip(chain["calls"], chain["puts"], strict=True):
        row, name = (put, "put") if call["strike"] < chain["forward"] else (call, "call")
        cells = shown[f"{CLOSE} {row['strike']:g}"]
        assert cells[1:5] == [name, *(percent(row[field]) for field in ("iv_bid", "iv", "iv_ask"))]
        assert bool(cells[6]) == (row["iv"] is None)
        missing += row["iv"] is None
    assert missing
    expect(desk.page.get_by_role("note")).to_contain_text(
        f"{missing} of {len(shown)} quotes have no volatility"
    )


@pytest.mark.parametrize("axis", ["strike", "moneyness", "delta"])
def test_the_crosshair_tells_exact_numbers_without_a_mouse(desk: Desk, axis: str) -> None:
    """It starts at the money. Every strike with a place on the axis is a stop, also without a volatility."""
    chain = desk.system.get(f"/api/data/chain/NIFTY?expiry={CLOSE}&limit=1")["chains"][0]
    page = desk.open(f"smile/NIFTY/{CLOSE}?x={axis}&strikes=all&side=calls")
    chart = page.get_by_role("slider", name=SMILE)
    expect(chart).to_have_attribute("aria-valuemax", str(len(placed(chain["calls"], axis)) - 1))
    assert "ATM IV 10.63 %" in said(page, SMILE)
    chart.focus()
    page.keyboard.press("Home")
    row = placed(chain["calls"], axis)[0]
    expect(chart).to_have_attribute("aria-valuetext", expect_text(row))
    expect(page.locator(".readout").first).to_have_text(chart.get_attribute("aria-valuetext") or "")
    page.keyboard.press("Escape")
    assert "ATM IV 10.63 %" in said(page, SMILE)


def placed(rows: list[dict[str, float | None]], axis: str) -> list[dict[str, float | None]]:
    if axis != "delta":
        return rows
    return sorted((row for row in rows if row["delta"] is not None), key=lambda row: -(row["delta"] or 0))


def expect_text(row: dict[str, float | None]) -> str:
    name = f"● Jun 27, 2024 {row['strike']:,.0f} call"
    if row["iv"] is None:
        return f"{name}: no volatility, {REASONS[str(row['iv_reason'])]}"
    iv, low, high = (percent(row[field]) for field in ("iv", "iv_bid", "iv_ask"))
    return f"{name}: IV {iv} % ({low} to {high}), delta {row['delta']:.2f}"


REASONS = {
    "wide_spread": "the spread is too wide: half of it is over 25 % of the mid",
    "below_intrinsic": "the price is below intrinsic value",
    "no_quote": "no bid or no ask",
    "info_lost": "too deep in the money: the price no longer depends on volatility",
}


def test_several_expiries_at_once_and_all_in_the_link(desk: Desk) -> None:
    """The chosen expiries and the axis stay after a reload."""
    expiries = desk.system.get("/api/data/expiries/SPY")["expiries"]
    page = desk.open(f"smile/SPY/{expiries[0]}")
    boxes = page.get_by_role("group", name="Expiries").get_by_role("checkbox")
    expect(boxes).to_have_count(len(expiries))
    for box in boxes.all():
        box.check()
    page.get_by_role("radio", name="Log-moneyness").check()
    expect(page.get_by_role("slider", name=f"{SMILE} log-moneyness")).to_be_visible()
    page.reload()
    for box in boxes.all():
        expect(box).to_be_checked()
    assert said(page, SMILE).count("ATM IV") == len(expiries)
    expect(page.get_by_role("slider", name=TERM)).to_have_attribute("aria-valuemax", str(len(expiries) - 1))


def test_the_outermost_points_are_inside_the_chart(desk: Desk) -> None:
    """The marker of the last expiry was cut in half. The room is the same on both sides."""
    page = desk.open("smile/SPY")
    expect(page.get_by_role("slider", name=TERM)).to_be_visible()
    left, right = page.evaluate("""async () => {
        const { Chart } = await import('/web/app/charts/chart.js');
        const { PositionScale } = await import('/web/app/charts/positions.js');
        const { LineSeries } = await import('/web/vendor/lightweight-charts/lightweight-charts.js');
        const chart = new Chart({ colour: () => '#000' }, 'room', new PositionScale(String));
        const plot = chart.element.querySelector('.plot');
        plot.style.cssText = 'position: fixed; inset: 0; width: 400px; height: 300px';
        document.body.append(chart.element);
        chart.api.addSeries(LineSeries).setData([{ time: 0, value: 1 }, { time: 137, value: 2 }]);
        chart.span([0, 137]);
        const scale = chart.api.timeScale();
        while (!scale.width()) await new Promise(requestAnimationFrame);
        await new Promise(requestAnimationFrame);
        const room = [scale.timeToCoordinate(0), scale.width() - scale.timeToCoordinate(137)];
        chart.element.remove();
        return room;
    }""")
    assert right > 20
    assert left == pytest.approx(right, abs=20)


def test_the_numbers_follow_the_market(desk: Desk) -> None:
    """Cells change in place; the rows stay the same elements."""
    page = desk.open("smile/SPY?show=table")
    expiries = page.get_by_role("group", name="Expiries")
    expect(expiries.get_by_role("checkbox", checked=True)).to_have_count(2)  # the second chain adds its rows
    before = table(page, CAPTION)
    page.evaluate("window.kept = document.querySelector('.numbers tbody tr')")
    first = next(iter(before.values()))
    expect(page.locator(".numbers tbody tr").first).not_to_have_text("".join(first))
    assert page.evaluate("window.kept.isConnected")
    assert table(page, CAPTION).keys() == before.keys()


def test_the_surface_is_drawn_and_turned_with_the_keyboard(desk: Desk) -> None:
    """Its library is loaded only now, and works under the page's Content-Security-Policy."""
    requested: list[str] = []
    desk.page.on("request", lambda request: requested.append(request.url))
    page = desk.open("smile/SPY")
    expect(page.get_by_role("slider", name=SMILE)).to_be_visible()
    assert not [url for url in requested if "graph3d" in url]
    page.get_by_role("radio", name="Surface").check()
    surface = page.get_by_role("application")
    expect(surface.locator("canvas")).to_be_visible()
    expect(page.locator(".surface .note")).to_contain_text("quoted volatilities")
    assert [url for url in requested if "graph3d" in url]
    colours = """canvas => {
        const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
        return new Set(new Uint32Array(data.buffer)).size; }"""
    assert surface.locator("canvas").evaluate(colours) > 10
    surface.focus()
    page.keyboard.press("ArrowLeft")


def test_a_surface_of_one_expiry_says_what_it_needs(desk: Desk) -> None:
    page = desk.open(f"smile/NIFTY/{CLOSE}?show=surface")
    expect(page.locator(".surface .note")).to_contain_text("A surface needs two expiries")


def test_the_crosshair_stays_at_its_strike_while_the_market_moves(desk: Desk) -> None:
    """Its numbers are always those of now."""
    page = desk.open("smile/SPY")
    chart = page.get_by_role("slider", name=SMILE)
    expect(chart).to_have_attribute("aria-valuemax", "20")
    chart.focus()
    page.keyboard.press("Home")
    before = said(page, SMILE)
    expect(chart).not_to_have_attribute("aria-valuetext", before)
    after = said(page, SMILE)
    assert before.partition(":")[0] == after.partition(":")[0]
    expect(chart).to_have_attribute("aria-valuenow", "0")
