// The positioning: open interest and its change by strike, and the put/call ratios over time.

import { credit } from "../../app/charts/chart.js";
import { Choices } from "../../app/charts/choices.js";
import { Table } from "../../app/charts/table.js";
import { Continuity } from "../../app/continuity.js";
import { h, write } from "../../app/dom.js";
import { MISSING, decimalsOf } from "../../app/formats.js";
import { failed } from "../../app/notice.js";
import { HistoryChart } from "./history.js";
import { Ratios } from "./ratios.js";
import { StrikesChart } from "./strikes.js";

/** @typedef {import("../../app/types.d.ts").Chain} Chain */

const SHOWN = { charts: "Charts", table: "Table" };
const STRIKES = { near: "Near strikes", all: "All strikes" };
const NEAR = 4; // expected moves
const STORED = 1000; // the gateway's limit
const TABLE_ROWS = 100;

class PositioningView {
  #context;
  #shows = new Choices("Show", "radio", ([show]) => this.#choose({ show: show === "charts" ? "" : show }));
  #range = new Choices("Strikes", "radio", ([strikes]) => this.#choose({ strikes: strikes === "near" ? "" : strikes }));
  #strikes;
  #history;
  #charts = h("div", { class: "charts" });
  #byStrike = new Table("Open interest and its change by strike", ["Strike", "Call OI", "Call ΔOI", "Put OI", "Put ΔOI"]);
  #byTime = new Table("Put/call ratios, newest first", ["Time", "PCR OI", "PCR volume"]);
  #tables = h("div", { class: "tables" }, this.#byStrike.element, this.#byTime.element);
  #note = h("p", { class: "missing", role: "note" });
  #ratios = new Ratios();
  #continuity = new Continuity();
  /** The answer whose history is in #ratios. */
  #known = null;
  #subject = "";

  /** @param {HTMLElement} element @param {import("../../app/types.d.ts").Context} context */
  constructor(element, context) {
    this.#context = context;
    this.#strikes = new StrikesChart(context);
    this.#history = new HistoryChart(context);
    this.#charts.append(this.#strikes.element, this.#history.element);
    element.append(h("div", { class: "options" }, this.#shows.element, this.#range.element, credit()), this.#charts, this.#tables, this.#note);
  }

  /** @param {import("../../app/types.d.ts").Change} change */
  update(change) {
    const { store, selection, load } = this.#context;
    const { product, expiry } = selection();
    /** @type {Chain | undefined} */
    const chain = store.get(`chain:${product}:${expiry}`);
    if (change.has("theme")) for (const chart of [this.#strikes, this.#history]) chart.theme();
    if (!chain) return;
    const path = `/api/analytics/pcr/${encodeURIComponent(product)}?expiry=${encodeURIComponent(expiry)}&history=true&limit=${STORED}`;
    const history = load(path, this.#continuity.broken(this.#context) ? 0 : Infinity);
    const keys = [`chain:${product}:${expiry}`, path, "route", "theme"];
    if (!keys.some((key) => change.has(key)) && !(history.error && change.has("clock"))) return;
    if (this.#subject !== path) {
      this.#ratios = new Ratios();
      this.#known = null;
    }
    this.#subject = path;
    this.#ratios.live(chain);
    if (history.data && history.data !== this.#known) {
      this.#known = history.data;
      this.#ratios.stored(history.data.history);
    }
    this.#draw(chain, this.#said(history));
  }

  unmount() {
    this.#strikes.remove();
    this.#history.remove();
  }

  /** @param {Record<string, string>} options */
  #choose(options) {
    this.#context.go({ options });
  }

  /** What is the matter with the history. @param {import("../../app/types.d.ts").Resource} history */
  #said({ status, error, data }) {
    if (error) return failed("the history of the ratios", error, this.#context.clock.monotonic()).text;
    return status === "loading" && !data ? "the history is loading" : "";
  }

  /** @param {Chain} chain @param {string} note about the history */
  #draw(chain, note) {
    const { formats, route } = this.#context;
    const table = route().options.show === "table";
    const strikes = route().options.strikes === "all" ? "all" : "near";
    /** @param {Record<string, string>} labels */
    const choices = (labels) => Object.entries(labels).map(([value, label]) => ({ value, label }));
    this.#shows.show(choices(SHOWN), [table ? "table" : "charts"]);
    this.#range.show(choices(STRIKES), [strikes]);
    this.#charts.hidden = table;
    this.#tables.hidden = !table;
    const ratios = this.#ratios.all();
    const exchange = formats.exchange(chain.expiry_ts);
    if (table) {
      this.#byStrike.set(this.#strikeLines(chain));
      this.#byTime.set(this.#timeLines(ratios, exchange));
    } else {
      const width = NEAR * (chain.expected_move ?? Infinity);
      this.#strikes.draw(chain, (strike) => strikes === "all" || Math.abs(strike - chain.spot_price) <= width);
      this.#history.draw(ratios, exchange, `${this.#subject} ${this.#known !== null}`, note);
    }
    const pain = chain.max_pain_strike;
    const text = pain === null ? "There is no open interest." : `Max pain ${formats.number(pain, decimalsOf([pain]))}.`;
    write(this.#note, note ? `${text} History of the ratios: ${note}.` : text);
  }

  /** @param {Chain} chain */
  #strikeLines(chain) {
    const { formats } = this.#context;
    const decimals = decimalsOf(chain.calls.map(({ strike }) => strike));
    return chain.calls.map((call, at) => ({
      key: String(call.strike),
      cells: [
        formats.number(call.strike, decimals),
        ...[call, chain.puts[at]].flatMap((row) => [formats.count(row.open_interest), formats.signed(row.open_interest_change, 0)]),
      ],
    }));
  }

  /** @param {import("./ratios.js").Ratio[]} ratios @param {import("../../app/formats.js").Exchange} exchange */
  #timeLines(ratios, exchange) {
    const { formats } = this.#context;
    /** @param {number | null} value */
    const ratio = (value) => (value === null ? MISSING : formats.number(value, 4));
    return ratios
      .slice(-TABLE_ROWS)
      .reverse()
      .map(({ at, oi, volume }) => ({
        key: String(at),
        cells: [`${formats.day(at * 1000, exchange)}, ${formats.clock(at * 1000, exchange)}`, ratio(oi), ratio(volume)],
      }));
  }
}

/** @type {PositioningView | null} */
let view = null;

/** @type {import("../../app/types.d.ts").View} */
export default {
  mount(element, context) {
    view = new PositioningView(element, context);
  },
  update(change) {
    view?.update(change);
  },
  unmount() {
    view?.unmount();
    view = null;
  },
};
