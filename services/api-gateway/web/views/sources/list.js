// The table of all sources: one row a feed, which leads to its details.

import { attribute, h, write } from "../../app/dom.js";
import { MISSING } from "../../app/formats.js";
import { MARKS, connectionOf } from "./state.js";

/** @typedef {import("../../app/types.d.ts").Feed} Feed */
/** @typedef {import("../../app/formats.js").Formats} Formats */
/** @typedef {{link: HTMLElement, mark: HTMLElement, word: HTMLElement, cells: HTMLElement[], row: HTMLElement}} Line */

/** @type {{id: string, label: string, meaning: string, text: (feed: Feed, formats: Formats) => string}[]} */
const COLUMNS = [
  { id: "source", label: "Source", meaning: "Kind of the source", text: ({ source }) => source ?? MISSING },
  { id: "products", label: "Products", meaning: "Underlyings", text: ({ products, product_count: count }) => `${products.slice(0, 3).join(", ") || MISSING}${count > 3 ? ` and ${count - 3} more` : ""}` },
  { id: "arrivals", label: "Messages/s", meaning: "Messages that arrive in the feed's stream per second, over the last 10 s", text: ({ arrivals_per_second: rate }, formats) => (rate === null ? MISSING : formats.number(rate, 1)) },
];

export class List {
  element;
  #body = h("tbody");
  #formats;
  #href;
  /** @type {Map<string, Line>} */
  #lines = new Map();

  /** @param {Formats} formats @param {(feed: string) => string} href the link that chooses a feed */
  constructor(formats, href) {
    this.#formats = formats;
    this.#href = href;
    const heads = COLUMNS.map(({ id, label, meaning }) => h("th", { scope: "col", title: meaning, class: `c-${id}` }, label));
    const head = h("tr", {}, h("th", { scope: "col" }, "Feed"), h("th", { scope: "col" }, "Connection"), ...heads);
    const table = h("table", {}, h("caption", { class: "visually-hidden" }, "Sources"), h("thead", {}, head), this.#body);
    this.element = h("div", { class: "source-list", tabindex: "0", role: "region", "aria-label": "All sources" }, table);
  }

  /** @param {Feed[]} feeds @param {string} chosen */
  draw(feeds, chosen) {
    if (feeds.length !== this.#lines.size || feeds.some(({ name }) => !this.#lines.has(name))) this.#build(feeds);
    for (const feed of feeds) this.#write(/** @type {Line} */ (this.#lines.get(feed.name)), feed, feed.name === chosen);
  }

  /** @param {Line} line @param {Feed} feed @param {boolean} chosen */
  #write(line, feed, chosen) {
    const { level, word, why } = connectionOf(feed);
    write(line.mark, `${MARKS[level]} `);
    write(line.word, word);
    attribute(line.word.parentElement ?? line.word, "data-level", level);
    attribute(line.row, "title", why);
    attribute(line.link, "href", this.#href(feed.name));
    attribute(line.link, "aria-current", chosen ? "true" : null);
    line.row.classList.toggle("chosen", chosen);
    COLUMNS.forEach(({ text }, at) => write(line.cells[at], text(feed, this.#formats)));
  }

  /** @param {Feed[]} feeds */
  #build(feeds) {
    const focused = document.activeElement?.getAttribute("data-feed");
    this.#lines.clear();
    for (const { name } of feeds) this.#lines.set(name, this.#line(name));
    this.#body.replaceChildren(...[...this.#lines.values()].map(({ row }) => row));
    if (focused) this.#lines.get(focused)?.link.focus();
  }

  /** @param {string} name @returns {Line} */
  #line(name) {
    const link = h("a", { "data-feed": name }, name);
    const mark = h("span", { "aria-hidden": "true" });
    const word = h("span");
    const cells = COLUMNS.map(({ id }) => h("td", { class: `c-${id}` }));
    const state = h("td", {}, h("span", { class: "level" }, mark, word));
    const row = h("tr", { onclick: () => link.click() }, h("th", { scope: "row" }, link), state, ...cells);
    link.addEventListener("click", (event) => event.stopPropagation());
    return { link, mark, word, cells, row };
  }
}
