// The report of an import: what was found, and each kind of problem with its count and first place.

import { h } from "../../app/dom.js";
import { MISSING } from "../../app/formats.js";

/** @typedef {NonNullable<ImportState["report"]>} Found */

export class Report {
  element = h("div", { class: "import-report", hidden: true });
  #drawn = "";

  /** @param {Found | null} found */
  draw(found) {
    const text = JSON.stringify(found);
    if (text === this.#drawn) return;
    this.#drawn = text;
    this.element.hidden = found === null;
    this.element.replaceChildren(...(found ? [facts(found), problems(found)] : []));
  }
}

/** @param {Found} found */
function facts({ format, files, rows, snapshots, chains, contracts, products, oi_units: counts, price_units: prices, first_ts: first, last_ts: last }) {
  /** @type {[string, string][]} */
  const shown = [
    ["Format", format],
    ["Files", String(files)],
    ["Rows", String(rows)],
    ["Snapshots", String(snapshots)],
    ["Chains", String(chains)],
    ["Contracts", String(contracts)],
    ["Products", products.join(", ") || MISSING],
    ["Prices in", prices.join(", ") || MISSING],
    ["Counts in", counts.join(", ") || MISSING],
    ["From", time(first)],
    ["To", time(last)],
  ];
  const known = rows ? shown : shown.slice(0, 2); // a refused file may have been given up before its rows are counted
  return h("dl", { class: "source-figures" }, ...known.map(([label, value]) => h("div", {}, h("dt", {}, label), h("dd", {}, value))));
}

/** @param {Found} found */
function problems({ problems: found }) {
  if (!found.length) return h("p", {}, "No problems.");
  const head = h("tr", {}, ...["Problem", "First of its kind", "Count", "First place"].map((label) => h("th", { scope: "col" }, label)));
  const rows = [...found].sort((one, other) => Number(other.refused) - Number(one.refused)).map(({ refused, column, text, count, file, line }) => {
    const cells = [`${column === "-" ? "" : `${column}: `}${text}`, String(count), `${file}:${line}`];
    return h("tr", {}, h("th", { scope: "row" }, refused ? "✕ error" : "note"), ...cells.map((cell) => h("td", {}, cell)));
  });
  const label = { class: "numbers import-problems", tabindex: "0", role: "region", "aria-label": "Problems of the import" };
  return h("div", label, h("table", {}, h("caption", { class: "visually-hidden" }, "Problems"), h("thead", {}, head), h("tbody", {}, ...rows)));
}

/** @param {number | null} ns since 1970 */
function time(ns) {
  return ns === null ? MISSING : `${new Date(ns / 1e6).toISOString().slice(0, 19).replace("T", " ")} UTC`;
}
