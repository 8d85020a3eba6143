// What the chosen feed has received: rates with their last minutes, counters, and the age of the newest.

import { h, write } from "../../app/dom.js";
import { MISSING, duration } from "../../app/formats.js";
import { Rates, UNKNOWN } from "./rates.js";
import { Trend } from "./trend.js";

/** @typedef {import("./rates.js").Point} Point */

/** The rates are unknown if the gateway's last answer is older. */
const CURRENT_MS = 10_000;
/** A larger difference between the clocks of two machines is shown. */
const SKEW_MS = 1_000;
/** @type {["messages" | "frames" | "bytes", string][]} */
const TRENDS = [["messages", "Messages/s"], ["frames", "Frames/s"], ["bytes", "Bytes/s"]];
/** @type {{id: string, label: string, meaning: string, live: boolean}[]} `live`: only a live source has it */
const FIGURES = [
  { id: "messages", label: "Messages/s", meaning: "Messages that the feed's stream takes per second, over the last 10 s", live: false },
  { id: "frames", label: "Frames/s", meaning: "Frames that come from the exchange per second, over the last 10 s", live: true },
  { id: "bytes", label: "Bytes/s", meaning: "Bytes of these frames per second", live: true },
  { id: "age", label: "Newest message", meaning: "Age of the newest message in the feed's stream", live: false },
  { id: "newest", label: "Newest tick", meaning: "Age of the newest tick, by the exchange's clock", live: true },
  { id: "appended", label: "Messages", meaning: "Messages that the feed's stream has taken so far", live: false },
  { id: "ticks", label: "Ticks", meaning: "Quotes, prices of underlyings and listings since the generators' start", live: true },
  { id: "repeated", label: "Repeated", meaning: "Ticks that were not new and were dropped", live: true },
  { id: "refused", label: "Refused", meaning: "Frames that could not be used", live: true },
  { id: "lost", label: "Lost", meaning: "Ticks dropped because Redis took none for long", live: true },
  { id: "gaps", label: "Gaps", meaning: "Ends of a subscribed connection: ticks may be missing", live: true },
  { id: "reconnects", label: "Reconnects", meaning: "Attempts to connect again", live: true },
];
const COUNTERS = /** @type {const} */ (["ticks", "repeated", "refused", "lost", "gaps", "reconnects"]);
const BAD = new Set(["refused", "lost", "gaps"]);

export class Received {
  element;
  #context;
  /** @type {Map<string, {box: HTMLElement, value: HTMLElement}>} */
  #figures = new Map();
  #trends = TRENDS.map(([id, label]) => ({ id, trend: new Trend(label) }));
  #skew = h("p", { class: "source-warning", hidden: true });
  /** The rates of each feed that was looked at. @type {Map<string, Rates>} */
  #rates = new Map();

  /** @param {Context} context */
  constructor(context) {
    this.#context = context;
    const list = h("dl", { class: "source-figures" });
    for (const { id, label, meaning } of FIGURES) {
      const value = h("dd", { "data-figure-of-source": id });
      const box = h("div", {}, h("dt", { title: meaning }, label), value);
      this.#figures.set(id, { box, value });
      list.append(box);
    }
    const trends = h("div", { class: "trends" }, ...this.#trends.map(({ trend }) => trend.element));
    this.element = h("section", { "aria-label": "Received" }, h("h3", {}, "Received"), list, this.#skew, trends);
  }

  /** @param {string} feed @param {FeedSource | null} source @param {boolean} live whether an exchange sends it */
  draw(feed, source, live) {
    for (const { id, live: only } of FIGURES) this.#figure(id).box.hidden = only && !live;
    for (const { id, trend } of this.#trends) trend.element.hidden = id !== "messages" && !live;
    const rates = this.#ratesOf(feed);
    if (source) rates.add(source);
    this.#drawRates(rates, (this.#age(source?.ts ?? 0) ?? Infinity) < CURRENT_MS);
    this.#drawCounters(source);
    this.#drawAges(source);
  }

  /** @param {Rates} rates @param {boolean} current whether the gateway has answered just now */
  #drawRates(rates, current) {
    const now = current ? rates.now() : UNKNOWN;
    for (const [id] of TRENDS) this.#write(id, this.#rate(id, now[id]));
    for (const { id, trend } of this.#trends) {
      const points = rates.points().map((point) => ({ at: point.at, value: point[id] }));
      trend.draw(points, (value) => this.#rate(id, value));
    }
  }

  /** @param {FeedSource | null} source */
  #drawCounters(source) {
    const { formats } = this.#context;
    this.#write("appended", source ? formats.count(source.appended) : MISSING);
    for (const id of COUNTERS) {
      const count = source?.generators.length ? source.generators.reduce((sum, one) => sum + one[id], 0) : null;
      this.#write(id, count === null ? MISSING : formats.count(count));
      this.#figure(id).value.classList.toggle("some", BAD.has(id) && (count ?? 0) > 0);
    }
  }

  /** An exchange's clock that is ahead must not make the age negative: it is said instead. @param {FeedSource | null} source */
  #drawAges(source) {
    const message = this.#age(source?.appended_ts ?? 0);
    const tick = this.#age(Math.max(0, ...(source?.generators ?? []).map(({ newest_ts: newest }) => newest)));
    this.#write("age", message === null ? MISSING : duration(Math.max(0, message)));
    this.#write("newest", tick === null ? MISSING : duration(Math.max(0, tick)));
    this.#skew.hidden = tick === null || tick > -SKEW_MS;
    write(this.#skew, this.#skew.hidden ? "" : `The newest tick is dated ${duration(-Number(tick))} ahead of this system's clock: one of the two clocks is wrong. Set this system's clock by NTP.`);
  }

  /** @param {number} ns since 1970; 0: never @returns {number | null} ms; null if it is not known */
  #age(ns) {
    const now = this.#context.clock.now();
    return ns && now !== null ? now - ns / 1e6 : null;
  }

  /** @param {"messages" | "frames" | "bytes"} id @param {number | null} value per second */
  #rate(id, value) {
    const { formats } = this.#context;
    if (value === null) return MISSING;
    if (id !== "bytes") return formats.number(value, 1);
    return value < 1e6 ? `${formats.number(value / 1e3, 1)} kB` : `${formats.number(value / 1e6, 1)} MB`;
  }

  /** @param {string} feed */
  #ratesOf(feed) {
    let rates = this.#rates.get(feed);
    if (!rates) this.#rates.set(feed, (rates = new Rates()));
    return rates;
  }

  /** @param {string} id */
  #figure(id) {
    return /** @type {{box: HTMLElement, value: HTMLElement}} */ (this.#figures.get(id));
  }

  /** @param {string} id @param {string} text */
  #write(id, text) {
    write(this.#figure(id).value, text);
  }
}
