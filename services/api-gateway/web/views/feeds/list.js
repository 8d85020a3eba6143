// The table of all feeds: one row a feed, which leads to its details.

import { attribute, h, write } from "../../app/dom.js";
import { MISSING, duration } from "../../app/formats.js";
import { History, pointsOf } from "./history.js";
import { MARKS, stateOf } from "./state.js";

/** @typedef {import("../../app/types.d.ts").Feed} Feed */
/** @typedef {import("../../app/formats.js").Formats} Formats */
/** @typedef {{link: HTMLElement, mark: HTMLElement, word: HTMLElement, cells: HTMLElement[], history: History, row: HTMLElement}} Line */

/** @type {{id: string, label: string, meaning: string, text: (feed: Feed, formats: Formats) => string}[]} */
export const COLUMNS = [
  { id: "mode", label: "Mode", meaning: "Who decides the number of enrichers", text: ({ mode }) => mode ?? MISSING },
  { id: "source", label: "Source", meaning: "Where the messages come from", text: ({ source }) => source ?? MISSING },
  { id: "products", label: "Products", meaning: "Underlyings", text: (feed) => products(feed, 3) },
  { id: "generator", label: "Generators", meaning: "Generators that serve, of those that the operator asked for", text: ({ generator }, formats) => replicas(generator, formats) },
  { id: "enricher", label: "Enrichers", meaning: "Enrichers that serve, of those that the operator asked for", text: ({ enricher }, formats) => replicas(enricher, formats) },
  { id: "lag", label: "Lag", meaning: "Entries that no enricher has read", text: ({ lag }, formats) => (lag === null ? MISSING : formats.count(lag)) },
  { id: "oldest", label: "Oldest", meaning: "Age of the oldest entry that is not done", text: ({ oldest_seconds: oldest }) => (oldest === null ? MISSING : duration(oldest * 1000)) },
  { id: "arrivals", label: "Arrivals/s", meaning: "Entries that arrive per second, over the last 10 s", text: ({ arrivals_per_second: rate }, formats) => (rate === null ? MISSING : formats.number(rate, 1)) },
  { id: "service", label: "Service time", meaning: "Worker time of an entry in a full batch", text: ({ service_seconds: time }, formats) => (time === null ? MISSING : micro(time, formats)) },
];

/** @param {Feed} feed @param {number} most how many are named */
export function products({ products: known, product_count: count }, most) {
  const named = known.slice(0, most).join(", ");
  return count > most ? `${named} and ${count - Math.min(most, known.length)} more` : named || MISSING;
}

/** @param {import("../../app/types.d.ts").Replicas} replicas @param {Formats} formats @returns {string} such as `2 of 3` */
export function replicas({ desired, ready }, formats) {
  return `${formats.count(ready)} of ${desired === null ? MISSING : formats.count(desired)}`;
}

/** @param {number} seconds @param {Formats} formats */
function micro(seconds, formats) {
  return seconds < 0.01 ? `${formats.number(seconds * 1e6, 0)} µs` : `${formats.number(seconds * 1e3, 1)} ms`;
}

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
    const head = h("tr", {}, h("th", { scope: "col" }, "Feed"), h("th", { scope: "col" }, "State"), ...heads, h("th", { scope: "col", class: "c-history", title: "Lag (area) against enrichers (steps)" }, "Last 10 min"));
    const table = h("table", {}, h("caption", { class: "visually-hidden" }, "Feeds"), h("thead", {}, head), this.#body);
    this.element = h("div", { class: "list", tabindex: "0", role: "region", "aria-label": "All feeds" }, table);
  }

  /** @param {Feed[]} feeds @param {string} chosen @param {number} now epoch seconds of the table */
  draw(feeds, chosen, now) {
    if (feeds.length !== this.#lines.size || feeds.some(({ name }) => !this.#lines.has(name))) this.#build(feeds);
    for (const feed of feeds) this.#write(/** @type {Line} */ (this.#lines.get(feed.name)), feed, feed.name === chosen, now);
  }

  /** @param {Line} line @param {Feed} feed @param {boolean} chosen @param {number} now */
  #write(line, feed, chosen, now) {
    const { level, word, why } = stateOf(feed.conditions);
    write(line.mark, `${MARKS[level]} `);
    write(line.word, word);
    attribute(line.word.parentElement ?? line.word, "data-level", level);
    attribute(line.row, "title", why);
    attribute(line.link, "href", this.#href(feed.name));
    attribute(line.link, "aria-current", chosen ? "true" : null);
    line.row.classList.toggle("chosen", chosen);
    COLUMNS.forEach(({ text }, at) => write(line.cells[at], text(feed, this.#formats)));
    line.history.draw(pointsOf(feed, now), `Lag and enrichers of ${feed.name} over the last minutes`);
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
    const history = new History();
    const state = h("td", {}, h("span", { class: "level" }, mark, word));
    const row = h("tr", { onclick: () => link.click() }, h("th", { scope: "row" }, link), state, ...cells, h("td", { class: "c-history" }, history.element));
    link.addEventListener("click", (event) => event.stopPropagation());
    return { link, mark, word, cells, history, row };
  }
}
