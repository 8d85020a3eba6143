// The chart of the candles.

import { CandlestickSeries } from "../../vendor/lightweight-charts/lightweight-charts.js";
import { Chart } from "../../app/charts/chart.js";
import { Points } from "../../app/charts/points.js";
import { Slot } from "../../app/charts/slot.js";
import { Times } from "../../app/charts/times.js";

/** @typedef {import("./candles.js").Candle} Candle */

const SHOWN_AT_FIRST = 120;
const WIDEST_PX = 24;

/** @typedef {import("../../app/types.d.ts").CandleLook} Look */

export class CandleChart {
  #context;
  #slot = new Slot();
  /** @type {any} */
  #series = null;
  /** The line of the last price. @type {any} */
  #last = null;
  /** @type {Points | null} */
  #points = null;
  /** @type {Times | null} */
  #times = null;
  #count = 0;

  /** @param {Context} context */
  constructor(context) {
    this.#context = context;
  }

  get element() {
    return this.#slot.element;
  }

  /** @param {Candle[]} candles ascending, at least one @param {Look} look */
  draw(candles, look) {
    const { formats } = this.#context;
    const { subject, exchange, decimals } = look;
    const newest = candles[candles.length - 1];
    this.#count = candles.length;
    const chart = this.#slot.chart([subject, exchange.zone, decimals].join(), () => this.#build(newest, look));
    const times = /** @type {Times} */ (this.#times);
    const points = candles.map(({ start, ...prices }) => ({ time: times.to(start), ...prices }));
    /** @type {Points} */ (this.#points).set(points);
    this.#last.applyOptions({ price: newest.close });
    const byTime = new Map(points.map((point) => [point.time, point]));
    /** @param {any} x */
    const say = (x) => {
      const { open, high, low, close } = /** @type {any} */ (byTime.get(x));
      const values = Object.entries({ open, high, low, close }).map(([name, value]) => `${name} ${formats.number(value, decimals)}`);
      return [{ text: times.text(x) }, { text: values.join(", ") }];
    };
    const stops = points.map(({ time, close }) => ({ x: time, price: close, series: this.#series }));
    chart.stops(stops, stops.length - 1, say, say(times.to(newest.start)));
  }

  theme() {
    this.#slot.theme();
    this.#series?.applyOptions(this.#colours());
    this.#last?.applyOptions({ color: this.#context.colour("accent") });
  }

  remove() {
    this.#slot.remove();
  }

  #colours() {
    const { colour } = this.#context;
    const [good, bad, ground] = ["good", "bad", "ground"].map(colour);
    // A rising candle is hollow, so that the direction is not colour alone.
    return { upColor: ground, borderUpColor: good, wickUpColor: good, downColor: bad, borderDownColor: bad, wickDownColor: bad };
  }

  /** @param {Candle} newest @param {Look} look @returns {Chart} */
  #build(newest, { exchange, decimals }) {
    const { formats, colour } = this.#context;
    this.#times = new Times(formats, exchange, newest.start);
    const { localization, timeScale } = this.#times.options();
    const chart = new Chart(this.#context, `Price (${exchange.label})`, null, {
      localization,
      timeScale: { ...timeScale, maxBarSpacing: WIDEST_PX, borderColor: colour("line") },
    });
    this.#series = chart.api.addSeries(CandlestickSeries, {
      ...this.#colours(),
      priceFormat: { type: "custom", minMove: 10 ** -decimals, formatter: (/** @type {number} */ value) => formats.number(value, decimals) },
      lastValueVisible: false, // its label has the colour of the candle's body, which may be that of the ground
      priceLineVisible: false,
    });
    this.#last = this.#series.createPriceLine({ price: newest.close, color: colour("accent"), lineStyle: 1, lineWidth: 1 });
    this.#points = new Points(this.#series);
    chart.frame((scale) => scale.setVisibleLogicalRange({ from: Math.max(0, this.#count - SHOWN_AT_FIRST), to: this.#count + 2 }));
    return chart;
  }
}
