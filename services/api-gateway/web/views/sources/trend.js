// A small chart of one rate over the last minutes, from 0.

import { attribute, h, write } from "../../app/dom.js";

const SVG = "http://www.w3.org/2000/svg";
/** The drawing's own units: the style sheet says how large it is. */
const WIDTH = 300;
const HEIGHT = 48;

export class Trend {
  element;
  #label;
  #most = h("span", { class: "trend-most" });
  #line = document.createElementNS(SVG, "path");
  #drawing = document.createElementNS(SVG, "svg");

  /** @param {string} label such as `Messages/s` */
  constructor(label) {
    this.#label = label;
    attribute(this.#drawing, "viewBox", `0 0 ${WIDTH} ${HEIGHT}`);
    attribute(this.#drawing, "preserveAspectRatio", "none");
    attribute(this.#drawing, "role", "img");
    this.#drawing.append(this.#line);
    this.element = h("div", { class: "trend" }, h("p", {}, h("span", {}, label), this.#most), this.#drawing);
  }

  /** @param {readonly {at: number, value: number | null}[]} points ascending, `at` in ms @param {(value: number) => string} text */
  draw(points, text) {
    const most = Math.max(0, ...points.map(({ value }) => value ?? 0));
    const seconds = points.length ? Math.round((points[points.length - 1].at - points[0].at) / 1000) : 0;
    const said = points.length > 1 ? `up to ${text(most)} in ${seconds} s` : "measured from now on";
    write(this.#most, said);
    attribute(this.#drawing, "aria-label", `${this.#label}: ${said}`);
    attribute(this.#line, "d", path(points, most));
  }
}

/** The line; an unknown rate is a gap. @param {readonly {at: number, value: number | null}[]} points @param {number} most */
export function path(points, most) {
  if (points.length < 2) return "";
  const [first, last] = [points[0].at, points[points.length - 1].at];
  let pen = "M";
  let drawn = "";
  for (const { at, value } of points) {
    if (value === null) {
      pen = "M";
      continue;
    }
    const x = ((at - first) / (last - first)) * WIDTH;
    const y = HEIGHT - 2 - (most ? value / most : 0) * (HEIGHT - 4);
    drawn += `${pen}${x.toFixed(1)} ${y.toFixed(1)}`;
    pen = "L";
  }
  return drawn;
}
