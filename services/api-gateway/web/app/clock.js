// Estimates the server's time, so that a wrong clock of this computer cannot make old data look new.
//
// Every message and answer shows a server time that has passed when it arrives. The largest difference to this page's
// monotonic clock is therefore the best estimate; the Date header, which has whole seconds, bounds it from above.

/** Differences of the two local clocks above this mean that one was set, or that the computer slept. */
const JUMP_MS = 2000;

export class Clock {
  #atLeast = -Infinity;
  #atMost = Infinity;
  #monotonic;
  #wall;
  #drift;

  /** @param {() => number} monotonic ms @param {() => number} wall ms since 1970 */
  constructor(monotonic = () => performance.now(), wall = () => Date.now()) {
    this.#monotonic = monotonic;
    this.#wall = wall;
    this.#drift = wall() - monotonic();
  }

  /** The page's own clock, for durations. @returns {number} ms */
  monotonic() {
    return this.#monotonic();
  }

  /** Learn from the Date header of an answer. @param {string | null} date @param {number} sentAt monotonic ms */
  answered(date, sentAt) {
    const seen = date === null ? NaN : Date.parse(date);
    if (Number.isNaN(seen)) return;
    this.#atLeast = Math.max(this.#atLeast, seen - this.#monotonic());
    this.#atMost = Math.min(this.#atMost, seen + 1000 - sentAt);
  }

  /** Learn from the processing time of a message that just arrived. @param {string} processedAt RFC 3339 */
  arrived(processedAt) {
    const seen = Date.parse(processedAt);
    if (!Number.isNaN(seen)) this.#atLeast = Math.max(this.#atLeast, seen - this.#monotonic());
  }

  /** @returns {number | null} the server's time, ms since 1970; null while nothing is known */
  now() {
    const offset = Math.min(this.#atLeast, this.#atMost);
    return Number.isFinite(offset) ? this.#monotonic() + offset : null;
  }

  /** @param {string} time RFC 3339 @returns {number | null} ms since then; null while the server's time is unknown */
  ageMs(time) {
    const now = this.now();
    return now === null ? null : Math.max(0, now - Date.parse(time));
  }

  /** Whether a local clock was set, or the computer slept, since the last call. Then everything learnt is forgotten. */
  jumped() {
    const drift = this.#wall() - this.#monotonic();
    if (Math.abs(drift - this.#drift) < JUMP_MS) return false;
    this.#drift = drift;
    this.#atLeast = -Infinity;
    this.#atMost = Infinity;
    return true;
  }
}
