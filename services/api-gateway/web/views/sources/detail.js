// One source: its connection in the operator's words.

import { h, write } from "../../app/dom.js";
import { MARKS, connectionOf } from "./state.js";

/** @typedef {import("../../app/types.d.ts").Feed} Feed */

export class Detail {
  element;
  #title = h("h2");
  #connection = h("p", { class: "source-connection" });

  /** @param {import("../../app/types.d.ts").Context} _context */
  constructor(_context) {
    const label = { class: "source-detail", tabindex: "0", role: "region", "aria-label": "The chosen source" };
    this.element = h("div", label, this.#title, this.#connection);
  }

  /** @param {Feed} feed */
  draw(feed) {
    const { level, word, why } = connectionOf(feed);
    write(this.#title, feed.name);
    write(this.#connection, `${MARKS[level]} ${word}: ${why}`);
  }
}
