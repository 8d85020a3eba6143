// The numbers of a chart as a table: for screen readers, and for everybody who wants to read them exactly.

import { h } from "../dom.js";

/** @typedef {{key: string, cells: string[]}} Line `key` identifies the row */

export class Table {
  element;
  #body = h("tbody");
  #order = "";
  /** @type {Map<string, Text[]>} */
  #rows = new Map();

  /** @param {string} caption @param {string[]} headings */
  constructor(caption, headings) {
    const columns = headings.map((heading) => h("th", { scope: "col" }, heading));
    const table = h("table", {}, h("caption", {}, caption), h("thead", {}, h("tr", {}, ...columns)), this.#body);
    this.element = h("div", { class: "numbers", tabindex: "0", role: "region", "aria-label": caption }, table);
  }

  /** Show these rows; only cells that differ are written. @param {Line[]} lines */
  set(lines) {
    const order = lines.map(({ key }) => key).join("\n");
    if (order !== this.#order) this.#build(lines);
    this.#order = order;
    for (const { key, cells } of lines) {
      const texts = /** @type {Text[]} */ (this.#rows.get(key));
      cells.forEach((cell, at) => {
        if (texts[at].data !== cell) texts[at].data = cell;
      });
    }
  }

  /** @param {Line[]} lines */
  #build(lines) {
    this.#rows.clear();
    this.#body.replaceChildren(
      ...lines.map(({ key, cells }) => {
        const texts = cells.map(() => document.createTextNode(""));
        this.#rows.set(key, texts);
        return h("tr", { "data-key": key }, ...texts.map((text, at) => (at ? h("td", {}, text) : h("th", { scope: "row" }, text))));
      }),
    );
  }
}
