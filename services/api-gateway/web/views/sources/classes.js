// The distribution of the differences: a row for each class, with its count and a bar.

import { h, write } from "../../app/dom.js";
import { ENDS } from "./comparison.js";

export class Classes {
  element;
  #formats;
  #cells = ENDS.map(() => h("td", { class: "class-bar" }));

  /** @param {import("../../app/formats.js").Formats} formats */
  constructor(formats) {
    this.#formats = formats;
    const rows = this.#cells.map((cell, at) => h("tr", { "data-key": String(ENDS[at]) }, h("th", { scope: "row" }, nameOf(at)), cell));
    const head = h("tr", {}, h("th", { scope: "col" }, "Ours − vendor's, size in vol points"), h("th", { scope: "col" }, "Contracts"));
    this.element = h("table", { class: "classes" }, h("caption", {}, "Contracts by difference"), h("thead", {}, head), h("tbody", {}, ...rows));
  }

  /** @param {number[]} counts of each class */
  draw(counts) {
    const most = Math.max(1, ...counts);
    counts.forEach((count, at) => {
      write(this.#cells[at], this.#formats.count(count));
      this.#cells[at].style.setProperty("--bar", `${((100 * count) / most).toFixed(1)}%`);
    });
  }
}

/** @param {number} at index of the class */
function nameOf(at) {
  if (at === ENDS.length - 1) return `${ENDS[at - 1]} and more`;
  return `${at ? ENDS[at - 1] : 0} to ${ENDS[at]}`;
}
