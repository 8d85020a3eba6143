// What several views read from a chain.

/** @typedef {import("./types.d.ts").Chain} Chain */

/** @param {Chain} chain @returns {Iterable<number>} its quoted prices */
export function* prices(chain) {
  yield chain.spot_price;
  for (const rows of [chain.calls, chain.puts]) for (const { bid, ask, last } of rows) yield* [bid, ask, last];
}

/** How many expected moves from the forward a strike is `near`. */
const NEAR = 4;

/** The forward, or the spot if there is none. @param {Chain} chain */
export function centre(chain) {
  return chain.forward ?? chain.spot_price;
}

/** Which strikes the market gives some chance; all if the expected move is unknown. @param {Chain} chain @returns {(strike: number) => boolean} */
export function isNear(chain) {
  const move = NEAR * (chain.expected_move ?? Infinity);
  return (strike) => Math.abs(strike - centre(chain)) <= move;
}
