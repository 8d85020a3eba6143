// The chart of the put/call ratios over time.

import { LineSeries } from "../../vendor/lightweight-charts/lightweight-charts.js";
import { Chart } from "../../app/charts/chart.js";
import { Points } from "../../app/charts/points.js";
import { Slot } from "../../app/charts/slot.js";
import { Times } from "../../app/charts/times.js";
import { MISSING } from "../../app/formats.js";

/** @typedef {import("./ratios.js").Ratio} Ratio */

const LINES = /** @type {const} */ ([["oi", "PCR OI", "accent", 0], ["volume", "PCR volume", "series-2", 2]]);

export class HistoryChart {
  #context;
  #slot = new Slot();
  /** @type {any[]} */
  #series = [];
  /** @type {Points[]} */
  #points = [];
  /** @type {Times | null} */
  #times = null;

  /** @param {Context} context */
  constructor(context) {
    this.#context = context;
  }

  get element() {
    return this.#slot.element;
  }

  /**
   * @param {Ratio[]} ratios ascending
   * @param {import("../../app/formats.js").Exchange} exchange
   * @param {string} subject what is shown; another one makes another chart
   * @param {string} note what to say while there is no history
   */
  draw(ratios, exchange, subject, note) {
    if (!ratios.length) return;
    const newest = ratios[ratios.length - 1];
    const chart = this.#slot.chart(`${subject} ${exchange.zone}`, () => this.#build(exchange, newest.at));
    const times = /** @type {Times} */ (this.#times);
    LINES.forEach(([field], at) => {
      this.#points[at].set(ratios.map((ratio) => ({ time: times.to(ratio.at), ...(ratio[field] === null ? {} : { value: ratio[field] }) })));
    });
    const { formats } = this.#context;
    const stops = ratios.map((ratio) => ({ x: times.to(ratio.at), price: ratio.oi ?? ratio.volume ?? 0, series: this.#series[0] }));
    /** @param {Ratio} ratio @returns {import("../../app/charts/chart.js").Said[]} */
    const values = (ratio) =>
      LINES.map(([field, name, token]) => ({ text: `${name} ${ratio[field] === null ? MISSING : formats.number(Number(ratio[field]), 4)}`, token }));
    const byTime = new Map(ratios.map((ratio) => [times.to(ratio.at), ratio]));
    /** @param {any} x */
    const say = (x) => [{ text: times.text(x) }, ...values(/** @type {Ratio} */ (byTime.get(x)))];
    const summary = [...values(newest), { text: note || `${formats.count(ratios.length)} ${ratios.length === 1 ? "point" : "points"}` }];
    chart.stops(stops, stops.length - 1, say, summary);
  }

  theme() {
    this.#slot.theme();
    this.#series.forEach((series, at) => series.applyOptions({ color: this.#context.colour(LINES[at][2]) }));
  }

  remove() {
    this.#slot.remove();
  }

  /** @param {import("../../app/formats.js").Exchange} exchange @param {number} at seconds @returns {Chart} */
  #build(exchange, at) {
    const { formats, colour } = this.#context;
    this.#times = new Times(formats, exchange, at);
    const { localization, timeScale } = this.#times.options();
    const chart = new Chart(this.#context, `Put/call ratio over time (${exchange.label})`, null, {
      localization,
      timeScale: { ...timeScale, secondsVisible: true, minBarSpacing: 0.01, borderColor: colour("line") },
    });
    const { api } = chart;
    const ratio = { type: "custom", minMove: 0.0001, formatter: (/** @type {number} */ value) => formats.number(value, 4) };
    this.#series = LINES.map(([, , token, lineStyle]) =>
      api.addSeries(LineSeries, { color: colour(token), lineStyle, lineWidth: 2, priceFormat: ratio, priceLineVisible: false }),
    );
    this.#points = this.#series.map((series) => new Points(series));
    chart.frame((scale) => scale.fitContent());
    return chart;
  }
}
