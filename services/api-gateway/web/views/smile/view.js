// The smile: the quoted volatilities of one or several expiries, their term structure, and the surface of all expiries.

import { credit } from "../../app/charts/chart.js";
import { Choices } from "../../app/charts/choices.js";
import { SHAPES } from "../../app/charts/ranges.js";
import { Table } from "../../app/charts/table.js";
import { h, write } from "../../app/dom.js";
import { MISSING, decimalsOf } from "../../app/formats.js";
import { IV_REASONS, why } from "../../app/words.js";
import { AXES, quotes } from "./quotes.js";
import { SmileChart } from "./chart.js";
import { Surface } from "./surface.js";
import { TermChart } from "./term.js";

/** @typedef {import("../../app/types.d.ts").Chain} Chain */
/** @typedef {import("./quotes.js").Side} Side */

const SHOWN = { charts: "Charts", surface: "Surface", table: "Table" };
const SIDES = { otm: "Out of the money", calls: "Calls", puts: "Puts" };
const STRIKES = { near: "Near strikes", all: "All strikes" };

/**
 * What the reader has chosen.
 * @typedef {object} Options
 * @property {string} show
 * @property {string} x
 * @property {Side} side
 * @property {string} strikes
 */

class SmileView {
  #context;
  #shows = new Choices("Show", "radio", ([show]) => this.#choose({ show }, "charts"));
  #axes = new Choices("Horizontal axis", "radio", ([x]) => this.#choose({ x }, "strike"));
  #sides = new Choices("Quotes", "radio", ([side]) => this.#choose({ side }, "otm"));
  #strikes = new Choices("Strikes", "radio", ([strikes]) => this.#choose({ strikes }, "near"));
  #expiries = new Choices("Expiries", "checkbox", (chosen) => this.#choose({ expiries: chosen.join() }, ""));
  #charts = h("div", { class: "charts" });
  #table = new Table("Quoted implied volatilities, in % a year", ["Expiry and strike", "Option", "IV bid", "IV", "IV ask", "Delta", "Reason"]);
  #missing = h("p", { class: "missing", role: "note" });
  #smile;
  #term;
  #surface;
  #product = "";

  /** @param {HTMLElement} element @param {import("../../app/types.d.ts").Context} context */
  constructor(element, context) {
    this.#context = context;
    this.#smile = new SmileChart(context);
    this.#term = new TermChart(context);
    this.#surface = new Surface(context);
    this.#charts.append(this.#smile.element, this.#term.element);
    const bars = [this.#shows, this.#axes, this.#sides, this.#strikes, this.#expiries].map((bar) => bar.element);
    element.append(h("div", { class: "options" }, ...bars, credit()), this.#charts, this.#surface.element, this.#table.element, this.#missing);
  }

  /** @param {import("../../app/types.d.ts").Change} change */
  update(change) {
    const { product } = this.#context.selection();
    const live = [...change].some((key) => key.startsWith(`chain:${product}:`));
    if (change.has("theme")) this.#theme();
    if (!live && !change.has("route") && !change.has("theme")) return;
    const all = this.#chains(product);
    const chains = this.#chosen(all);
    if (!chains.length) return;
    const options = this.#options();
    this.#bars(all, chains, options);
    this.#charts.hidden = options.show !== "charts";
    this.#table.element.hidden = options.show !== "table";
    this.#surface.element.hidden = options.show !== "surface";
    const fresh = this.#product !== product;
    this.#product = product;
    if (options.show === "charts") {
      this.#smile.draw(chains, options, fresh);
      this.#term.draw(all);
    } else if (options.show === "table") this.#table.set(this.#lines(chains, options));
    else this.#surface.draw(all, options);
    write(this.#missing, this.#gaps(options.show === "surface" ? all : chains, options));
  }

  unmount() {
    this.#smile.remove();
    this.#term.remove();
    this.#surface.remove();
  }

  #theme() {
    this.#smile.theme();
    this.#term.theme();
    this.#surface.theme();
  }

  /** @returns {Options} */
  #options() {
    const { show, x, side, strikes } = this.#context.route().options;
    return {
      show: show in SHOWN ? show : "charts",
      x: x in AXES ? x : "strike",
      side: side in SIDES ? /** @type {Side} */ (side) : "otm",
      strikes: strikes in STRIKES ? strikes : "near",
    };
  }

  /** @param {Record<string, string>} options @param {string} usual is not in the URL */
  #choose(options, usual) {
    const entries = Object.entries(options).map(([name, value]) => [name, value === usual ? "" : value]);
    this.#context.go({ options: Object.fromEntries(entries) });
  }

  /** @param {string} product @returns {Chain[]} all chains, by expiry */
  #chains(product) {
    const { store } = this.#context;
    return store.keys(`chain:${product}:`).map((key) => store.get(key)).sort((a, b) => (a.expiry < b.expiry ? -1 : 1));
  }

  /** The chosen expiries, at most as many as there are marks; without a choice the shown one and the next. @param {Chain[]} all */
  #chosen(all) {
    const { expiry } = this.#context.selection();
    const named = this.#context.route().options.expiries?.split(",") ?? [];
    const chosen = all.filter((chain) => named.includes(chain.expiry));
    if (chosen.length) return chosen.slice(0, SHAPES.length);
    const at = all.findIndex((chain) => chain.expiry === expiry);
    return all.slice(Math.max(0, at), Math.max(0, at) + 2);
  }

  /** @param {Chain[]} all @param {Chain[]} chains @param {Options} options */
  #bars(all, chains, options) {
    const { formats } = this.#context;
    /** @param {Record<string, string>} labels */
    const choices = (labels) => Object.entries(labels).map(([value, label]) => ({ value, label }));
    this.#shows.show(choices(SHOWN), [options.show]);
    this.#axes.show(Object.entries(AXES).map(([value, { label }]) => ({ value, label })), [options.x]);
    this.#sides.show(choices(SIDES), [options.side]);
    this.#strikes.show(choices(STRIKES), [options.strikes]);
    const shown = chains.map((chain) => chain.expiry);
    const expiries = all.map(({ expiry }) => {
      const at = shown.indexOf(expiry);
      return { value: expiry, label: formats.date(expiry), mark: h("i", { "data-token": `series-${at + 1}` }, SHAPES[at] ?? "○") };
    });
    this.#expiries.show(expiries, shown, SHAPES.length);
    this.#axes.element.hidden = options.show !== "charts";
    this.#expiries.element.hidden = options.show === "surface";
  }

  /** @param {Chain[]} chains @param {Options} options @returns {import("../../app/charts/table.js").Line[]} */
  #lines(chains, options) {
    const { formats } = this.#context;
    /** @param {number | null} value */
    const percent = (value) => (value === null ? MISSING : formats.percent(value, 2));
    return chains.flatMap((chain) => {
      const decimals = decimalsOf(chain.calls.map(({ strike }) => strike));
      return quotes(chain, options.side).map(({ strike, type, iv, low, high, delta, reason }) => ({
        key: `${chain.expiry} ${strike}`,
        cells: [
          `${formats.date(chain.expiry)}, ${formats.number(strike, decimals)}`,
          type,
          percent(low),
          percent(iv),
          percent(high),
          delta === null ? MISSING : formats.number(delta, 2),
          iv === null ? why(IV_REASONS, reason) : "",
        ],
      }));
    });
  }

  /** How many strikes have no volatility, by reason. @param {Chain[]} chains @param {Options} options */
  #gaps(chains, options) {
    const all = chains.flatMap((chain) => quotes(chain, options.side));
    /** @type {Map<string, number>} */
    const counts = new Map();
    for (const { iv, reason } of all) if (iv === null) counts.set(why(IV_REASONS, reason), (counts.get(why(IV_REASONS, reason)) ?? 0) + 1);
    if (!counts.size) return `All ${all.length} quotes have a volatility.`;
    const reasons = [...counts].sort((a, b) => b[1] - a[1]).map(([reason, count]) => `${reason} (${count})`);
    const none = [...counts.values()].reduce((sum, count) => sum + count, 0);
    return `${none} of ${all.length} quotes have no volatility. Why: ${reasons.join("; ")}.`;
  }
}

/** @type {SmileView | null} */
let view = null;

/** @type {import("../../app/types.d.ts").View} */
export default {
  mount(element, context) {
    view = new SmileView(element, context);
  },
  update(change) {
    view?.update(change);
  },
  unmount() {
    view?.unmount();
    view = null;
  },
};
