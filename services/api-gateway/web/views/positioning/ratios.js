// The history of the put/call ratios: what REST has stored, continued by the chains that arrive.

/** @typedef {{at: number, oi: number | null, volume: number | null}} Ratio `at`: seconds since 1970 */

const MOST = 3000;

export class Ratios {
  /** Ascending, at most one a second. @type {Ratio[]} */
  #all = [];

  /** @returns {Ratio[]} ascending, at most one a second */
  all() {
    return this.#all;
  }

  /** Add a stored history. @param {{timestamp: string, pcr_oi: number | null, pcr_volume: number | null}[]} history newest first */
  stored(history) {
    const ratios = history.map(({ timestamp, pcr_oi, pcr_volume }) => ratio(timestamp, pcr_oi, pcr_volume));
    this.#merge([...ratios.reverse(), ...this.#all]);
  }

  /** @param {Chain} chain */
  live({ timestamp, pcr_oi, pcr_volume }) {
    const newest = ratio(timestamp, rounded(pcr_oi), rounded(pcr_volume));
    const last = this.#all[this.#all.length - 1];
    if (!last || newest.at > last.at) this.#all = [...this.#all, newest].slice(this.#all.length > 2 * MOST ? -MOST : 0);
    else this.#merge([...this.#all, newest]);
  }

  /** Of two in the same second the later one in the list remains. @param {Ratio[]} ratios */
  #merge(ratios) {
    const bySecond = new Map(ratios.map((one) => [one.at, one]));
    this.#all = [...bySecond.values()].sort((a, b) => a.at - b.at);
  }
}

/** @param {string} timestamp @param {number | null} oi @param {number | null} volume @returns {Ratio} */
function ratio(timestamp, oi, volume) {
  return { at: Math.floor(Date.parse(timestamp) / 1000), oi, volume };
}

/** As REST rounds them. @param {number | null} value */
function rounded(value) {
  return value === null ? null : Math.round(value * 1e4) / 1e4;
}
