// The history of the put/call ratios: what REST has stored, continued by the chains that arrive.

/** @typedef {import("../../app/types.d.ts").Chain} Chain */
/** @typedef {{at: number, oi: number | null, volume: number | null}} Ratio `at`: seconds since 1970 */

const MOST = 3000;

export class Ratios {
  /** @type {Map<number, Ratio>} */
  #bySecond = new Map();

  /** Add a stored history, in any order. @param {{timestamp: string, pcr_oi: number | null, pcr_volume: number | null}[]} history newest first */
  stored(history) {
    for (const { timestamp, pcr_oi, pcr_volume } of history.toReversed()) this.#add(timestamp, pcr_oi, pcr_volume, false);
  }

  /** @param {Chain} chain */
  live({ timestamp, pcr_oi, pcr_volume }) {
    this.#add(timestamp, rounded(pcr_oi), rounded(pcr_volume), true);
  }

  /** Ascending, at most one a second. @returns {Ratio[]} */
  all() {
    return [...this.#bySecond.values()].sort((a, b) => a.at - b.at).slice(-MOST);
  }

  /** @param {string} timestamp @param {number | null} oi @param {number | null} volume @param {boolean} newer than what is known */
  #add(timestamp, oi, volume, newer) {
    const at = Math.floor(Date.parse(timestamp) / 1000);
    if (newer || !this.#bySecond.has(at)) this.#bySecond.set(at, { at, oi, volume });
    if (this.#bySecond.size > 2 * MOST) this.#bySecond = new Map(this.all().map((ratio) => [ratio.at, ratio]));
  }
}

/** As REST rounds them. @param {number | null} ratio */
function rounded(ratio) {
  return ratio === null ? null : Math.round(ratio * 1e4) / 1e4;
}
