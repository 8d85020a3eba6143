// What several views read from a chain.

/** @typedef {import("./types.d.ts").Chain} Chain */

/** @param {Chain} chain @returns {Iterable<number>} its quoted prices */
export function* prices(chain) {
  yield chain.spot_price;
  for (const rows of [chain.calls, chain.puts]) for (const { bid, ask, last } of rows) yield* [bid, ask, last];
}
