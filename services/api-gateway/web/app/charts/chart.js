// A chart with a crosshair for mouse, touch and keyboard, whose exact numbers are in a line above it.

import { LineSeries, createChart, createChartEx } from "../../vendor/lightweight-charts/lightweight-charts.js";
import { attribute, h } from "../dom.js";
import { Points } from "./points.js";
import { spanOf } from "./positions.js";

/** @typedef {{text: string, token?: string}} Said a part of what the crosshair says, in the colour of a token */

const STEPS = /** @type {Record<string, number>} */ ({
  ArrowLeft: -1,
  ArrowRight: 1,
  PageUp: -10,
  PageDown: 10,
  Home: -Infinity,
  End: Infinity,
});

/** @typedef {{x: any, price: number, series: any}} Stop where the crosshair can stop */

export class Chart {
  /** @type {any} of the chart library */
  api;
  element;
  #context;
  #plot;
  #readout = h("p", { class: "readout" });
  /** @type {Stop[]} */
  #stops = [];
  /** Index of the stop under the crosshair; -1: none. */
  #at = -1;
  #start = 0;
  /** @type {(x: any) => Said[]} */
  #say = () => [];
  /** @type {Said[]} */
  #summary = [];
  /** @type {Points | null} */
  #span = null;
  #spanned = "";
  /** @type {(timeScale: any) => void} */
  #frame = () => {};

  /**
   * @param {Context} context
   * @param {string} label what the chart shows
   * @param {import("./positions.js").PositionScale | null} scale null: a chart over time
   * @param {object} options of the chart library
   */
  constructor(context, label, scale, options = {}) {
    this.#context = context;
    this.#plot = h("div", { class: "plot", role: "slider", tabindex: "0", "aria-valuenow": "0", "aria-label": `${label}. Arrow keys move the crosshair.` });
    this.element = h("div", { class: "chart" }, h("h2", {}, label), this.#readout, this.#plot);
    /** @type {any} */
    const look = { autoSize: true, ...this.#look(), ...options };
    this.api = scale ? createChartEx(this.#plot, /** @type {any} */ (scale), look) : createChart(this.#plot, look);
    this.api.subscribeCrosshairMove((/** @type {any} */ moved) => this.#moved(moved));
    this.api.timeScale().subscribeSizeChange(() => this.#frame(this.api.timeScale()));
    this.#plot.addEventListener("keydown", (event) => this.#key(event));
    this.#plot.addEventListener("focus", () => this.#at < 0 && this.#plot.matches(":focus-visible") && this.#go(this.#start));
    this.#plot.addEventListener("blur", () => this.#leave());
  }

  /**
   * Where the crosshair can stop and what it says there.
   * @param {Stop[]} stops ascending
   * @param {number} start index of the stop to begin at
   * @param {(x: any) => Said[]} say
   * @param {Said[]} summary what the line says without a crosshair
   */
  stops(stops, start, say, summary) {
    const at = this.#stops[this.#at]?.x;
    this.#stops = stops;
    this.#start = Math.max(0, Math.min(start, stops.length - 1));
    this.#say = say;
    this.#summary = summary;
    this.#at = at === undefined ? -1 : stops.findIndex(({ x }) => x === at);
    attribute(this.#plot, "aria-valuemin", "0");
    attribute(this.#plot, "aria-valuemax", String(Math.max(0, stops.length - 1)));
    this.#tell();
  }

  /**
   * Show all positions between these, with equal distances also where no series has a point.
   * @param {number[]} positions ascending, at least one
   * @returns {number} the first position of the chart
   */
  span(positions) {
    const { first, last } = spanOf(positions[0], positions[positions.length - 1]);
    if (this.#spanned === `${first} ${last}`) return first;
    this.#spanned = `${first} ${last}`;
    this.#span ??= new Points(this.api.addSeries(LineSeries, { visible: false }));
    this.#span.set(Array.from({ length: last - first + 1 }, (_, at) => ({ time: first + at })));
    const room = (last - first) / 25; // for the label of an outermost position
    this.frame((scale) => scale.setVisibleLogicalRange({ from: -room, to: last - first + room })); // fitContent ends at the last value
    return first;
  }

  /** Choose what is in sight, now and when the chart's size changes. @param {(timeScale: any) => void} frame */
  frame(frame) {
    this.#frame = frame;
    frame(this.api.timeScale());
  }

  /** Use the present theme's colours. */
  theme() {
    this.api.applyOptions(this.#look());
  }

  remove() {
    this.api.remove();
  }

  /** @param {any} moved */
  #moved(moved) {
    if (moved.time === undefined) this.#at = -1;
    else this.#at = nearest(this.#stops, moved.time);
    this.#tell();
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    const step = STEPS[event.key];
    if (event.key === "Escape") this.#leave();
    if (step === undefined || event.altKey || event.metaKey || event.ctrlKey || !this.#stops.length) return;
    event.preventDefault();
    const from = this.#at < 0 ? this.#start - Math.sign(step) : this.#at;
    this.#go(Math.max(0, Math.min(this.#stops.length - 1, from + step)));
  }

  /** @param {number} at */
  #go(at) {
    const stop = this.#stops[at];
    if (!stop) return;
    this.#at = at;
    this.api.setCrosshairPosition(stop.price, stop.x, stop.series);
    this.#at = at; // the library has called #moved
    this.#tell();
  }

  #leave() {
    this.api.clearCrosshairPosition();
    this.#at = -1;
    this.#tell();
  }

  #tell() {
    const stop = this.#stops[this.#at];
    const said = stop ? this.#say(stop.x) : this.#summary;
    const text = said.map((part) => part.text).join("; ");
    attribute(this.#plot, "aria-valuenow", String(Math.max(0, this.#at)));
    attribute(this.#plot, "aria-valuetext", text || "no data");
    if (this.#readout.dataset.said === text) return;
    this.#readout.dataset.said = text;
    this.#readout.replaceChildren(...said.map((part) => h("span", part.token ? { "data-token": part.token } : {}, part.text)));
  }

  #look() {
    const { colour } = this.#context;
    const [ground, line, muted, text] = ["ground", "line", "muted", "text"].map(colour);
    return {
      layout: {
        background: { type: /** @type {any} */ ("solid"), color: ground },
        textColor: muted,
        fontFamily: getComputedStyle(document.body).fontFamily,
        fontSize: 12,
        attributionLogo: false, // it needs an inline style; the view names the library in words
        panes: { separatorColor: line, separatorHoverColor: line },
      },
      grid: { vertLines: { visible: false }, horzLines: { color: line } },
      crosshair: { mode: 0, vertLine: { color: muted, labelBackgroundColor: text }, horzLine: { color: muted, labelBackgroundColor: text } },
      rightPriceScale: { borderColor: line },
      timeScale: { borderColor: line, minBarSpacing: 0.01 },
      kineticScroll: { mouse: false, touch: !matchMedia("(prefers-reduced-motion: reduce)").matches },
    };
  }
}

/** @param {Stop[]} stops @param {any} x @returns {number} index of the nearest stop; -1 without stops */
function nearest(stops, x) {
  let best = -1;
  stops.forEach((stop, at) => {
    if (best < 0 || Math.abs(stop.x - x) < Math.abs(stops[best].x - x)) best = at;
  });
  return best;
}

/** The notice that the library's licence asks for. */
export function credit() {
  return h("a", { class: "credit", href: "https://www.tradingview.com/", target: "_blank", rel: "noreferrer" }, "Charts by TradingView");
}
