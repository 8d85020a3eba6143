// What a feed receives per second: from the counters that the page has read, for the last minutes.

/** @typedef {import("../../app/types.d.ts").SourceReport} SourceReport */
/** @typedef {{messages: number | null, frames: number | null, bytes: number | null}} Rate per second; null: not known */
/** @typedef {Rate & {at: number}} Point `at` in ms since 1970 */

const KEPT_MS = 300_000;
const WINDOW_MS = 10_000;
/** If the time goes back by more, the server's clock was set. The clocks of several gateways differ by less. */
const SET_BACK_MS = 5_000;

/** @type {Rate} */
export const UNKNOWN = { messages: null, frames: null, bytes: null };

export class Rates {
  /** @type {FeedSource[]} */
  #answers = [];
  /** @type {Point[]} */
  #points = [];

  /** Keep an answer, if it is a new one. @param {FeedSource} answer */
  add(answer) {
    const at = answer.ts / 1e6;
    const newest = this.#answers.at(-1);
    if (newest && newest.ts / 1e6 - at > SET_BACK_MS) [this.#answers, this.#points] = [[], []];
    const last = this.#answers.at(-1);
    if (last && answer.ts <= last.ts) return;
    if (last) this.#points.push({ at, ...rateOf(last, answer) });
    this.#answers.push(answer);
    this.#answers = this.#answers.filter(({ ts }) => ts / 1e6 > at - WINDOW_MS - 3_000);
    this.#points = this.#points.filter((point) => point.at > at - KEPT_MS);
  }

  /** The rates of the last minutes, ascending. @returns {readonly Point[]} */
  points() {
    return this.#points;
  }

  /** The rates of the last seconds. @returns {Rate} */
  now() {
    const last = this.#answers.at(-1);
    const first = this.#answers.find((answer) => last && answer.ts >= last.ts - WINDOW_MS * 1e6);
    return first && last && first !== last ? rateOf(first, last) : UNKNOWN;
  }
}

/**
 * The rates between two answers. A counter that went back has started again, so its rate is not known.
 * @param {FeedSource} before
 * @param {FeedSource} after
 * @returns {Rate}
 */
export function rateOf(before, after) {
  const messages = perSecond(after.appended - before.appended, after.ts - before.ts);
  const pairs = after.generators.map((one) => ({ one, old: before.generators.find(({ shard }) => shard === one.shard) }));
  /** @param {"frames" | "frame_bytes"} counter */
  const sum = (counter) => pairs.reduce((total, { one, old }) => add(total, old ? perSecond(one[counter] - old[counter], one.ts - old.ts) : null), /** @type {number | null} */ (0));
  return pairs.length ? { messages, frames: sum("frames"), bytes: sum("frame_bytes") } : { ...UNKNOWN, messages };
}

/** @param {number} count @param {number} ns @returns {number | null} */
function perSecond(count, ns) {
  return count >= 0 && ns > 0 ? count / (ns / 1e9) : null;
}

/** @param {number | null} one @param {number | null} other */
function add(one, other) {
  return one === null || other === null ? null : one + other;
}
