// The chart of the quoted volatilities against strike, log-moneyness or delta.

import { isNear, spotDecimals } from "../../app/chains.js";
import { Chart } from "../../app/charts/chart.js";
import { Points } from "../../app/charts/points.js";
import { PositionScale, place, stepOf } from "../../app/charts/positions.js";
import { Ranges, SHAPES } from "../../app/charts/ranges.js";
import { Slot } from "../../app/charts/slot.js";
import { Verticals } from "../../app/charts/verticals.js";
import { MISSING } from "../../app/formats.js";
import { IV_REASONS, why } from "../../app/words.js";
import { AXES, quotes } from "./quotes.js";

/** @typedef {import("./quotes.js").Quote} Quote */
/** @typedef {{chain: Chain, at: Map<number, Quote>}} Placed the quotes of a chain by position */

export class SmileChart {
  #context;
  #slot = new Slot();
  /** @type {{series: any, points: Points}[]} */
  #series = [];
  #verticals = new Verticals();
  #step = 1;

  /** @param {Context} context */
  constructor(context) {
    this.#context = context;
  }

  get element() {
    return this.#slot.element;
  }

  /** @param {Chain[]} chains of one product, ascending by expiry @param {import("./view.js").Options} options */
  draw(chains, options) {
    const axis = AXES[options.x];
    const strikes = chains.flatMap((chain) => chain.calls.map(({ strike }) => strike));
    const step = axis.step ?? stepOf(strikes);
    const key = [chains[0].product, options.x, step, chains.length].join();
    const chart = this.#slot.chart(key, () => this.#build(axis, step, chains.length));
    const placed = chains.map((chain) => ({ chain, at: this.#place(chain, options) }));
    placed.forEach(({ at }, index) => {
      this.#series[index].points.set([...at].flatMap(([time, quote]) => (quote.iv === null ? [] : [point(time, quote)])));
    });
    const positions = [...new Set(placed.flatMap(({ at }) => [...at.keys()]))].sort((a, b) => a - b);
    const lines = this.#lines(chains, axis);
    if (positions.length) this.#verticals.set(lines, chart.span(positions), this.#context.colour("ground"));
    this.#stops(chart, placed, positions, lines[0]?.x ?? 0);
  }

  theme() {
    this.#slot.theme();
    this.#series.forEach(({ series }, index) => series.applyOptions({ color: this.#context.colour(`series-${index + 1}`) }));
  }

  remove() {
    this.#slot.remove();
  }

  /** @param {import("./quotes.js").Axis} axis @param {number} step @param {number} count of series @returns {Chart} */
  #build(axis, step, count) {
    const { formats, colour } = this.#context;
    this.#step = step;
    const scale = new PositionScale((position) => axis.text(position * step, formats));
    const percent = { type: "custom", minMove: 0.01, formatter: (/** @type {number} */ value) => `${formats.number(value, 1)} %` };
    const chart = new Chart(this.#context, `Implied volatility against ${axis.label.toLowerCase()}`, scale);
    this.#series = Array.from({ length: count }, (_, shape) => {
      const look = { color: colour(`series-${shape + 1}`), shape, priceFormat: percent };
      const series = chart.api.addCustomSeries(new Ranges(), look);
      return { series, points: new Points(series) };
    });
    this.#verticals = new Verticals();
    this.#series[0].series.attachPrimitive(this.#verticals);
    return chart;
  }

  /** @param {Chain} chain @param {import("./view.js").Options} options @returns {Map<number, Quote>} */
  #place(chain, options) {
    const axis = AXES[options.x];
    const near = isNear(chain);
    const shown = quotes(chain, options.side)
      .filter(({ strike }) => options.strikes === "all" || near(strike))
      .map((quote) => ({ quote, value: axis.of(quote, chain) }))
      .filter(({ value }) => value !== null)
      .sort((a, b) => Number(a.value) - Number(b.value));
    const positions = place(shown.map(({ value }) => Number(value)), this.#step);
    return new Map(shown.map(({ quote }, index) => [positions[index], quote]));
  }

  /** The forwards and the spot. @param {Chain[]} chains @param {import("./quotes.js").Axis} axis */
  #lines(chains, axis) {
    const { formats, colour } = this.#context;
    const decimals = spotDecimals(chains[0]);
    /** @type {import("../../app/charts/verticals.js").Vertical[]} */
    const lines = [];
    /** @param {number | null} price @param {Chain} chain @param {string} name @param {string} token @param {boolean} dashed */
    const add = (price, chain, name, token, dashed) => {
      const value = price === null ? null : axis.at(price, chain);
      if (value === null || price === null) return;
      lines.push({ x: value / this.#step, text: `${name} ${formats.number(price, decimals)}`, colour: colour(token), dashed });
    };
    add(chains[0].spot_price, chains[0], "Spot", "text", true);
    chains.forEach((chain, index) => add(chain.forward, chain, `Forward ${SHAPES[index]}`, `series-${index + 1}`, false));
    return lines;
  }

  /** @param {Chart} chart @param {Placed[]} placed @param {number[]} positions @param {number} centre position of the spot */
  #stops(chart, placed, positions, centre) {
    const { formats } = this.#context;
    /** @param {number | null} value */
    const percent = (value) => (value === null ? MISSING : formats.percent(value, 2));
    const stops = positions.map((x) => {
      const index = Math.max(0, placed.findIndex(({ at }) => at.get(x)?.iv != null));
      return { x, price: 100 * (placed[index].at.get(x)?.iv ?? 0), series: this.#series[index].series };
    });
    const start = positions.findIndex((x) => x >= centre);
    /** @param {number} x */
    const say = (x) =>
      placed.flatMap(({ chain, at }, index) => {
        const quote = at.get(x);
        if (!quote) return [];
        const { strike, type, iv, low, high, delta, reason } = quote;
        const name = `${SHAPES[index]} ${formats.date(chain.expiry)} ${formats.count(strike)} ${type}`;
        const text =
          iv === null
            ? `no volatility, ${why(IV_REASONS, reason)}`
            : `IV ${percent(iv)} % (${percent(low)} to ${percent(high)}), delta ${delta === null ? MISSING : formats.number(delta, 2)}`;
        return [{ text: `${name}: ${text}`, token: `series-${index + 1}` }];
      });
    const summary = placed.map(({ chain }, index) => ({
      text: `${SHAPES[index]} ${formats.date(chain.expiry)}: ATM IV ${percent(chain.atm_iv)} %`,
      token: `series-${index + 1}`,
    }));
    chart.stops(stops, start, say, summary);
  }
}

/** @param {number} time @param {Quote} quote @returns {import("../../app/charts/ranges.js").Range} in % */
function point(time, { iv, low, high }) {
  /** @param {number | null} value */
  const percent = (value) => (value === null ? undefined : value * 100);
  return { time, low: percent(low), value: percent(iv), high: percent(high) };
}
