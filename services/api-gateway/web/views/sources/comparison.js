// Our volatilities against the vendor's: pairs, how far they are apart, and in how many contracts.

/** @typedef {import("../../app/types.d.ts").VolatilityPair} Pair */

/** The upper ends of the classes of the distribution, in vol points; the last class has none. */
export const ENDS = [0.05, 0.1, 0.25, 0.5, 1, 2, 5, Infinity];

/** @param {Chain} chain @returns {Pair[]} */
export function pairsOf(chain) {
  return [...sided(chain.calls, "call"), ...sided(chain.puts, "put")].flatMap(({ row, side }) => {
    const { strike, iv, iv_bid: bid, iv_ask: ask, vendor_iv: vendor, vendor_iv_difference: difference } = row;
    return iv === null || vendor == null || difference == null ? [] : [{ expiry: chain.expiry, strike, side, ours: iv, bid, ask, vendor, difference }];
  });
}

/** The contracts to which the vendor gives a volatility. @param {Chain} chain @returns {number} */
export function vendorCount({ calls, puts }) {
  return [...calls, ...puts].filter(({ vendor_iv: vendor }) => vendor != null).length;
}

/** Median, 95th percentile and largest of the absolute differences, in vol points; null without a pair. @param {Pair[]} pairs */
export function spreadOf(pairs) {
  if (!pairs.length) return null;
  const sizes = pairs.map(points).sort((one, other) => one - other);
  return { median: quantile(sizes, 0.5), most: quantile(sizes, 0.95), largest: sizes[sizes.length - 1] };
}

/** The number of pairs in each class. @param {Pair[]} pairs @returns {number[]} */
export function distribution(pairs) {
  const counts = ENDS.map(() => 0);
  for (const pair of pairs) counts[ENDS.findIndex((end) => points(pair) < end)] += 1;
  return counts;
}

/** The pairs that are farthest apart, the farthest first. @param {Pair[]} pairs @param {number} most */
export function worst(pairs, most) {
  return [...pairs].sort((one, other) => points(other) - points(one)).slice(0, most);
}

/** The pairs whose vendor's volatility no price between bid and ask has. The others may differ by the spread alone. @param {Pair[]} pairs */
export function outside(pairs) {
  return pairs.filter(({ bid, ask, vendor }) => (bid !== null && vendor < bid) || (ask !== null && vendor > ask));
}

/** The size of the difference in vol points. @param {Pair} pair */
function points({ difference }) {
  return Math.abs(difference) * 100;
}

/** The smallest value that at least this share does not exceed. @param {number[]} sorted ascending @param {number} share */
function quantile(sorted, share) {
  return sorted[Math.ceil(share * sorted.length) - 1];
}

/** @param {Row[]} rows @param {"call" | "put"} side */
function sided(rows, side) {
  return rows.map((row) => ({ row, side }));
}
