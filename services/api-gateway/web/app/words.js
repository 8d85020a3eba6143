// Says in words why a number is missing and what an enumerated field means (services/contracts).

/** @type {Record<string, string>} */
export const IV_REASONS = {
  no_quote: "no bid or no ask",
  zero_price: "the price is zero",
  below_intrinsic: "the price is below intrinsic value",
  above_max: "the price is above the highest possible one",
  expired: "the contract has expired",
  crossed: "the bid is above the ask",
  wide_spread: "the spread is too wide: half of it is over 25 % of the mid",
  info_lost: "too deep in the money: the price no longer depends on volatility",
  no_forward: "there is no usable forward",
  american_exercise: "American exercise: volatilities are computed for European contracts only",
  no_convergence: "the computation did not converge",
  bounds_unknown: "the price is outside its bounds at the estimated forward, but inside at another plausible one",
  stale: "the quote is older than a minute",
};

export const NO_CHANGE = "the source does not state the open interest of the day before";

/** Why a chain has no ratio or no max pain. @type {Record<string, string>} */
export const CHAIN_REASONS = {
  one_strike: "The chain has only one strike.",
  one_side: "The chain has only calls or only puts.",
  no_open_interest: "There is no open interest.",
  no_call_open_interest: "There is no open interest in calls.",
  no_put_open_interest: "There is no open interest in puts.",
  no_call_volume: "There is no volume in calls.",
  no_put_volume: "There is no volume in puts.",
};

/** @type {Record<string, string>} */
export const FORWARD_REASONS = {
  too_few_pairs: "too few pairs of call and put near the money",
  bad_fit: "calls and puts do not agree on a forward",
  expired: "the contracts have expired",
  discount_assumed: "The quotes do not determine the discount factor, so it is assumed to be 1.",
};

/** @type {Record<string, string>} */
export const DEAD_LETTER_REASONS = {
  too_large: "larger than 1 MiB",
  not_json: "not JSON",
  schema: "a field is missing, unknown or breaks its rule",
  not_finite: "a number is not finite",
  inconsistent: "two fields contradict each other",
  clock_skew: "the event time is too far from the time of arrival",
  deliveries_exhausted: "five deliveries failed",
};

/** @type {Record<string, string>} */
export const BUILDUPS = {
  long_buildup: "Long build",
  short_buildup: "Short build",
  long_unwinding: "Long unwind",
  short_covering: "Short cover",
  neutral: "Neutral",
};

/** @param {Record<string, string>} words @param {string | null} reason */
export function why(words, reason) {
  return reason === null ? "unknown reason" : (words[reason] ?? reason);
}

/**
 * What identifies a chain's contracts besides product and date.
 * @param {Chain} chain @param {import("./formats.js").Formats} formats
 */
export function terms(chain, formats) {
  const exchange = formats.exchange(chain.expiry_ts);
  const ms = chain.expiry_ts / 1e6;
  const price = chain.settlement_session === "open" ? "open" : "close";
  const multiplier = chain.multiplier === undefined ? "" : ` Multiplier ${formats.count(chain.multiplier)}.`;
  const pays = chain.settlement_currency ? ` It pays in ${chain.settlement_currency}.` : "";
  return `${chain.exercise}. Expires ${formats.day(ms, exchange)}, ${formats.clock(ms, exchange)}, settled by the ${price}.${multiplier}${pays}`;
}
