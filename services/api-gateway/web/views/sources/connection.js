// The connection of the chosen source: the operator's word, and what each of several generators says about its own.

import { attribute, h, write } from "../../app/dom.js";
import { Table } from "../../app/charts/table.js";
import { MARKS } from "../../app/feedlist.js";
import { MISSING } from "../../app/formats.js";
import { connectionOf } from "./state.js";

/** The times of the generators, as in their logs. */
const UTC = { zone: "UTC", label: "UTC" };

export class Connection {
  element;
  #formats;
  #mark = h("span", { "aria-hidden": "true" });
  #word = h("span");
  #level = h("span", { class: "level" }, this.#mark, this.#word);
  #since = h("span", { class: "source-since" });
  #why = h("span");
  #generators = new Table("Generators", ["Generator", "Connected", "Authorized", "Reason", "Since", "Message"]);
  #conditions = new Table("Conditions", ["Condition", "Status", "Reason", "Since", "Message"]);
  #push = h("p", { class: "source-push", hidden: true });

  /** @param {import("../../app/formats.js").Formats} formats */
  constructor(formats) {
    this.#formats = formats;
    const line = h("p", { class: "source-connection" }, this.#level, this.#since, h("br"), this.#why);
    this.element = h("section", { "aria-label": "Connection" }, h("h3", {}, "Connection"), line, this.#push, this.#generators.element, this.#conditions.element);
  }

  /** @param {Feed} feed @param {FeedSource | null} source */
  draw(feed, source) {
    const { level, word, why } = connectionOf(feed);
    write(this.#mark, `${MARKS[level]} `);
    write(this.#word, word);
    attribute(this.#level, "data-level", level);
    write(this.#why, why);
    const reports = source?.generators ?? [];
    const since = reports.length === 1 ? reports[0].since_ts : 0;
    write(this.#since, since ? ` since ${this.#when(since / 1e6)}` : "");
    this.#table(this.#generators, reports.length < 2 ? [] : reports.map((one) => ({ key: String(one.shard), cells: [String(one.shard), yes(one.connected), yes(one.authorized), one.reason, this.#when(one.since_ts / 1e6), one.message] })));
    const conditions = feed.conditions.filter(({ type }) => type.startsWith("Source"));
    this.#table(this.#conditions, conditions.map((one) => ({ key: one.type, cells: [one.type, one.status, one.reason, this.#when(Date.parse(one.last_transition)), one.message === why ? "as above" : one.message] })));
    this.#drawPush(feed);
  }

  /** @param {Table} table @param {import("../../app/charts/table.js").Line[]} lines */
  #table(table, lines) {
    table.element.hidden = !lines.length;
    table.set(lines);
  }

  /** @param {Feed} feed */
  #drawPush({ name, source }) {
    this.#push.hidden = source !== "external";
    if (this.#push.dataset.feed === name) return;
    this.#push.dataset.feed = name;
    const reference = h("a", { href: "/api/docs" }, "API reference");
    this.#push.replaceChildren("Send messages with ", h("code", {}, `POST /api/ingest/${name}`), " and a token of the role ingest, at most 1 MiB a request (", reference, "). The guide is ", h("code", {}, "docs/how-to/push.md"), ".");
  }

  /** @param {number} ms since 1970; 0: never */
  #when(ms) {
    return ms ? `${this.#formats.day(ms, UTC)}, ${this.#formats.clock(ms, UTC)}` : MISSING;
  }
}

/** @param {boolean} value */
function yes(value) {
  return value ? "yes" : "no";
}
