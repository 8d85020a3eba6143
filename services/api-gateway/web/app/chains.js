// What several views read from a chain.

import { decimalsOf } from "./formats.js";

/** Significant figures of a price of the underlying that is not a multiple of a tick. */
const FIGURES = 6;
const FEWEST_DECIMALS = 2;

/**
 * The decimals of the options' prices: those of their tick. Prices that a source converts from another currency have
 * no tick, so they get the decimals of the underlying.
 * @param {Chain} chain
 */
export function quoteDecimals({ spot_price: spot, calls, puts }) {
  const prices = [calls, puts].flatMap((rows) => rows.flatMap(({ bid, ask, last }) => [bid, ask, last]));
  return decimalsOf(prices, reasonable(spot));
}

/** The decimals of spot, forward and sums of prices. An index may have more decimals than its options. @param {Chain} chain */
export function spotDecimals(chain) {
  const { spot_price: spot } = chain;
  return Math.max(quoteDecimals(chain), underlyingDecimals([spot]));
}

/** The decimals of prices of the underlying, without a chain. @param {number[]} prices of the underlying */
export function underlyingDecimals(prices) {
  return Math.min(decimalsOf(prices), reasonable(prices[0] ?? 0));
}

/** @param {Chain} chain */
export function strikeDecimals({ strikes }) {
  return decimalsOf(strikes);
}

/** What sizes, volumes and open interest count. For options on coins it is what they settle in, because they have no shares. @param {Chain} chain */
export function unitOf({ oi_unit: unit, price_unit: quoted, settlement_currency: settled }) {
  if (unit !== "shares" || !quoted || !settled) return unit;
  return settled === quoted ? "units" : settled;
}

/** @param {number} price of the underlying @returns {number} decimals */
function reasonable(price) {
  const whole = Math.max(0, Math.floor(Math.log10(Math.max(price, 1e-9))) + 1);
  return Math.max(FEWEST_DECIMALS, FIGURES - whole);
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
