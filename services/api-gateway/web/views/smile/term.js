// The chart of the term structure: the at-the-money volatility of every expiry against the days to it.

import { LineSeries } from "../../vendor/lightweight-charts/lightweight-charts.js";
import { Chart } from "../../app/charts/chart.js";
import { Points } from "../../app/charts/points.js";
import { PositionScale, place } from "../../app/charts/positions.js";
import { Slot } from "../../app/charts/slot.js";
import { duration } from "../../app/formats.js";

const DAYS = 365;
const DAY_MS = 86_400_000;
/** The least height of the vertical axis, in points of volatility: so that noise does not look like a slope. */
const LEAST_HEIGHT = 2;

export class TermChart {
  #context;
  #slot = new Slot();
  /** @type {any} */
  #line = null;
  /** @type {Points | null} */
  #points = null;

  /** @param {Context} context */
  constructor(context) {
    this.#context = context;
  }

  get element() {
    return this.#slot.element;
  }

  /** @param {Chain[]} all of one product, ascending by expiry */
  draw(all) {
    const { formats } = this.#context;
    const known = all.filter(({ atm_iv, years_to_expiry }) => atm_iv !== null && years_to_expiry > 0);
    const days = known.map(({ years_to_expiry }) => years_to_expiry * DAYS);
    const step = (days.at(-1) ?? 0) > 40 ? 1 : 0.1; // days
    const chart = this.#slot.chart(`${all[0].product} ${step}`, () => this.#build(step));
    const positions = place(days, step);
    const values = known.map(({ atm_iv }) => 100 * Number(atm_iv));
    /** @type {Points} */ (this.#points).set(values.map((value, at) => ({ time: positions[at], value })));
    if (known.length) chart.span([0, ...positions]);
    const stops = values.map((price, at) => ({ x: positions[at], price, series: this.#line }));
    /** @param {number} x */
    const say = (x) => {
      const at = positions.indexOf(x);
      return [{ text: `${formats.date(known[at].expiry)}, in ${duration(days[at] * DAY_MS)}: ATM IV ${formats.number(values[at], 2)} %` }];
    };
    const none = all.length - known.length;
    const rest = none ? `; ${none} expired or without a volatility` : "";
    chart.stops(stops, 0, say, [{ text: `${known.length} of ${all.length} ${all.length === 1 ? "expiry" : "expiries"}${rest}` }]);
  }

  theme() {
    this.#slot.theme();
    this.#line?.applyOptions({ color: this.#context.colour("accent") });
  }

  remove() {
    this.#slot.remove();
  }

  /** @param {number} step in days @returns {Chart} */
  #build(step) {
    const { formats, colour } = this.#context;
    const scale = new PositionScale((position) => (position < 0 ? "" : `${Math.round(position * step * 10) / 10} d`));
    const chart = new Chart(this.#context, "At-the-money volatility by expiry", scale);
    this.#line = chart.api.addSeries(LineSeries, {
      color: colour("accent"),
      lineWidth: 2,
      pointMarkersVisible: true,
      lastValueVisible: false,
      priceLineVisible: false,
      priceFormat: { type: "custom", minMove: 0.01, formatter: (/** @type {number} */ value) => `${formats.number(value, 1)} %` },
      autoscaleInfoProvider: atLeast,
    });
    this.#points = new Points(this.#line);
    return chart;
  }
}

/** @param {() => any} original */
function atLeast(original) {
  const found = original();
  const range = found?.priceRange;
  if (!range) return found;
  const room = Math.max(0, LEAST_HEIGHT - (range.maxValue - range.minValue)) / 2;
  return { ...found, priceRange: { minValue: range.minValue - room, maxValue: range.maxValue + room } };
}
