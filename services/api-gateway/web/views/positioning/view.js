// The positioning: open interest and its change by strike, and the put/call ratios over time.

import { isNear, strikeDecimals } from "../../app/chains.js";
import { credit } from "../../app/charts/chart.js";
import { Option } from "../../app/charts/choices.js";
import { Table } from "../../app/charts/table.js";
import { Continuity } from "../../app/continuity.js";
import { h, write } from "../../app/dom.js";
import { MISSING } from "../../app/formats.js";
import { failed } from "../../app/notice.js";
import { viewOf } from "../../app/view.js";
import { CHAIN_REASONS, why } from "../../app/words.js";
import { HistoryChart } from "./history.js";
import { Ratios } from "./ratios.js";
import { StrikesChart } from "./strikes.js";

const SHOWN = { charts: "Charts", table: "Table" };
const STRIKES = { near: "Near strikes", all: "All strikes" };
const STORED = 1000; // the gateway's limit
const TABLE_ROWS = 100;

class PositioningView {
  #context;
  #show;
  #range;
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

  /** @param {HTMLElement} element @param {Context} context */
  constructor(element, context) {
    this.#context = context;
    this.#show = new Option(context, "show", "Show", SHOWN);
    this.#range = new Option(context, "strikes", "Strikes", STRIKES);
    this.#strikes = new StrikesChart(context);
    this.#history = new HistoryChart(context);
    this.#charts.append(this.#strikes.element, this.#history.element);
    element.append(h("div", { class: "options" }, this.#show.element, this.#range.element, credit()), this.#charts, this.#tables, this.#note);
  }

  /** @param {Change} change */
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

  /** What is the matter with the history. @param {Resource} history */
  #said({ status, error, data }) {
    if (error) return failed("the history", error, this.#context.clock.monotonic()).text;
    return status === "loading" && !data ? "loading." : "";
  }

  /** @param {Chain} chain @param {string} note about the history */
  #draw(chain, note) {
    const { formats } = this.#context;
    const table = this.#show.read() === "table";
    const all = this.#range.read() === "all";
    this.#range.element.hidden = table;
    this.#charts.hidden = table;
    this.#tables.hidden = !table;
    const ratios = this.#ratios.all();
    const exchange = formats.exchange(chain.expiry_ts);
    if (table) {
      this.#byStrike.set(this.#strikeLines(chain));
      this.#byTime.set(this.#timeLines(ratios, exchange));
    } else {
      this.#strikes.draw(chain, all ? () => true : isNear(chain));
      this.#history.draw(ratios, exchange, `${this.#subject} ${this.#known !== null}`, note);
    }
    const pain = chain.max_pain_strike;
    const text = pain === null ? why(CHAIN_REASONS, chain.max_pain_reason ?? "no_open_interest") : `Max pain ${formats.count(pain)}.`;
    write(this.#note, note ? `${text} History of the ratios: ${note}` : text);
  }

  /** @param {Chain} chain */
  #strikeLines(chain) {
    const { formats } = this.#context;
    const decimals = strikeDecimals(chain);
    return chain.calls.map((call, at) => ({
      key: String(call.strike),
      cells: [
        formats.number(call.strike, decimals),
        ...[call, chain.puts[at]].flatMap((row) => [formats.count(row.open_interest), formats.change(row.open_interest_change)]),
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

export default viewOf(PositioningView);
