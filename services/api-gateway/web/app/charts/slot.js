// A place for a chart, which is made anew when what it is made for changes: its axis, its number of series, its zone.

import { h } from "../dom.js";

/** @typedef {import("./chart.js").Chart} Chart */

export class Slot {
  element = h("div", { class: "slot" });
  #key = "";
  /** @type {Chart | null} */
  #chart = null;

  /** The chart for this key. @param {string} key @param {() => Chart} make @returns {Chart} */
  chart(key, make) {
    if (this.#chart && key === this.#key) return this.#chart;
    this.#chart?.remove();
    this.#chart = make();
    this.#key = key;
    this.element.replaceChildren(this.#chart.element);
    return this.#chart;
  }

  theme() {
    this.#chart?.theme();
  }

  remove() {
    this.#chart?.remove();
  }
}
