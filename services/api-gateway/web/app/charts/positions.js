// A linear horizontal scale: values become whole positions, and equal distances on the scale are equal differences.
//
// The chart library spaces its points evenly by their order, so a chart also gets an empty point for each position
// between them (Chart.span).

const MOST_POSITIONS = 4000;
const SCALE = 10_000; // values are compared in ten-thousandths
const WEIGHTS = /** @type {const} */ ([[100, 8], [50, 7], [25, 6], [10, 5], [5, 4], [2, 3], [1, 2]]);

/** The largest step of which all values are multiples, but at most 4000 steps. @param {number[]} values in any order */
export function stepOf(values) {
  const whole = [...new Set(values.map((value) => Math.round(value * SCALE)))].sort((a, b) => a - b);
  let divisor = 0;
  for (const value of whole) divisor = gcd(value, divisor);
  const range = whole.length ? (whole[whole.length - 1] - whole[0]) / SCALE : 0;
  return Math.max(divisor / SCALE || 1, range / MOST_POSITIONS);
}

/**
 * The positions of ascending values. No two values share one, so a value may be moved by some steps.
 * @param {number[]} values ascending @param {number} step @returns {number[]}
 */
export function place(values, step) {
  let last = -Infinity;
  return values.map((value) => (last = Math.max(last + 1, Math.round(value / step))));
}

/** The positions that a chart shows: with some room, and round, so that they rarely change. @param {number} first @param {number} last */
export function spanOf(first, last) {
  const room = Math.max(1, (last - first) / 20); // the label of an outer strike needs it too
  const round = last - first > 100 ? 10 : 1;
  return { first: Math.floor((first - room) / round) * round, last: Math.ceil((last + room) / round) * round };
}

/** @param {number} a @param {number} b @returns {number} */
function gcd(a, b) {
  return b === 0 ? Math.abs(a) : gcd(b, a % b);
}

/** The library's horizontal scale over whole positions. */
export class PositionScale {
  /** @type {any} */
  #options;
  #text;

  /** @param {(position: number) => string} text of a position */
  constructor(text) {
    this.#text = text;
  }

  options() {
    return this.#options;
  }

  /** @param {any} options */
  setOptions(options) {
    this.#options = options;
  }

  preprocessData() {}

  /** @param {any} localization */
  updateFormatter(localization) {
    if (this.#options) this.#options.localization = localization;
  }

  createConverterToInternalObj() {
    return same;
  }

  key = same;
  cacheKey = same;
  convertHorzItemToInternal = same;

  /** @param {any} position */
  formatHorzItem(position) {
    return this.#text(position);
  }

  /** @param {any} mark */
  formatTickmark(mark) {
    return this.#text(mark.time);
  }

  /** @param {{weight: number}[]} marks @returns {any} */
  maxTickMarkWeight(marks) {
    return Math.max(...marks.map(({ weight }) => weight));
  }

  /** @param {readonly any[]} points @param {number} start */
  fillWeightsForPoints(points, start) {
    for (const point of points.slice(start)) point.timeWeight = weight(point.time);
  }
}

/** Round positions get their label first. @param {number} position */
function weight(position) {
  return /** @type {readonly [number, number]} */ (WEIGHTS.find(([round]) => position % round === 0))[1];
}

/** @param {any} value @returns {any} */
function same(value) {
  return value;
}
