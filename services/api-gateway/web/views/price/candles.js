// Candles: the bars that REST answers, continued by the ticks that arrive.
//
// A bar of REST contains every tick that was stored before the answer, so ticks that are in both change nothing: high and
// low are the largest and the smallest, and the close is the price of the latest tick.

/** @typedef {import("../../app/ticks.js").Price} Price */

/**
 * @typedef {object} Candle
 * @property {number} start seconds since 1970
 * @property {number} open
 * @property {number} high
 * @property {number} low
 * @property {number} close
 */

/**
 * @param {any} answer of GET /api/analytics/ohlc/{product}
 * @returns {{candles: Candle[], until: number}} ascending; `until`: event time in ms of the last tick in them
 */
export function stored(answer) {
  const candles = answer.bars.map((/** @type {any} */ { start, open, high, low, close }) => ({ start: Date.parse(start) / 1000, open, high, low, close }));
  return { candles: candles.reverse(), until: Date.parse(answer.end_time) };
}

/**
 * @param {{candles: Candle[], until: number}} history ascending
 * @param {Price[]} ticks in the order of arrival
 * @param {number} minutes
 * @returns {Candle[]} ascending
 */
export function continued({ candles, until }, ticks, minutes) {
  const result = [...candles];
  let last = candles.length ? { ...candles[candles.length - 1] } : null;
  if (last) result[result.length - 1] = last;
  for (const { ms, price } of ticks) {
    const start = Math.floor(ms / (minutes * 60_000)) * minutes * 60;
    if (last && start < last.start) continue; // its bar is complete in the history
    if (last && start === last.start) {
      last.high = Math.max(last.high, price);
      last.low = Math.min(last.low, price);
      if (ms < until) continue;
      last.close = price;
      until = ms;
    } else {
      last = { start, open: price, high: price, low: price, close: price };
      result.push(last);
      until = ms;
    }
  }
  return result;
}
