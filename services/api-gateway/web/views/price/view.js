// The price: candles of the underlying from the history, continued live.

import { CandlestickSeries } from "../../vendor/lightweight-charts/lightweight-charts.js";
import { prices } from "../../app/chains.js";
import { Chart, credit } from "../../app/charts/chart.js";
import { Choices } from "../../app/charts/choices.js";
import { Points } from "../../app/charts/points.js";
import { Table } from "../../app/charts/table.js";
import { Times } from "../../app/charts/times.js";
import { Continuity } from "../../app/continuity.js";
import { h, write } from "../../app/dom.js";
import { decimalsOf } from "../../app/formats.js";
import { failed } from "../../app/notice.js";
import { continued, stored } from "./candles.js";

/** @typedef {import("./candles.js").Candle} Candle */

const WINDOWS = { 1: "1 min", 5: "5 min", 15: "15 min", 60: "60 min" };
const SHOWN = { charts: "Chart", table: "Table" };
const USUAL = "1";
const BARS = 500;
const REFRESH_MS = 60_000; // asking again corrects what was lost on the way, such as ticks during a reconnection
const SHOWN_AT_FIRST = 120;
const WIDEST_PX = 24;

class PriceView {
  #context;
  #windows = new Choices("Window", "radio", ([window]) => this.#choose({ window: window === USUAL ? "" : window }));
  #shows = new Choices("Show", "radio", ([show]) => this.#choose({ show: show === "charts" ? "" : show }));
  #slot = h("div", { class: "slot" });
  #charts = h("div", { class: "charts" }, this.#slot);
  #table = new Table("Candles, newest first", ["Start", "Open", "High", "Low", "Close"]);
  #note = h("p", { class: "missing", role: "note" });
  /** @type {Chart | null} */
  #chart = null;
  /** @type {any} */
  #series = null;
  /** The line of the last price. @type {any} */
  #last = null;
  /** @type {Points | null} */
  #points = null;
  /** @type {Times | null} */
  #times = null;
  #built = "";
  #continuity = new Continuity();

  /** @param {HTMLElement} element @param {import("../../app/types.d.ts").Context} context */
  constructor(element, context) {
    this.#context = context;
    element.append(h("div", { class: "options" }, this.#windows.element, this.#shows.element, credit()), this.#charts, this.#table.element, this.#note);
  }

  /** @param {import("../../app/types.d.ts").Change} change */
  update(change) {
    const { store, selection, route, load, ticks, clock } = this.#context;
    const { product } = selection();
    if (!product) return;
    // Ticks first, then the history: so none is missing between the two.
    if (!store.get(`joined:product:${product}`) && store.get("connection").state !== "waiting") return;
    const window = route().options.window in WINDOWS ? route().options.window : USUAL;
    const path = `/api/analytics/ohlc/${encodeURIComponent(product)}?window=${window}&limit=${BARS}`;
    const answer = load(path, this.#continuity.broken(this.#context) ? 0 : REFRESH_MS);
    if (change.has("theme")) this.#theme();
    const keys = [`tick:${product}`, `joined:product:${product}`, path, "route", "theme"];
    if (!keys.some((key) => change.has(key)) && !(answer.error && change.has("clock"))) return;
    const none = answer.error?.status === 404;
    const history = answer.data ? stored(answer.data) : { candles: [], until: 0 };
    const candles = answer.data || none ? continued(history, ticks.of(product), Number(window)) : [];
    this.#draw(product, window, candles, this.#said(answer, none, clock.monotonic()));
  }

  unmount() {
    this.#chart?.remove();
  }

  /** @param {Record<string, string>} options */
  #choose(options) {
    this.#context.go({ options });
  }

  /**
   * What is the matter with the history.
   * @param {import("../../app/types.d.ts").Resource} answer @param {boolean} none whether there is no bar yet @param {number} now
   */
  #said({ data, error }, none, now) {
    if (none) return "There is no history yet: the candles start with the first tick that arrived here.";
    if (error) return failed("the history", error, now).text;
    if (!data) return "The history is loading.";
    return data.complete ? "" : "Only the newest bars are here: the stored history is not available now.";
  }

  #theme() {
    this.#chart?.theme();
    this.#series?.applyOptions(this.#look());
    this.#last?.applyOptions({ color: this.#context.colour("accent") });
  }

  #look() {
    const { colour } = this.#context;
    const [good, bad, ground] = ["good", "bad", "ground"].map(colour);
    // A rising candle is hollow, so that the direction is not colour alone.
    return { upColor: ground, borderUpColor: good, wickUpColor: good, downColor: bad, borderDownColor: bad, wickDownColor: bad };
  }

  /** @param {string} product @param {string} window in minutes @param {Candle[]} candles ascending @param {string} note */
  #draw(product, window, candles, note) {
    const { formats, store, selection, route } = this.#context;
    const chain = store.get(`chain:${product}:${selection().expiry}`);
    const exchange = formats.exchange(chain?.expiry_ts ?? 0);
    const decimals = decimalsOf(chain ? prices(chain) : candles.flatMap(({ open, close }) => [open, close]));
    const table = route().options.show === "table";
    /** @param {Record<string, string>} labels */
    const choices = (labels) => Object.entries(labels).map(([value, label]) => ({ value, label }));
    this.#windows.show(choices(WINDOWS), [window]);
    this.#shows.show(choices(SHOWN), [table ? "table" : "charts"]);
    this.#charts.hidden = table;
    this.#table.element.hidden = !table;
    write(this.#note, note || `Times in ${exchange.label} (${exchange.zone}). A rising candle is hollow.`);
    if (!candles.length) return;
    const key = [product, window, exchange.zone, decimals].join();
    if (key !== this.#built) this.#build(key, exchange, decimals, candles);
    if (table) this.#table.set(this.#lines(candles, exchange, decimals));
    else this.#show(candles, decimals);
  }

  /** @param {Candle[]} candles @param {number} decimals */
  #show(candles, decimals) {
    const { formats } = this.#context;
    const times = /** @type {Times} */ (this.#times);
    const points = candles.map(({ start, ...prices }) => ({ time: times.to(start), ...prices }));
    /** @type {Points} */ (this.#points).set(points);
    this.#last.applyOptions({ price: candles[candles.length - 1].close });
    const byTime = new Map(points.map((point) => [point.time, point]));
    /** @param {any} x */
    const say = (x) => {
      const { open, high, low, close } = /** @type {any} */ (byTime.get(x));
      const values = Object.entries({ open, high, low, close }).map(([name, value]) => `${name} ${formats.number(value, decimals)}`);
      return [{ text: times.text(x) }, { text: values.join(", ") }];
    };
    const stops = points.map(({ time, close }) => ({ x: time, price: close, series: this.#series }));
    /** @type {Chart} */ (this.#chart).stops(stops, stops.length - 1, say, say(points[points.length - 1].time));
  }

  /** @param {string} key @param {import("../../app/formats.js").Exchange} exchange @param {number} decimals @param {Candle[]} candles */
  #build(key, exchange, decimals, candles) {
    const { formats, colour } = this.#context;
    const newest = candles[candles.length - 1].start;
    this.#built = key;
    this.#chart?.remove();
    this.#times = new Times(formats, exchange, newest);
    const { localization, timeScale } = this.#times.options();
    this.#chart = new Chart(this.#context, `Price (${exchange.label})`, null, {
      localization,
      timeScale: { ...timeScale, maxBarSpacing: WIDEST_PX, borderColor: colour("line") },
    });
    const price = { type: "custom", minMove: 10 ** -decimals, formatter: (/** @type {number} */ value) => formats.number(value, decimals) };
    this.#series = this.#chart.api.addSeries(CandlestickSeries, {
      ...this.#look(),
      priceFormat: price,
      lastValueVisible: false, // its label has the colour of the candle's body, which may be that of the ground
      priceLineVisible: false,
    });
    this.#points = new Points(this.#series);
    this.#last = this.#series.createPriceLine({ price: candles[candles.length - 1].close, color: colour("accent"), lineStyle: 1, lineWidth: 1 });
    this.#slot.replaceChildren(this.#chart.element);
    this.#show(candles, decimals);
    const from = Math.max(0, candles.length - SHOWN_AT_FIRST);
    this.#chart.frame((scale) => scale.setVisibleLogicalRange({ from, to: candles.length + 2 }));
  }

  /** @param {Candle[]} candles @param {import("../../app/formats.js").Exchange} exchange @param {number} decimals */
  #lines(candles, exchange, decimals) {
    const { formats } = this.#context;
    return candles.toReversed().map(({ start, open, high, low, close }) => ({
      key: String(start),
      cells: [
        `${formats.day(start * 1000, exchange)}, ${formats.clock(start * 1000, exchange)}`,
        ...[open, high, low, close].map((value) => formats.number(value, decimals)),
      ],
    }));
  }
}

/** @type {PriceView | null} */
let view = null;

/** @type {import("../../app/types.d.ts").View} */
export default {
  mount(element, context) {
    view = new PriceView(element, context);
  },
  update(change) {
    view?.update(change);
  },
  unmount() {
    view?.unmount();
    view = null;
  },
};
