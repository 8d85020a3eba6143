// The table of the chain. It writes only the cells whose fields have changed, and never changes a column's width.

import { h } from "../../app/dom.js";
import { tipOf } from "../../app/tips.js";
import { ordered } from "./columns.js";

/** @typedef {import("../../app/types.d.ts").Chain} Chain */
/** @typedef {import("../../app/types.d.ts").Row} Row */
/** @typedef {import("./columns.js").Column} Column */
/** @typedef {import("./columns.js").Look} Look */
/** @typedef {"calls" | "puts"} Side */

/**
 * @typedef {object} Cell
 * @property {HTMLElement} element
 * @property {Text} text
 * @property {Column} column
 * @property {Side} side
 * @property {number} index of the strike
 * @property {boolean} flip which of the two equal animations flashed last: a change restarts only the other one
 */

export class Ladder {
  /** @type {HTMLElement} */
  #table;
  /** @type {Cell[]} */
  #cells = [];
  /** @type {HTMLElement[]} */
  #rows = [];
  /** @type {Chain | null} */
  #chain = null;
  /** @type {Look | null} */
  #look = null;
  #key = "";

  /** @param {HTMLElement} table */
  constructor(table) {
    this.#table = table;
  }

  /** The row of the at-the-money strike. @returns {HTMLElement | undefined} */
  get atm() {
    return this.#chain ? this.#rows[this.#chain.strikes.indexOf(this.#chain.atm_strike)] : undefined;
  }

  /** @param {Chain} chain @param {string[]} outwards ids of the columns from the strike outwards @param {Look} look */
  draw(chain, outwards, look) {
    const strikes = chain.calls.map(({ strike }) => strike);
    chain = { ...chain, strikes };
    const key = [chain.product, chain.expiry, outwards, strikes].join();
    const before = key === this.#key ? this.#chain : null;
    if (!before) this.#build(strikes, outwards, look);
    const sameLook = before !== null && this.#look !== null && alike(look, this.#look);
    this.#key = key;
    this.#chain = chain;
    this.#look = look;
    for (const cell of this.#cells) {
      const row = chain[cell.side][cell.index];
      const old = before?.[cell.side][cell.index];
      const changed = !old || cell.column.fields.some((field) => row[field] !== old[field]);
      if (changed || !sameLook) this.#write(cell, row, look, Boolean(old));
    }
    this.#mark(chain, before);
  }

  /** @param {Cell} cell @param {Row} row @param {Look} look @param {boolean} flash */
  #write(cell, row, look, flash) {
    const text = cell.column.text(row, look);
    for (const [name, value] of Object.entries(cell.column.style?.(row, look) ?? {})) {
      if (cell.element.style.getPropertyValue(name) !== value) cell.element.style.setProperty(name, value);
    }
    if (cell.text.data === text) return;
    cell.text.data = text;
    if (!flash) return;
    cell.flip = !cell.flip;
    cell.element.dataset.flash = cell.flip ? "a" : "b";
  }

  /** Shade the halves in the money and mark the at-the-money row. @param {Chain} chain @param {Chain | null} before */
  #mark(chain, before) {
    if (before?.spot_price === chain.spot_price && before.atm_strike === chain.atm_strike) return;
    let spotMarked = false;
    chain.strikes.forEach((strike, index) => {
      const row = this.#rows[index];
      const above = strike >= chain.spot_price;
      row.classList.toggle("atm", strike === chain.atm_strike);
      row.classList.toggle("calls-itm", strike < chain.spot_price);
      row.classList.toggle("puts-itm", strike > chain.spot_price);
      row.classList.toggle("spot", above && !spotMarked);
      spotMarked ||= above;
    });
  }

  /** @param {number[]} strikes @param {string[]} outwards @param {Look} look */
  #build(strikes, outwards, look) {
    const { calls, puts } = { calls: ordered(outwards, "calls"), puts: ordered(outwards, "puts") };
    const decimals = strikes.some((strike) => !Number.isInteger(strike)) ? 2 : 0;
    this.#cells = [];
    this.#rows = strikes.map((strike, index) => {
      const label = look.formats.number(strike, decimals);
      return h(
        "tr",
        { "data-strike": String(strike) },
        ...calls.map((column) => this.#cell(column, "calls", index)),
        h("th", { scope: "row", class: "strike" }, label),
        ...puts.map((column) => this.#cell(column, "puts", index)),
      );
    });
    this.#table.replaceChildren(
      h("colgroup", {}, ...calls.map(width), h("col", { class: "strike" }), ...puts.map(width)),
      h(
        "thead",
        {},
        h(
          "tr",
          {},
          h("th", { scope: "colgroup", colspan: String(calls.length), class: "calls" }, "Calls"),
          h("th", { class: "strike", rowspan: "2", scope: "col" }, "Strike"),
          h("th", { scope: "colgroup", colspan: String(puts.length), class: "puts" }, "Puts"),
        ),
        h("tr", {}, ...calls.map(heading), ...puts.map(heading)),
      ),
      h("tbody", {}, ...this.#rows),
    );
  }

  /** @param {Column} column @param {Side} side @param {number} index */
  #cell(column, side, index) {
    const text = document.createTextNode("");
    const element = h("td", { class: `${side} c-${column.id}`, "data-tips": true }, text);
    const cell = { element, text, column, side, index, flip: false };
    this.#cells.push(cell);
    tipOf.set(element, () => (this.#chain && this.#look ? column.tip(this.#chain[side][index], this.#look) : ""));
    return element;
  }
}

/** Whether the same row looks the same in both. @param {Look} one @param {Look} other */
function alike(one, other) {
  return one.decimals === other.decimals && JSON.stringify(one.scales) === JSON.stringify(other.scales);
}

/** @param {Column} column */
function width(column) {
  return h("col", { class: `c-${column.id}` });
}

/** @param {Column} column */
function heading(column) {
  return h("th", { scope: "col", title: column.meaning, class: `c-${column.id}` }, column.label);
}
