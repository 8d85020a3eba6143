// The quoted volatilities of a chain, and where they are on the horizontal axis.

import { centre } from "../../app/chains.js";

/** @typedef {"otm" | "calls" | "puts"} Side */

/** @typedef {import("../../app/types.d.ts").SmileQuote} Quote */

/**
 * One quote per strike, ascending.
 * @param {Chain} chain
 * @param {Side} side `otm`: puts below the forward, calls from it on
 * @returns {Quote[]}
 */
export function quotes(chain, side) {
  return chain.calls.map((call, at) => {
    const type = side === "puts" || (side === "otm" && call.strike < centre(chain)) ? "put" : "call";
    const row = type === "put" ? chain.puts[at] : call;
    return { strike: row.strike, type, iv: row.iv, low: row.iv_bid, high: row.iv_ask, delta: row.delta, reason: row.iv_reason };
  });
}

/** @typedef {import("../../app/types.d.ts").SmileAxis} Axis */

/** @type {Record<string, Axis>} */
export const AXES = {
  strike: {
    label: "Strike",
    step: null,
    of: ({ strike }) => strike,
    at: (price) => price,
    text: (value, formats) => formats.count(value),
  },
  moneyness: {
    label: "Log-moneyness",
    step: 0.0005,
    of: ({ strike }, chain) => Math.log(strike / centre(chain)),
    at: (price, chain) => Math.log(price / centre(chain)),
    text: (value, formats) => `${formats.signed(value * 100, 1)} %`,
  },
  delta: {
    label: "Delta",
    step: 0.0005, // deep in the money many strikes have nearly the same delta
    of: deltaOf,
    at: () => null,
    text: deltaText,
  },
};

/** @param {number} value @param {import("../../app/formats.js").Formats} formats */
function deltaText(value, formats) {
  if (value < 0 || value > 1) return "";
  return value <= 0.5 ? `${formats.number(value * 100, 0)}Δ put` : `${formats.number((1 - value) * 100, 0)}Δ call`;
}

/** From deep puts to deep calls: the put's delta without its sign, 0 to 1. @param {Quote} quote */
function deltaOf({ delta, type }) {
  if (delta === null) return null;
  return type === "put" ? -delta : 1 - delta;
}
