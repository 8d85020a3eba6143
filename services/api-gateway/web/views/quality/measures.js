// The measures of quality, computed from what the page has received. Pure functions.

/**
 * The smallest value that at least a share of the values does not exceed (nearest rank).
 * @param {number[]} ascending at least one @param {number} share 0 to 1
 */
export function percentile(ascending, share) {
  return ascending[Math.max(0, Math.ceil(share * ascending.length) - 1)];
}

/** The numbers in ascending order, without the gaps of a sparse array. @param {number[]} values */
export function sorted(values) {
  return values.filter(() => true).sort((a, b) => a - b);
}

/** Counts events: a rate over the last seconds, from a reading of the counter each second. */
export class Rate {
  /** @type {{at: number, count: number}[]} */
  #readings = [];

  /** @param {number} windowMs */
  constructor(windowMs) {
    this.windowMs = windowMs;
  }

  /** @param {number} at monotonic ms @param {number} count of all events so far */
  read(at, count) {
    this.#readings.push({ at, count });
    while (this.#readings.length > 2 && at - this.#readings[1].at >= this.windowMs) this.#readings.shift();
  }

  /** Events per second; null before a second has passed. */
  perSecond() {
    const [first, last] = [this.#readings[0], this.#readings[this.#readings.length - 1]];
    if (!first || last.at - first.at < 900) return null;
    return ((last.count - first.count) / (last.at - first.at)) * 1000;
  }
}

/**
 * Contracts without a volatility, by reason.
 * @param {Chain[]} chains
 * @returns {{contracts: number, missing: number, reasons: Map<string, number>}}
 */
export function withoutVolatility(chains) {
  /** @type {Map<string, number>} */
  const reasons = new Map();
  let contracts = 0;
  let missing = 0;
  for (const row of chains.flatMap(({ calls, puts }) => [...calls, ...puts])) {
    contracts += 1;
    if (row.iv !== null) continue;
    missing += 1;
    const reason = row.iv_reason ?? "unknown";
    reasons.set(reason, (reasons.get(reason) ?? 0) + 1);
  }
  return { contracts, missing, reasons };
}

/** @typedef {import("../../app/types.d.ts").TruthErrors} Errors */

/** @param {Chain} chain @returns {Errors | null} null without a truth */
export function errorsAgainstTruth({ truth, forward, discount, calls, puts }) {
  if (!truth) return null;
  /** @type {number[]} */
  const differences = [];
  let [within, ranged] = [0, 0];
  for (const side of [calls, puts]) {
    side.forEach(({ iv, iv_bid: low, iv_ask: high }, at) => {
      const real = truth.iv[at];
      if (iv !== null) differences.push(iv - real);
      if (low === null || high === null) return;
      ranged += 1;
      if (low <= real && real <= high) within += 1;
    });
  }
  const sizes = differences.map(Math.abs).sort((a, b) => a - b);
  return {
    forward: forward === null ? null : forward - truth.forward,
    discount: discount === null ? null : discount - truth.discount,
    contracts: sizes.length,
    bias: sizes.length ? differences.reduce((sum, each) => sum + each, 0) / sizes.length : null,
    typical: sizes.length ? percentile(sizes, 0.5) : null,
    largest: sizes.at(-1) ?? null,
    within,
    ranged,
  };
}
