// The chart of the term structure: the at-the-money volatility of every expiry against the days to it.

import { LineSeries } from "../../vendor/lightweight-charts/lightweight-charts.js";
import { Chart } from "../../app/charts/chart.js";
import { Points } from "../../app/charts/points.js";
import { PositionScale, place } from "../../app/charts/positions.js";
import { duration } from "../../app/formats.js";

/** @typedef {import("../../app/types.d.ts").Chain} Chain */

const DAYS = 365;
const STEP = 0.25; // days

export class TermChart {
  #context;
  #chart;
  #line;
  #points;

  /** @param {import("../../app/types.d.ts").Context} context */
  constructor(context) {
    const { formats, colour } = context;
    this.#context = context;
    this.#chart = new Chart(context, "At-the-money volatility by expiry", new PositionScale((position) => `${position * STEP} d`));
    this.#line = this.#chart.api.addSeries(LineSeries, {
      color: colour("accent"),
      lineWidth: 2,
      pointMarkersVisible: true,
      lastValueVisible: false,
      priceLineVisible: false,
      priceFormat: { type: "custom", minMove: 0.01, formatter: (/** @type {number} */ value) => `${formats.number(value, 1)} %` },
    });
    this.#points = new Points(this.#line);
  }

  get element() {
    return this.#chart.element;
  }

  /** @param {Chain[]} all ascending by expiry */
  draw(all) {
    const { formats } = this.#context;
    const known = all.filter(({ atm_iv, years_to_expiry }) => atm_iv !== null && years_to_expiry > 0);
    const positions = place(known.map(({ years_to_expiry }) => years_to_expiry * DAYS), STEP);
    this.#points.set(known.map(({ atm_iv }, at) => ({ time: positions[at], value: 100 * Number(atm_iv) })));
    if (known.length) this.#chart.span(Math.min(0, positions[0]), positions[positions.length - 1] + 1);
    const stops = known.map(({ atm_iv }, at) => ({ x: positions[at], price: 100 * Number(atm_iv), series: this.#line }));
    /** @param {number} x */
    const say = (x) => {
      const chain = known[positions.indexOf(x)];
      const left = duration(chain.years_to_expiry * DAYS * 86_400_000);
      return [{ text: `${formats.date(chain.expiry)}, in ${left}: ATM IV ${formats.percent(Number(chain.atm_iv), 2)} %` }];
    };
    const none = all.length - known.length;
    const left = none ? `; ${none} expired or without an at-the-money volatility` : "";
    this.#chart.stops(stops, 0, say, [{ text: `${known.length} of ${all.length} expiries${left}` }]);
  }

  theme() {
    this.#chart.theme();
    this.#line.applyOptions({ color: this.#context.colour("accent") });
  }

  remove() {
    this.#chart.remove();
  }
}
