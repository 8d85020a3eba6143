// A part of the view: a title, a sentence, figures with their names, and a table.

import { attribute, h, write } from "../../app/dom.js";

/** @typedef {{id: string, label: string, meaning: string}} Figure */
/** @typedef {{key: string, cells: string[]}} Line */

export class Panel {
  element;
  #values;
  #sentence = h("p", { class: "sentence" });
  #body = h("tbody");
  #table;
  #lines = "";

  /**
   * @param {string} title
   * @param {Figure[]} figures
   * @param {{caption: string, headings: string[]} | null} table
   * @param {HTMLElement[]} extra between title and sentence
   */
  constructor(title, figures, table, extra = []) {
    this.#values = new Map(figures.map(({ id }) => [id, h("dd", { "data-figure-of-quality": id })]));
    const list = figures.map(({ id, label, meaning }) => h("div", {}, h("dt", { title: meaning }, label), /** @type {HTMLElement} */ (this.#values.get(id))));
    const heads = table?.headings.map((heading) => h("th", { scope: "col" }, heading)) ?? [];
    this.#table = h("div", { class: "table", tabindex: "0", role: "region", "aria-label": `Table: ${table?.caption ?? ""}` }, h("table", {}, h("caption", { class: "visually-hidden" }, table?.caption ?? ""), h("thead", {}, h("tr", {}, ...heads)), this.#body));
    this.element = h("section", { class: "panel", "aria-label": title }, h("h2", {}, title), ...extra, this.#sentence, ...(list.length ? [h("dl", {}, ...list)] : []), ...(table ? [this.#table] : []));
  }

  /** @param {string} text */
  say(text) {
    write(this.#sentence, text);
    this.#sentence.hidden = !text;
  }

  /** @param {string} id @param {string} text @param {string} level `bad` or empty */
  figure(id, text, level = "") {
    const element = /** @type {HTMLElement} */ (this.#values.get(id));
    write(element, text);
    attribute(element, "data-level", level || null);
  }

  /** Show these rows; the table is hidden without any. @param {Line[]} lines */
  rows(lines) {
    this.#table.hidden = !lines.length;
    const key = JSON.stringify(lines);
    if (key === this.#lines) return;
    this.#lines = key;
    this.#body.replaceChildren(
      ...lines.map((line) => h("tr", { "data-key": line.key }, ...line.cells.map((cell, at) => (at ? h("td", {}, cell) : h("th", { scope: "row" }, cell))))),
    );
  }
}
