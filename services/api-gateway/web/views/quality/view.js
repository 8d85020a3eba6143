// The quality of the data, from the stream to this browser.

import { h } from "../../app/dom.js";
import { FEEDS_PATH, feedsTable } from "../../app/feeds.js";
import { viewOf } from "../../app/view.js";
import { Delivery } from "./delivery.js";
import { Letters } from "./letters.js";
import { Market } from "./market.js";

class QualityView {
  #context;
  #delivery;
  #letters;
  #market;

  /** @param {HTMLElement} element @param {Context} context */
  constructor(element, context) {
    this.#context = context;
    this.#delivery = new Delivery(context);
    this.#letters = new Letters(context);
    this.#market = new Market(context);
    const [letters, newest] = this.#letters.element;
    element.append(h("div", { class: "quality", tabindex: "0", role: "region", "aria-label": "Measures" }, this.#delivery.element, ...this.#market.element, letters, newest));
    this.#delivery.draw();
  }

  /** @param {Change} change */
  update(change) {
    const { store, selection } = this.#context;
    const { product, expiry } = selection();
    const keys = store.keys(`chain:${product}:`);
    /** @type {Chain | undefined} */
    const chain = store.get(`chain:${product}:${expiry}`);
    if (change.has("clock")) this.#delivery.draw();
    if (change.has("route") || keys.some((key) => change.has(key))) this.#market.draw(chain, keys.map((key) => store.get(key)));
    const asked = [...change].some((key) => key.startsWith(FEEDS_PATH));
    if (asked || change.has("clock") || change.has("route")) this.#letters.draw(this.#feeds(), chain?.feed ?? "");
  }

  unmount() {}

  /** @returns {string[]} */
  #feeds() {
    return feedsTable(this.#context).table?.feeds.map(({ name }) => name) ?? [];
  }
}

export default {
  ...viewOf(QualityView),
  rooms: () => ["feeds"],
};
