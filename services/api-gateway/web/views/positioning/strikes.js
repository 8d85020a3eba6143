// The charts of open interest and of its change, by strike: calls beside puts.

import { spotDecimals, unitOf } from "../../app/chains.js";
import { Chart } from "../../app/charts/chart.js";
import { Pairs } from "../../app/charts/pairs.js";
import { Points } from "../../app/charts/points.js";
import { PositionScale, place, stepOf } from "../../app/charts/positions.js";
import { Slot } from "../../app/charts/slot.js";
import { Verticals } from "../../app/charts/verticals.js";
import { NO_CHANGE } from "../../app/words.js";

const PANES = /** @type {const} */ ([["open_interest", "Open interest"], ["open_interest_change", "Change"]]);

export class StrikesChart {
  #context;
  #slot = new Slot();
  /** @type {any[]} */
  #series = [];
  /** @type {Points[]} */
  #points = [];
  #verticals = new Verticals();

  /** @param {Context} context */
  constructor(context) {
    this.#context = context;
  }

  get element() {
    return this.#slot.element;
  }

  /** @param {Chain} chain @param {(strike: number) => boolean} isShown */
  draw(chain, isShown) {
    const step = stepOf(chain.calls.map(({ strike }) => strike));
    const chart = this.#slot.chart(`${chain.product} ${step}`, () => this.#build(step));
    const rows = chain.calls.map((call, at) => ({ call, put: chain.puts[at] })).filter(({ call }) => isShown(call.strike));
    if (!rows.length) return;
    const positions = place(rows.map(({ call }) => call.strike), step);
    PANES.forEach(([field], pane) => {
      this.#points[pane].set(rows.map(({ call, put }, at) => ({ time: positions[at], calls: call[field], puts: put[field] })));
    });
    this.#verticals.set(this.#lines(chain, step), chart.span(positions), this.#context.colour("ground"));
    this.#stops(chart, chain, rows, positions);
  }

  theme() {
    this.#slot.theme();
    for (const series of this.#series) series.applyOptions(this.#colours());
  }

  remove() {
    this.#slot.remove();
  }

  #colours() {
    const { colour } = this.#context;
    return { calls: colour("calls"), puts: colour("puts") };
  }

  /** @param {number} step @returns {Chart} */
  #build(step) {
    const { formats } = this.#context;
    const scale = new PositionScale((position) => formats.count(position * step));
    const chart = new Chart(this.#context, "Open interest and its change by strike", scale);
    const { api } = chart;
    const count = { type: "custom", minMove: 1, formatter: (/** @type {number} */ value) => formats.compact(value) };
    this.#series = PANES.map((_, pane) => api.addCustomSeries(new Pairs(), { ...this.#colours(), priceFormat: count }, pane));
    this.#points = this.#series.map((series) => new Points(series));
    this.#verticals = new Verticals();
    this.#series[0].attachPrimitive(this.#verticals);
    api.panes()[0].setStretchFactor(2);
    api.panes()[1].setStretchFactor(1);
    return chart;
  }

  /** @param {Chain} chain @param {number} step */
  #lines(chain, step) {
    const { formats, colour } = this.#context;
    const decimals = spotDecimals(chain);
    const marked = /** @type {const} */ ([
      ["Spot", chain.spot_price, "text", true],
      ["Forward", chain.forward, "accent", false],
      ["Max pain", chain.max_pain_strike, "warn", false],
    ]);
    return marked.flatMap(([name, price, token, dashed]) => {
      if (price === null) return [];
      const text = token === "warn" ? formats.count(price) : formats.number(price, decimals); // a strike is exact
      return [{ x: price / step, text: `${name} ${text}`, colour: colour(token), dashed }];
    });
  }

  /** @param {Chart} chart @param {Chain} chain @param {{call: Row, put: Row}[]} rows @param {number[]} positions */
  #stops(chart, chain, rows, positions) {
    const { formats } = this.#context;
    const stops = rows.map(({ call }, at) => ({ x: positions[at], price: call.open_interest, series: this.#series[0] }));
    const start = rows.findIndex(({ call }) => call.strike >= chain.spot_price);
    /** @param {string} name @param {Row} row */
    const told = (name, row) => `${name} OI ${formats.count(row.open_interest)} (${formats.change(row.open_interest_change)})`;
    /** @param {number} x */
    const say = (x) => {
      const { call, put } = rows[positions.indexOf(x)];
      return [
        { text: `Strike ${formats.count(call.strike)}` },
        { text: told("calls", call), token: "calls" },
        { text: told("puts", put), token: "puts" },
      ];
    };
    const changed = rows.some(({ call, put }) => call.open_interest_change !== null || put.open_interest_change !== null);
    chart.api.panes()[1].setStretchFactor(changed ? 1 : 0.01);
    const summary = [
      { text: `■ Calls ${formats.count(chain.total_call_oi)}`, token: "calls" },
      { text: `■ Puts ${formats.count(chain.total_put_oi)}`, token: "puts" },
      { text: `${unitOf(chain)}; ${changed ? "below: change since the previous close" : `change unknown: ${NO_CHANGE}`}` },
    ];
    chart.stops(stops, start, say, summary);
  }
}
