// A small chart of the last minutes of a feed: its lag as an area, and the enrichers that serve as steps.

import { attribute, h } from "../../app/dom.js";

/** @typedef {{at: number, lag: number | null, enrichers: number}} Point `at` in epoch seconds */

const SVG = "http://www.w3.org/2000/svg";
/** The drawing's own units: the style sheet says how large it is. */
const WIDTH = 600;
const HEIGHT = 100;

export class History {
  element;
  #area = shape("path", "lag-area");
  #line = shape("path", "lag-line");
  #steps = shape("path", "steps");
  #drawing = shape("svg", "history");
  #drawn = "";

  constructor() {
    this.#drawing.setAttribute("viewBox", `0 0 ${WIDTH} ${HEIGHT}`);
    this.#drawing.setAttribute("preserveAspectRatio", "none");
    this.#drawing.setAttribute("role", "img");
    this.#drawing.append(this.#area, this.#line, this.#steps);
    this.element = h("div", { class: "history-box" }, this.#drawing);
  }

  /** @param {Point[]} points ascending @param {string} label what the chart says in words */
  draw(points, label) {
    attribute(this.#drawing, "aria-label", label);
    const key = points.map(({ at, lag, enrichers }) => `${at} ${lag} ${enrichers}`).join();
    if (key === this.#drawn) return;
    this.#drawn = key;
    const { area, line, steps } = paths(points);
    this.#area.setAttribute("d", area);
    this.#line.setAttribute("d", line);
    this.#steps.setAttribute("d", steps);
  }
}

/** The points of a feed's history, and the present one. @param {Feed} feed @param {number} now epoch seconds @returns {Point[]} */
export function pointsOf({ history, lag, enricher }, now) {
  const points = history.at.map((at, index) => ({ at, lag: history.lag[index], enrichers: history.enrichers[index] }));
  const last = points.at(-1);
  return last && last.at >= now ? points : [...points, { at: now, lag, enrichers: enricher.ready }];
}

/** The largest lag and number of enrichers. @param {Point[]} points */
export function largest(points) {
  return {
    lag: Math.max(0, ...points.map((point) => point.lag ?? 0)),
    enrichers: Math.max(0, ...points.map((point) => point.enrichers)),
  };
}

/**
 * The paths of lag and enrichers, each on its own scale from 0. An unknown lag is a gap.
 * @param {Point[]} points
 */
export function paths(points) {
  if (points.length < 2) return { area: "", line: "", steps: "" };
  const most = largest(points);
  const [first, last] = [points[0].at, points[points.length - 1].at];
  /** @param {number} at */
  const x = (at) => round(((at - first) / Math.max(1, last - first)) * WIDTH);
  /** @param {number} value @param {number} top */
  const y = (value, top) => round(HEIGHT - 2 - (value / Math.max(1, top)) * (HEIGHT - 6));
  const runs = known(points).map((run) => run.map(({ at, lag }) => `${x(at)} ${y(lag ?? 0, most.lag)}`));
  const starts = known(points).map((run) => [x(run[0].at), x(run[run.length - 1].at)]);
  return {
    line: runs.map((run) => `M${run.join("L")}`).join(""),
    area: runs.map((run, at) => `M${starts[at][0]} ${HEIGHT}L${run.join("L")}L${starts[at][1]} ${HEIGHT}Z`).join(""),
    steps: points.map(({ at, enrichers }, index) => `${index ? "H" : "M"}${x(at)}${index ? "V" : " "}${y(enrichers, most.enrichers)}`).join(""),
  };
}

/** The runs of points whose lag is known. @param {Point[]} points @returns {Point[][]} */
function known(points) {
  /** @type {Point[][]} */
  const runs = [];
  points.forEach((point, at) => {
    if (point.lag === null) return;
    if (at && points[at - 1].lag !== null) runs[runs.length - 1].push(point);
    else runs.push([point]);
  });
  return runs;
}

/** @param {number} value */
function round(value) {
  return Math.round(value * 10) / 10;
}

/** @param {string} name @param {string} style class @returns {SVGElement} */
function shape(name, style) {
  const element = /** @type {SVGElement} */ (document.createElementNS(SVG, name));
  element.setAttribute("class", style);
  return element;
}
