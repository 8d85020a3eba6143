// The table of the chain. It writes only the cells whose fields have changed, and never changes a column's width.

import { h } from "../../app/dom.js";
import { decimalsOf } from "../../app/formats.js";
import { tipOf } from "../../app/tips.js";
import { ordered } from "./columns.js";

/** @typedef {import("./columns.js").Column} Column */
/** @typedef {import("./columns.js").Look} Look */
/** @typedef {"calls" | "puts"} Side */

/** @typedef {import("../../app/types.d.ts").LadderCell} Cell */

/** @typedef {import("../../app/types.d.ts").LadderLine} Line */

/** Rows out of sight are written in turn, so that each is at most so many drawings old. */
const TURNS = 10;
const FLASH_MS = 300;

export class Ladder {
  #table;
  /** @type {Line[]} */
  #lines = [];
  /** @type {Chain | null} */
  #chain = null;
  /** @type {Look | null} */
  #look = null;
  #key = "";
  /** Counts the drawings. */
  #drawing = 0;
  /** @type {Cell[]} the cells that flash since this drawing */
  #flashing = [];

  /** @param {HTMLElement} table */
  constructor(table) {
    this.#table = table;
  }

  /** The row of the at-the-money strike. @returns {HTMLElement | undefined} */
  get atm() {
    return this.#chain ? this.#lines[this.#chain.strikes.indexOf(this.#chain.atm_strike)]?.element : undefined;
  }

  /** The height of a row in px; 0 while there is none. */
  get rowHeight() {
    return this.#lines[0]?.element.offsetHeight ?? 0;
  }

  /**
   * @param {Chain} chain
   * @param {string[]} outwards ids of the columns from the strike outwards
   * @param {Look} look
   * @param {[number, number]} sight the first and the last row in sight: their changed cells are written now, and flash
   */
  draw(chain, outwards, look, sight) {
    const strikes = chain.calls.map(({ strike }) => strike);
    const key = [chain.product, chain.expiry, outwards, strikes].join();
    const before = key === this.#key ? this.#chain : null;
    if (!before) this.#build(strikes, outwards, look);
    this.#key = key;
    this.#chain = { ...chain, strikes };
    this.#look = this.#look && alike(look, this.#look) ? this.#look : look;
    this.#drawing += 1;
    this.#lines.forEach((line, index) => {
      if (within(sight, index)) this.#write(line, index, true);
      else if (!line.shown || index % TURNS === this.#drawing % TURNS) this.#write(line, index, false);
    });
    this.#mark(this.#chain, before);
    this.#endFlash(this.#drawing, this.#flashing);
    this.#flashing = [];
  }

  /**
   * End the flash of a drawing's cells after its time, unless a later drawing has made them flash again. An animation
   * would cost the browser a style calculation for each of hundreds of cells in every frame.
   * @param {number} drawing
   * @param {Cell[]} cells
   */
  #endFlash(drawing, cells) {
    if (!cells.length) return;
    setTimeout(() => {
      for (const cell of cells) if (cell.flashed === drawing) delete cell.element.dataset.flash;
    }, FLASH_MS);
  }

  /** Write the rows that come into sight. @param {[number, number]} sight */
  reveal(sight) {
    this.#lines.forEach((line, index) => {
      if (within(sight, index)) this.#write(line, index, false);
    });
  }

  /** @param {Line} line @param {number} index @param {boolean} flash */
  #write(line, index, flash) {
    if (!this.#chain || !this.#look) return;
    const now = { calls: this.#chain.calls[index], puts: this.#chain.puts[index], look: this.#look };
    const before = line.shown;
    line.shown = now;
    for (const cell of line.cells) {
      const [row, old] = [now[cell.side], before?.[cell.side]];
      const changed = !old || cell.column.fields.some((field) => row[field] !== old[field]);
      if (!changed && before?.look === now.look) continue;
      if (fill(cell, row, now.look) && flash && before) this.#flash(cell);
    }
  }

  /** @param {Cell} cell */
  #flash(cell) {
    cell.flashed = this.#drawing;
    cell.element.dataset.flash = "";
    this.#flashing.push(cell);
  }

  /** Shade the halves in the money and mark the at-the-money row. @param {Chain} chain @param {Chain | null} before */
  #mark(chain, before) {
    if (before?.spot_price === chain.spot_price && before.atm_strike === chain.atm_strike) return;
    let spotMarked = false;
    chain.strikes.forEach((strike, index) => {
      const row = this.#lines[index].element;
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
    const [calls, puts] = [ordered(outwards, "calls"), ordered(outwards, "puts")];
    const decimals = decimalsOf(strikes);
    this.#lines = strikes.map((strike, index) => {
      const left = calls.map((column) => this.#cell(column, "calls", index));
      const right = puts.map((column) => this.#cell(column, "puts", index));
      const label = h("th", { scope: "row", class: "strike" }, look.formats.number(strike, decimals));
      const element = h("tr", { "data-strike": String(strike) }, ...elements(left), label, ...elements(right));
      return { element, cells: [...left, ...right], shown: null };
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
      h("tbody", {}, ...elements(this.#lines)),
    );
  }

  /** @param {Column} column @param {Side} side @param {number} index @returns {Cell} */
  #cell(column, side, index) {
    const text = document.createTextNode("");
    const element = h("td", { class: `${side} c-${column.id}`, "data-tips": true }, text);
    tipOf.set(element, () => (this.#chain && this.#look ? column.tip(this.#chain[side][index], this.#look) : ""));
    return { element, text, column, side, flashed: 0 };
  }
}

/** @param {Cell} cell @param {Row} row @param {Look} look @returns {boolean} whether its text has changed */
function fill(cell, row, look) {
  const { element, column } = cell;
  for (const [name, value] of Object.entries(column.style?.(row, look) ?? {})) element.style.setProperty(name, value);
  const text = column.text(row, look);
  if (cell.text.data === text) return false;
  cell.text.data = text;
  return true;
}

/** @param {{element: HTMLElement}[]} owners */
function elements(owners) {
  return owners.map(({ element }) => element);
}

/** @param {[number, number]} range @param {number} index */
function within([first, last], index) {
  return index >= first && index <= last;
}

/** Whether the same row looks the same in both. @param {Look} one @param {Look} other */
function alike(one, other) {
  return one.decimals === other.decimals && one.unit === other.unit && JSON.stringify(one.scales) === JSON.stringify(other.scales);
}

/** @param {Column} column */
function width(column) {
  return h("col", { class: `c-${column.id}` });
}

/** @param {Column} column */
function heading(column) {
  return h("th", { scope: "col", title: column.meaning, class: `c-${column.id}` }, column.label);
}
