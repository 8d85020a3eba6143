// The smile: the quoted volatilities of one or several expiries, their term structure, and the surface of all expiries.

import { strikeDecimals } from "../../app/chains.js";
import { credit } from "../../app/charts/chart.js";
import { Choices, Option } from "../../app/charts/choices.js";
import { SHAPES } from "../../app/charts/ranges.js";
import { Table } from "../../app/charts/table.js";
import { h, write } from "../../app/dom.js";
import { MISSING } from "../../app/formats.js";
import { viewOf } from "../../app/view.js";
import { IV_REASONS, why } from "../../app/words.js";
import { AXES, quotes } from "./quotes.js";
import { SmileChart } from "./chart.js";
import { Surface } from "./surface.js";
import { TermChart } from "./term.js";

/** @typedef {import("./quotes.js").Side} Side */

const SHOWN = { charts: "Charts", surface: "Surface", table: "Table" };
const SIDES = { otm: "Out of the money", calls: "Calls", puts: "Puts" };
const AXIS_LABELS = Object.fromEntries(Object.entries(AXES).map(([name, { label }]) => [name, label]));
const STRIKES = { near: "Near strikes", all: "All strikes" };

/** @typedef {import("../../app/types.d.ts").SmileOptions} Options */

class SmileView {
  #context;
  #show;
  #axis;
  #side;
  #strikes;
  #expiries;
  #charts = h("div", { class: "charts" });
  #table = new Table("Quoted implied volatilities, in % a year", ["Expiry and strike", "Option", "IV bid", "IV", "IV ask", "Delta", "Reason"]);
  #missing = h("p", { class: "missing", role: "note" });
  #smile;
  #term;
  #surface;

  /** @param {HTMLElement} element @param {Context} context */
  constructor(element, context) {
    this.#context = context;
    this.#show = new Option(context, "show", "Show", SHOWN);
    this.#axis = new Option(context, "x", "Horizontal axis", AXIS_LABELS);
    this.#side = new Option(context, "side", "Quotes", SIDES);
    this.#strikes = new Option(context, "strikes", "Strikes", STRIKES);
    this.#expiries = new Choices("Expiries", "checkbox", (chosen) => context.go({ options: { expiries: chosen.join() } }));
    this.#smile = new SmileChart(context);
    this.#term = new TermChart(context);
    this.#surface = new Surface(context);
    this.#charts.append(this.#smile.element, this.#term.element);
    const bars = [this.#show, this.#axis, this.#side, this.#strikes, this.#expiries].map((bar) => bar.element);
    element.append(h("div", { class: "options" }, ...bars, credit()), this.#charts, this.#surface.element, this.#table.element, this.#missing);
  }

  /** @param {Change} change */
  update(change) {
    const { product } = this.#context.selection();
    const live = [...change].some((key) => key.startsWith(`chain:${product}:`));
    if (change.has("theme")) this.#theme();
    if (!live && !change.has("route") && !change.has("theme")) return;
    const all = this.#chains(product);
    const chains = this.#chosen(all);
    if (!chains.length) return;
    const options = this.#options();
    this.#mark(all, chains);
    this.#axis.element.hidden = options.show !== "charts";
    this.#strikes.element.hidden = options.show === "table";
    this.#expiries.element.hidden = options.show === "surface";
    this.#charts.hidden = options.show !== "charts";
    this.#table.element.hidden = options.show !== "table";
    this.#surface.element.hidden = options.show !== "surface";
    if (options.show === "charts") {
      this.#smile.draw(chains, options);
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
    const side = /** @type {Side} */ (this.#side.read());
    return { show: this.#show.read(), x: this.#axis.read(), side, strikes: this.#strikes.read() };
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

  /** Show the expiries, the chosen ones with the marks of their series. @param {Chain[]} all @param {Chain[]} chains */
  #mark(all, chains) {
    const { formats } = this.#context;
    const shown = chains.map((chain) => chain.expiry);
    const choices = all.map(({ expiry }) => {
      const at = shown.indexOf(expiry);
      return { value: expiry, label: formats.date(expiry), mark: h("i", { "data-token": `series-${at + 1}` }, SHAPES[at] ?? "○") };
    });
    this.#expiries.show(choices, shown, SHAPES.length);
  }

  /** @param {Chain[]} chains @param {Options} options @returns {import("../../app/charts/table.js").Line[]} */
  #lines(chains, options) {
    const { formats } = this.#context;
    /** @param {number | null} value */
    const percent = (value) => (value === null ? MISSING : formats.percent(value, 2));
    return chains.flatMap((chain) => {
      const decimals = strikeDecimals(chain);
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

export default viewOf(SmileView);
