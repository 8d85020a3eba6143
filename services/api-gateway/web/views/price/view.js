// The price: candles of the underlying from the history, continued live.

import { spotDecimals, underlyingDecimals } from "../../app/chains.js";
import { credit } from "../../app/charts/chart.js";
import { Option } from "../../app/charts/choices.js";
import { Table } from "../../app/charts/table.js";
import { Continuity } from "../../app/continuity.js";
import { h, write } from "../../app/dom.js";
import { failed } from "../../app/notice.js";
import { viewOf } from "../../app/view.js";
import { continued, stored } from "./candles.js";
import { CandleChart } from "./chart.js";

/** @typedef {import("./candles.js").Candle} Candle */
/** @typedef {import("./chart.js").Look} Look */

const WINDOWS = { 1: "1 min", 5: "5 min", 15: "15 min", 60: "60 min" };
const SHOWN = { charts: "Chart", table: "Table" };
const BARS = 500;
const REFRESH_MS = 60_000; // a tick that was lost on its way is in the next answer

class PriceView {
  #context;
  #window;
  #show;
  #chart;
  #charts = h("div", { class: "charts" });
  #table = new Table("Candles, newest first", ["Start", "Open", "High", "Low", "Close"]);
  #note = h("p", { class: "missing", role: "note" });
  #continuity = new Continuity();
  /** The decimals of each product's prices. They only grow, so the figures keep their width. @type {Map<string, number>} */
  #decimals = new Map();

  /** @param {HTMLElement} element @param {Context} context */
  constructor(element, context) {
    this.#context = context;
    this.#window = new Option(context, "window", "Window", WINDOWS);
    this.#show = new Option(context, "show", "Show", SHOWN);
    this.#chart = new CandleChart(context);
    this.#charts.append(this.#chart.element);
    const options = h("div", { class: "options" }, this.#window.element, this.#show.element, credit());
    element.append(options, this.#charts, this.#table.element, this.#note);
  }

  /** @param {Change} change */
  update(change) {
    const { store, selection, load, ticks, clock } = this.#context;
    const { product } = selection();
    if (!product) return;
    // Ticks first, then the history: so none is missing between the two.
    if (!store.get(`joined:product:${product}`) && store.get("connection").state !== "waiting") return;
    const minutes = this.#window.read();
    const path = `/api/analytics/ohlc/${encodeURIComponent(product)}?window=${minutes}&limit=${BARS}`;
    const answer = load(path, this.#continuity.broken(this.#context) ? 0 : REFRESH_MS);
    if (change.has("theme")) this.#chart.theme();
    const keys = [`tick:${product}`, `joined:product:${product}`, path, "route", "theme"];
    if (!keys.some((key) => change.has(key)) && !(answer.error && change.has("clock"))) return;
    const none = answer.error?.status === 404;
    const history = answer.data ? stored(answer.data) : { candles: [], until: 0 };
    const candles = answer.data || none ? continued(history, ticks.of(product), Number(minutes)) : [];
    this.#draw(candles, this.#look(product, minutes, candles), this.#said(answer, none, clock.monotonic()));
  }

  unmount() {
    this.#chart.remove();
  }

  /**
   * What is the matter with the history.
   * @param {Resource} answer
   * @param {boolean} none whether there is no bar yet
   * @param {number} now monotonic ms
   */
  #said({ data, error }, none, now) {
    if (none) return "There is no history yet: the candles start with the first tick that arrived here.";
    if (error) return failed("the history", error, now).text;
    if (!data) return "The history is loading.";
    return data.complete ? "" : "Only the newest bars are here: the stored history is not available now.";
  }

  /** @param {string} product @param {string} minutes @param {Candle[]} candles @returns {Look} */
  #look(product, minutes, candles) {
    const { formats, store, selection } = this.#context;
    const chain = store.get(`chain:${product}:${selection().expiry}`);
    const needed = chain ? spotDecimals(chain) : underlyingDecimals(candles.flatMap(({ open, close }) => [open, close]));
    const decimals = Math.max(needed, this.#decimals.get(product) ?? 0);
    this.#decimals.set(product, decimals);
    return { subject: `${product} ${minutes}`, exchange: formats.exchange(chain?.expiry_ts ?? 0), decimals };
  }

  /** @param {Candle[]} candles ascending @param {Look} look @param {string} note */
  #draw(candles, look, note) {
    const table = this.#show.read() === "table";
    const { label, zone } = look.exchange;
    this.#charts.hidden = table;
    this.#table.element.hidden = !table;
    write(this.#note, note || `Times in ${label === zone ? label : `${label} (${zone})`}. A rising candle is hollow.`);
    if (!candles.length) return;
    if (table) this.#table.set(this.#lines(candles, look));
    else this.#chart.draw(candles, look);
  }

  /** @param {Candle[]} candles @param {Look} look */
  #lines(candles, { exchange, decimals }) {
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

export default viewOf(PriceView);
