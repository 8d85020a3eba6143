// One feed: its numbers, the last minutes, its conditions, and the operator's decisions in its own words.

import { attribute, h, write } from "../../app/dom.js";
import { MARKS, products } from "../../app/feedlist.js";
import { COLUMNS } from "./list.js";
import { History, largest, pointsOf } from "./history.js";
import { levelOf } from "./state.js";

/** @typedef {import("../../app/formats.js").Formats} Formats */

/** The operator's times, as in its log. */
const UTC = { zone: "UTC", label: "UTC" };

export class Detail {
  element;
  #title = h("h2");
  #products = h("p", { class: "why" });
  #numbers = h("dl", { class: "numbers-of-feed" });
  #history = new History();
  #scale = h("p", { class: "scale" });
  #load = h("p", { class: "why", hidden: true });
  #conditions = h("tbody");
  #decisions = h("ol", { class: "decisions" });
  #formats;
  /** @type {Record<string, HTMLElement>} */
  #values = {};
  #shown = { conditions: "", decisions: "" };

  /** @param {Formats} formats @param {HTMLElement} controls */
  constructor(formats, controls) {
    this.#formats = formats;
    for (const { id, label, meaning } of COLUMNS) {
      this.#values[id] = h("dd", { "data-number": id });
      this.#numbers.append(h("div", {}, h("dt", { title: meaning }, label), this.#values[id]));
    }
    const heads = ["Condition", "Reason", "Since", "What it means"].map((name) => h("th", { scope: "col" }, name));
    const table = h("table", {}, h("caption", {}, "Conditions"), h("thead", {}, h("tr", {}, ...heads)), this.#conditions);
    this.element = h(
      "div",
      { class: "feed-detail detail", tabindex: "0", role: "region", "aria-label": "The chosen feed" },
      h("div", {}, this.#title, this.#products, this.#numbers, this.#load, h("h3", {}, "Lag against enrichers"), this.#history.element, this.#scale, controls),
      h("div", {}, h("h3", {}, "Last decisions"), this.#decisions, h("div", { class: "conditions", tabindex: "0", role: "region", "aria-label": "Conditions" }, table)),
    );
  }

  /** @param {Feed} feed @param {number} now epoch seconds of the table */
  draw(feed, now) {
    write(this.#title, feed.name);
    write(this.#products, products(feed, feed.products.length));
    for (const { id, text } of COLUMNS) write(this.#values[id], text(feed, this.#formats));
    this.#load.hidden = feed.load_reason === null;
    write(this.#load, feed.load_reason === null ? "" : `The load is unknown. ${feed.load_reason}`);
    this.#drawHistory(feed, now);
    this.#drawConditions(feed);
    this.#drawDecisions(feed);
  }

  /** @param {Feed} feed @param {number} now */
  #drawHistory(feed, now) {
    const points = pointsOf(feed, now);
    const { lag, enrichers } = largest(points);
    const minutes = Math.round((now - points[0].at) / 60);
    const span = minutes ? `the last ${minutes} min` : "the last minute";
    const text = `Over ${span}: lag up to ${this.#formats.count(lag)}, enrichers up to ${this.#formats.count(enrichers)}.`;
    this.#history.draw(points, text);
    if (this.#scale.dataset.text === text) return;
    this.#scale.dataset.text = text;
    this.#scale.replaceChildren(h("span", { class: "key-lag" }, "▬ lag"), " ", h("span", { class: "key-enrichers" }, "▬ enrichers"), ` ${text} Each has its own scale from 0.`);
  }

  /** @param {Feed} feed */
  #drawConditions({ conditions }) {
    const key = JSON.stringify(conditions);
    if (key === this.#shown.conditions) return;
    this.#shown.conditions = key;
    this.#conditions.replaceChildren(
      ...conditions.map((condition) => {
        const level = levelOf(condition);
        const name = h("span", { class: "level", "data-level": level }, h("span", { "aria-hidden": "true" }, `${MARKS[level]} `), `${condition.type} ${condition.status}`);
        return h("tr", { "data-condition": condition.type }, h("th", { scope: "row" }, name), h("td", {}, condition.reason), h("td", {}, this.#when(condition.last_transition)), h("td", {}, condition.message));
      }),
    );
  }

  /** Newest first. @param {Feed} feed */
  #drawDecisions({ name, decisions }) {
    const key = name + JSON.stringify(decisions);
    if (key === this.#shown.decisions) return;
    this.#shown.decisions = key;
    const lines = decisions.toReversed().map(({ time, message }) => h("li", {}, h("time", { datetime: time }, this.#when(time)), " ", h("q", {}, message)));
    this.#decisions.replaceChildren(...(lines.length ? lines : [h("li", {}, "The operator has not decided so far.")]));
    attribute(this.#decisions, "aria-label", `Last decisions about ${name}, newest first`);
  }

  /** @param {string} time RFC 3339 */
  #when(time) {
    return `${this.#formats.day(time, UTC)}, ${this.#formats.clock(time, UTC)}`;
  }
}
