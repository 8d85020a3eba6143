// The surface of the quoted volatilities over strike and expiry, in three dimensions. Its library is loaded when the
// surface is first shown.

import { isNear } from "../../app/chains.js";
import { h } from "../../app/dom.js";
import { quotes } from "./quotes.js";

const DAYS = 365;
const LIBRARY = "../../vendor/vis-graph3d/vis-graph3d.js";
const TURN = 0.1; // radians a key
const LABEL_PX = 13;
/** @type {Record<string, [number, number]>} */
const TURNS = { ArrowLeft: [-TURN, 0], ArrowRight: [TURN, 0], ArrowUp: [0, TURN], ArrowDown: [0, -TURN] };

export class Surface {
  #context;
  #place = h("div", { class: "graph", role: "application", tabindex: "0", "aria-label": "Surface of the volatilities. Arrow keys turn it; the table has its numbers." });
  #note = h("p", { class: "note", role: "status" });
  element = h("div", { class: "surface", hidden: true }, this.#note, this.#place);
  /** @type {any} */
  #library = null;
  /** @type {any} */
  #graph = null;
  /** @type {Promise<void> | null} */
  #loading = null;
  #resized = new ResizeObserver(() => this.#graph?.redraw());
  #shown = "";
  #again = () => {};

  /** @param {Context} context */
  constructor(context) {
    this.#context = context;
    this.#place.addEventListener("keydown", (event) => this.#turn(event));
    this.#resized.observe(this.#place);
  }

  /** @param {Chain[]} all ascending by expiry @param {import("./view.js").Options} options */
  draw(all, options) {
    this.#again = () => this.draw(all, options);
    const chains = all.filter(({ years_to_expiry }) => years_to_expiry > 0);
    const points = surface(chains, options);
    const lacking = lacks(chains, points.length);
    this.#place.hidden = lacking !== "";
    if (lacking) {
      this.#note.textContent = lacking;
      return;
    }
    if (!this.#library) {
      this.#note.textContent = "Loading the surface.";
      this.#load();
      return;
    }
    const key = JSON.stringify(points);
    if (key === this.#shown) return;
    this.#shown = key;
    this.#note.textContent = `${chains.length} expiries, ${points.length} quoted volatilities: strike, days to expiry, IV in %.`;
    if (this.#graph) this.#graph.setData(points);
    else this.#graph = new this.#library.Graph3d(this.#place, points, this.#look());
  }

  theme() {
    this.#graph?.setOptions({ ...this.#look(), cameraPosition: this.#graph.getCameraPosition() });
    this.#graph?.redraw();
  }

  remove() {
    this.#resized.disconnect();
  }

  #load() {
    this.#loading ??= import(LIBRARY).then(
      (library) => {
        this.#library = library;
        if (this.#place.isConnected) this.#again();
      },
      () => {
        this.#loading = null; // the next change tries again
        this.#note.textContent = "The surface cannot be loaded. The table has its numbers.";
      },
    );
  }

  #look() {
    const { formats, colour } = this.#context;
    const distance = Math.max(1.6, Math.min(3, (1.3 * this.#place.clientWidth) / Math.max(1, this.#place.clientHeight)));
    const [ground, line, muted, calls, puts] = ["ground", "line", "muted", "calls", "puts"].map(colour);
    return {
      width: "100%",
      height: "100%",
      style: "surface",
      showPerspective: true,
      showShadow: false,
      keepAspectRatio: false,
      verticalRatio: 0.6,
      tooltip: false,
      showLegend: false,
      animationAutoStart: false,
      backgroundColor: { fill: ground, stroke: ground, strokeWidth: 0 },
      axisColor: muted,
      gridColor: line,
      axisFontType: getComputedStyle(document.body).fontFamily,
      colormap: between(calls, puts),
      cameraPosition: { horizontal: 0.7, vertical: 0.35, distance },
      axisFontSize: LABEL_PX * distance, // the library divides it by the distance
      yCenter: "42%",
      xLabel: "",
      yLabel: "",
      zLabel: "",
      xValueLabel: (/** @type {number} */ value) => formats.number(value, 0),
      yValueLabel: (/** @type {number} */ value) => `${formats.number(value, 1)} d`,
      zValueLabel: (/** @type {number} */ value) => `${formats.number(value, 1)} %`,
    };
  }

  /** @param {KeyboardEvent} event */
  #turn(event) {
    const turn = TURNS[event.key];
    if (!turn || !this.#graph || event.altKey || event.metaKey || event.ctrlKey) return;
    event.preventDefault();
    const { horizontal, vertical, distance } = this.#graph.getCameraPosition();
    const up = Math.max(0, Math.min(Math.PI / 2, vertical + turn[1]));
    this.#graph.setCameraPosition({ horizontal: horizontal + turn[0], vertical: up, distance });
  }
}

/** Why there is no surface. @param {Chain[]} chains @param {number} points */
function lacks(chains, points) {
  if (chains.length < 2) return `A surface needs two expiries; there is ${chains.length ? "only one" : "none"} that has not passed.`;
  return points ? "" : "No strike has a volatility in all expiries.";
}

/** @param {string} low @param {string} high colours as `rgb(…)` @returns {(share: number) => {r: number, g: number, b: number, a: number}} */
function between(low, high) {
  const [from, to] = [low, high].map((colour) => (colour.match(/[\d.]+/g) ?? []).map(Number));
  return (share) => {
    const [r, g, b] = from.map((value, at) => Math.round(value + (to[at] - value) * Math.max(0, Math.min(1, share))));
    return { r, g, b, a: 1 };
  };
}

/**
 * The quoted volatilities at the strikes that all expiries have.
 * @param {Chain[]} chains @param {import("./view.js").Options} options
 */
function surface(chains, options) {
  const common = chains.map((chain) => new Set(chain.calls.map(({ strike }) => strike)));
  const near = chains.map(isNear);
  return chains.flatMap((chain) =>
    quotes(chain, options.side)
      .filter(({ strike, iv }) => iv !== null && common.every((strikes) => strikes.has(strike)))
      .filter(({ strike }) => options.strikes === "all" || near.some((isIn) => isIn(strike)))
      .map(({ strike, iv }) => ({ x: strike, y: Math.round(chain.years_to_expiry * DAYS * 10) / 10, z: 100 * Number(iv) })),
  );
}
