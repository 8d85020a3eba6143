// Keeps the newest ticks of each subscribed product. The store has only the last one, but a candle needs all of them.

/** @typedef {{ms: number, price: number}} Price `ms`: event time, ms since 1970 */

const KEPT = 5000;

export class Ticks {
  /** @type {Map<string, Price[]>} */
  #byProduct = new Map();

  /** @param {import("./types.d.ts").Tick} tick */
  add({ product, price, timestamp }) {
    const ticks = this.of(product);
    ticks.push({ ms: Date.parse(timestamp), price });
    if (ticks.length > 2 * KEPT) ticks.splice(0, ticks.length - KEPT);
    this.#byProduct.set(product, ticks);
  }

  /** @param {string} product @returns {Price[]} in the order of arrival */
  of(product) {
    return this.#byProduct.get(product) ?? [];
  }
}
