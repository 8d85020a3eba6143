// A table with one row a feed, which leads to its details. Its state and its columns are the view's own.

import { attribute, h, write } from "./dom.js";
import { MISSING } from "./formats.js";

/** @typedef {"good" | "warn" | "bad" | "quiet"} Level */
/** @typedef {import("./types.d.ts").FeedLine} Line */
/** @typedef {import("./types.d.ts").FeedListKind} Kind */

export const MARKS = { good: "●", warn: "◔", bad: "✕", quiet: "○" };

export class FeedList {
  element;
  #body = h("tbody");
  #formats;
  #href;
  #kind;
  /** @type {Map<string, Line>} */
  #lines = new Map();

  /** @param {import("./formats.js").Formats} formats @param {(feed: string) => string} href the link that chooses a feed @param {Kind} kind */
  constructor(formats, href, kind) {
    this.#formats = formats;
    this.#href = href;
    this.#kind = kind;
    const columns = kind.drawn ? [...kind.columns, kind.drawn] : kind.columns;
    const heads = columns.map(({ id, label, meaning }) => h("th", { scope: "col", title: meaning, class: `c-${id}` }, label));
    const head = h("tr", {}, h("th", { scope: "col" }, "Feed"), h("th", { scope: "col" }, kind.state), ...heads);
    const table = h("table", {}, h("caption", { class: "visually-hidden" }, kind.caption), h("thead", {}, head), this.#body);
    this.element = h("div", { class: `feed-list ${kind.element}`, tabindex: "0", role: "region", "aria-label": kind.label }, table);
  }

  /** @param {Feed[]} feeds @param {string} chosen @param {number} now epoch seconds of the table, for drawings */
  draw(feeds, chosen, now = 0) {
    if (feeds.length !== this.#lines.size || feeds.some(({ name }) => !this.#lines.has(name))) this.#build(feeds);
    for (const feed of feeds) this.#write(/** @type {Line} */ (this.#lines.get(feed.name)), feed, feed.name === chosen, now);
  }

  /** @param {Line} line @param {Feed} feed @param {boolean} chosen @param {number} now */
  #write(line, feed, chosen, now) {
    const { level, word, why } = this.#kind.stateOf(feed);
    write(line.mark, `${MARKS[level]} `);
    write(line.word, word);
    attribute(line.word.parentElement ?? line.word, "data-level", level);
    attribute(line.row, "title", why);
    attribute(line.link, "href", this.#href(feed.name));
    attribute(line.link, "aria-current", chosen ? "true" : null);
    line.row.classList.toggle("chosen", chosen);
    this.#kind.columns.forEach(({ text }, at) => write(line.cells[at], text(feed, this.#formats)));
    line.drawing?.draw(feed, now);
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
    const { columns, drawn } = this.#kind;
    const link = h("a", { "data-feed": name }, name);
    const mark = h("span", { "aria-hidden": "true" });
    const word = h("span");
    const cells = columns.map(({ id }) => h("td", { class: `c-${id}` }));
    const drawing = drawn ? drawn.make() : null;
    const last = drawn && drawing ? [h("td", { class: `c-${drawn.id}` }, drawing.element)] : [];
    const state = h("td", {}, h("span", { class: "level" }, mark, word));
    const row = h("tr", { onclick: () => link.click() }, h("th", { scope: "row" }, link), state, ...cells, ...last);
    link.addEventListener("click", (event) => event.stopPropagation());
    return { link, mark, word, cells, drawing, row };
  }
}

/** @param {Feed} feed @param {number} most how many are named */
export function products({ products: known, product_count: count }, most) {
  const named = known.slice(0, most).join(", ");
  return count > most ? `${named} and ${count - Math.min(most, known.length)} more` : named || MISSING;
}
