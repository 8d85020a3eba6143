// Our volatilities against those that the source publishes, for one product of the chosen feed.

import { Table } from "../../app/charts/table.js";
import { h, write } from "../../app/dom.js";
import { MISSING, duration } from "../../app/formats.js";
import { Classes } from "./classes.js";
import { distribution, outside, pairsOf, spreadOf, vendorCount, worst } from "./comparison.js";

/** @typedef {import("./comparison.js").Pair} Pair */

const PRODUCTS = "/api/data/products";
const PRODUCTS_MS = 30_000;
const EXPIRIES_MS = 60_000;
/** How often the chains are read: with numbers of a vendor, and without. */
const CHAINS_MS = { some: 10_000, none: 60_000 };
const MOST_EXPIRIES = 12;
const WORST = 10;

export class Vendor {
  element;
  #context;
  #select = /** @type {HTMLSelectElement} */ (h("select", { name: "source-product", onchange: () => this.#draw() }));
  #choice = h("label", { class: "source-choice" }, "Product ", this.#select);
  #said = h("p", { class: "source-said" });
  #classes;
  #expiries = new Table("By expiry", ["Expiry", "Compared", "Median", "95 %", "Largest", "At strike", "Chain's age"]);
  #worst = new Table("Largest differences", ["Contract", "Ours, %", "Bid to ask, %", "Vendor's, %", "Difference, vol points"]);
  /** @type {Feed | null} */
  #feed = null;
  /** The products whose last chains have numbers of a vendor. @type {Set<string>} */
  #some = new Set();

  /** @param {Context} context */
  constructor(context) {
    this.#context = context;
    this.#classes = new Classes(context.formats);
    this.element = h("section", { "aria-label": "Vendor against ours" }, h("h3", {}, "Vendor's volatilities against ours"), this.#choice, this.#said, this.#classes.element, this.#expiries.element, this.#worst.element);
  }

  /** @param {Feed} feed */
  draw(feed) {
    if (this.#feed?.name !== feed.name || this.#feed.products.join() !== feed.products.join()) {
      this.#select.replaceChildren(...feed.products.map((product) => h("option", {}, product)));
    }
    this.#feed = feed;
    this.#choice.hidden = feed.products.length < 2;
    this.#draw();
  }

  #draw() {
    const product = this.#select.value;
    const chains = this.#chains(product);
    const pairs = chains.flatMap(pairsOf);
    const vendor = chains.reduce((sum, chain) => sum + vendorCount(chain), 0);
    if (vendor) this.#some.add(product);
    else this.#some.delete(product);
    write(this.#said, this.#text(product, chains, pairs, vendor));
    for (const { element } of [this.#classes, this.#expiries, this.#worst]) element.hidden = !pairs.length;
    this.#classes.draw(distribution(pairs));
    this.#drawExpiries(chains);
    this.#drawWorst(pairs);
  }

  /** The newest chain of each expiry of the product that this feed has brought, ascending. @param {string} product @returns {Chain[]} */
  #chains(product) {
    const { load, clock } = this.#context;
    if (!load(PRODUCTS, PRODUCTS_MS).data?.products.includes(product)) return []; // a request would answer 404
    const name = encodeURIComponent(product);
    /** @type {string[]} */
    const known = load(`/api/data/expiries/${name}`, EXPIRIES_MS).data?.expiries ?? [];
    const today = new Date(clock.now() ?? 0).toISOString().slice(0, 10);
    const coming = known.filter((expiry) => expiry >= today).slice(0, MOST_EXPIRIES);
    const expiries = coming.length ? coming : known.slice(-MOST_EXPIRIES);
    const maxAge = CHAINS_MS[this.#some.has(product) ? "some" : "none"];
    const chains = expiries.flatMap((expiry) => /** @type {Chain[]} */ (load(`/api/data/chain/${name}?expiry=${expiry}&limit=1`, maxAge).data?.chains ?? []));
    return chains.filter(({ feed }) => feed === this.#feed?.name);
  }

  /** @param {string} product @param {Chain[]} chains @param {Pair[]} pairs @param {number} vendor */
  #text(product, chains, pairs, vendor) {
    const { formats } = this.#context;
    if (!product) return "The feed names no product.";
    if (!chains.length) return `No chain of ${product} from this feed is stored so far.`;
    if (!vendor) return `No vendor numbers: the source publishes no volatilities for ${product}, so there is nothing to compare.`;
    const spread = spreadOf(pairs);
    if (!spread) return `The vendor gives ${formats.count(vendor)} contracts of ${product} a volatility, but none of them has one of ours.`;
    const many = `${formats.count(pairs.length)} of the ${formats.count(vendor)} contracts with a vendor's volatility have one of ours`;
    return `${product}: ${many}. Half of them differ by at most ${this.#points(spread.median)}, 95 % by at most ${this.#points(spread.most)}, the largest by ${this.#points(spread.largest)} vol points. Vendor's volatilities outside ours of bid and ask: ${formats.count(outside(pairs).length)}.`;
  }

  /** @param {Chain[]} chains */
  #drawExpiries(chains) {
    const { formats, clock } = this.#context;
    this.#expiries.set(
      chains.map((chain) => {
        const pairs = pairsOf(chain);
        const spread = spreadOf(pairs);
        const figures = spread ? [spread.median, spread.most, spread.largest].map((value) => this.#points(value)) : [MISSING, MISSING, MISSING];
        const [far] = worst(pairs, 1);
        const age = clock.ageMs(chain.processed_at);
        const compared = `${formats.count(pairs.length)} of ${formats.count(vendorCount(chain))}`;
        return { key: chain.expiry, cells: [formats.date(chain.expiry), compared, ...figures, far ? named(far, formats) : MISSING, age === null ? MISSING : duration(age)] };
      }),
    );
  }

  /** @param {Pair[]} pairs */
  #drawWorst(pairs) {
    const { formats } = this.#context;
    this.#worst.set(
      worst(pairs, WORST).map((pair) => ({
        key: `${pair.expiry} ${pair.strike} ${pair.side}`,
        cells: [`${formats.date(pair.expiry)} ${named(pair, formats)}`, formats.percent(pair.ours, 2), this.#range(pair), formats.percent(pair.vendor, 2), formats.signed(pair.difference * 100, 2)],
      })),
    );
  }

  /** Our volatilities of bid and ask. @param {Pair} pair */
  #range({ bid, ask }) {
    return [bid, ask].map((iv) => (iv === null ? MISSING : this.#context.formats.percent(iv, 2))).join(" to ");
  }

  /** @param {number} value in vol points */
  #points(value) {
    return this.#context.formats.number(value, 2);
  }
}

/** @param {Pair} pair @param {import("../../app/formats.js").Formats} formats */
function named({ strike, side }, formats) {
  return `${formats.count(strike)} ${side}`;
}
