// Finds out which product and expiry are shown, which others there are, and what to say while there is nothing.

import { failed } from "./notice.js";
import { recall } from "./preferences.js";
import { select } from "./selection.js";

/** @typedef {import("./notice.js").Notice} Notice */

const PRODUCTS = "/api/data/products";
const PRODUCTS_MS = 30_000;
const UNKNOWN_PRODUCT_MS = 3_000;
const EXPIRIES_MS = 60_000;
const MOST_ACTIONS = 12;

/** @typedef {import("./types.d.ts").SubjectNeeds} Needs */

export class Subject {
  #needs;

  /** @param {Needs} needs */
  constructor(needs) {
    this.#needs = needs;
  }

  /** @returns {string[]} the products with stored data */
  products() {
    const { route, resources, store } = this.#needs;
    const { product } = route();
    const known = store.get(PRODUCTS)?.data?.products ?? [];
    const isKnown = product ? known.includes(product) : known.length > 0;
    return resources.load(PRODUCTS, isKnown ? PRODUCTS_MS : UNKNOWN_PRODUCT_MS).data?.products ?? [];
  }

  /** @returns {string[]} the expiries of the shown product, live and stored, ascending */
  expiries() {
    const { product } = this.selection();
    const live = this.#chains(product).map((chain) => chain.expiry);
    return [...new Set([...live, ...this.#stored(product)])].sort();
  }

  /** @returns {import("./types.d.ts").Selection} */
  selection() {
    const { route } = this.#needs;
    const product = select(route(), this.products(), recall("product"), []).product;
    const chosen = select({ ...route(), product }, [], "", this.#chains(product));
    if (chosen.expiry || !this.#settled(product)) return chosen;
    return { product, expiry: this.#newestStored(product) };
  }

  /** Ask the REST gateway for the shown chain if the live connection does not have it. */
  fill() {
    const { store, resources } = this.#needs;
    const { product, expiry } = this.selection();
    const key = `chain:${product}:${expiry}`;
    if (!expiry || store.get(key) || !this.#settled(product) || !this.#stored(product).includes(expiry)) return;
    const [chain] = resources.load(chainPath(product, expiry)).data?.chains ?? [];
    if (chain) store.set(key, chain);
  }

  /** What to say in place of a view, or null. @param {"chain" | "product" | "nothing"} needed by the view */
  notice(needed) {
    const { store, clock } = this.#needs;
    const { product, expiry } = this.selection();
    if (needed === "nothing") return null;
    const products = store.get(PRODUCTS);
    const live = this.#chains(product).length > 0; // it needs no list of products
    if (products?.error && !products.data && !live) return failed("the products", products.error, clock.monotonic());
    if (products?.status === "ready" && !product) {
      return { id: "none", title: "No data yet", text: "No feed has delivered a product so far. The page looks again every few seconds." };
    }
    if (products?.data && !this.products().includes(product) && !live) return this.#noProduct(product);
    if (needed === "product" || !product || store.get(`chain:${product}:${expiry}`)) return null;
    return this.#noChain(product, expiry);
  }

  /** @param {string} product @returns {Notice} */
  #noProduct(product) {
    const { go } = this.#needs;
    const actions = this.products().slice(0, MOST_ACTIONS).map((name) => ({ label: name, run: () => go({ product: name, expiry: "" }) }));
    const text = `No feed has delivered ${product} so far. Choose another product, or wait: the page looks again every few seconds.`;
    return { id: `no product ${product} ${actions.length}`, title: `There is no product ${product}`, text, actions };
  }

  /** @param {string} product @param {string} expiry @returns {Notice} */
  #noChain(product, expiry) {
    const { formats, store, clock, go } = this.#needs;
    const known = this.expiries();
    const failure = store.get(expiriesPath(product))?.error ?? store.get(chainPath(product, expiry))?.error;
    if (failure) return failed(`the chain of ${product}`, failure, clock.monotonic());
    const listed = store.get(expiriesPath(product))?.status === "ready";
    if (expiry && listed && this.#settled(product) && !known.includes(expiry)) {
      const actions = known.slice(-MOST_ACTIONS).map((date) => ({ label: formats.date(date), run: () => go({ expiry: date }) }));
      const title = `${product} has no expiry ${expiry}`;
      return { id: `no expiry ${title} ${known.length}`, title, text: "Choose another expiry.", actions };
    }
    const unanswered = this.#settled(product) && known.includes(expiry) && !store.get(chainPath(product, expiry));
    if (!store.get(PRODUCTS) || unanswered) {
      const title = `${product}: loading`;
      return { id: title, title, text: "The gateway has not answered yet." };
    }
    const title = `${product}: waiting for the first chain`;
    return { id: title, title, text: "It appears here as soon as the feed delivers it." };
  }

  /** Whether the live connection has said what it has, or cannot say it now. @param {string} product */
  #settled(product) {
    const { store } = this.#needs;
    return store.get(`joined:chain:${product}`) === true || store.get("connection").state === "waiting";
  }

  /** @param {string} product @returns {Chain[]} */
  #chains(product) {
    const { store } = this.#needs;
    return product ? store.keys(`chain:${product}:`).map((key) => store.get(key)) : [];
  }

  /** @param {string} product @returns {string[]} */
  #stored(product) {
    if (!product || !this.products().includes(product)) return []; // a request would answer 404
    return this.#needs.resources.load(expiriesPath(product), EXPIRIES_MS).data?.expiries ?? [];
  }

  /** The first expiry from today on, else the last one. @param {string} product */
  #newestStored(product) {
    const stored = this.#stored(product);
    const today = new Date(this.#needs.clock.now() ?? 0).toISOString().slice(0, 10);
    return stored.find((expiry) => expiry >= today) ?? stored.at(-1) ?? "";
  }
}

/** @param {string} product @param {string} expiry */
function chainPath(product, expiry) {
  return `/api/data/chain/${encodeURIComponent(product)}?expiry=${encodeURIComponent(expiry)}&limit=1`;
}

/** @param {string} product */
function expiriesPath(product) {
  return `/api/data/expiries/${encodeURIComponent(product)}`;
}
