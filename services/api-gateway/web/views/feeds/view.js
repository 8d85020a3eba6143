// The feeds: load, replicas and state of each, and for one of them the operator's decisions and how to change it.

import { h, write } from "../../app/dom.js";
import { FEEDS_PATH, feedsTable } from "../../app/feeds.js";
import { duration } from "../../app/formats.js";
import { failed, show } from "../../app/notice.js";
import { format } from "../../app/router.js";
import { viewOf } from "../../app/view.js";
import { Controls } from "./controls.js";
import { Detail } from "./detail.js";
import { feedsList } from "./list.js";

const KEYS = ["feeds", FEEDS_PATH, "route", "clock", "account"];

class FeedsView {
  #context;
  #state = h("p", { class: "table-state", role: "note" });
  #notice = h("div", { class: "feeds-notice", hidden: true });
  #list;
  #controls;
  #detail;
  #body;

  /** @param {HTMLElement} element @param {import("../../app/types.d.ts").Context} context */
  constructor(element, context) {
    this.#context = context;
    const { formats, route } = context;
    this.#list = feedsList(formats, (feed) => format({ ...route(), options: { feed } }));
    this.#controls = new Controls(context);
    this.#detail = new Detail(formats, this.#controls.element);
    this.#body = h("div", { class: "feeds", hidden: true }, this.#list.element, this.#detail.element);
    element.append(this.#state, this.#notice, this.#body);
  }

  /** @param {import("../../app/types.d.ts").Change} change */
  update(change) {
    if (!KEYS.some((key) => change.has(key))) return;
    const { table, ageMs, stale, error } = feedsTable(this.#context);
    const nothing = error ? failed("the feeds", error, this.#context.clock.monotonic()) : { id: "loading", title: "Loading the feeds", text: "The operator writes its table every 2 s." };
    const empty = { id: "empty", title: "There are no feeds", text: "The operator knows none. A DeltaStreamFeed, or a feed's file in a local run, makes one." };
    show(this.#notice, !table ? nothing : table.feeds.length ? null : empty);
    this.#body.hidden = !table?.feeds.length;
    this.#body.classList.toggle("stale", stale);
    const age = table ? said(table, ageMs, stale, error) : "";
    if (!table?.feeds.length) return write(this.#state, age);
    const now = Math.floor(Date.parse(table.updated_at) / 1000);
    const wanted = this.#context.route().options.feed;
    const feed = table.feeds.find(({ name }) => name === wanted) ?? table.feeds[0];
    write(this.#state, wanted && wanted !== feed.name ? `There is no feed ${wanted} here: ${feed.name} is shown. ${age}` : age);
    this.#list.draw(table.feeds, feed.name, now);
    this.#detail.draw(feed, now);
    this.#controls.draw(feed, table.authority);
  }

  unmount() {}
}

/**
 * How current the table is and who decides, in words.
 * @param {import("../../app/types.d.ts").FeedsTable} table
 * @param {number | null} ageMs
 * @param {boolean} stale
 * @param {import("../../app/types.d.ts").Failure | null} error
 */
function said({ feeds, omitted, authority, namespace }, ageMs, stale, error) {
  const count = feeds.length + omitted;
  const who = authority === "local" ? "of this local run" : `of the namespace ${namespace}`;
  const some = omitted ? `, of which the first ${feeds.length} are shown` : "";
  const age = ageMs === null ? "" : stale ? ` Stale: the operator's table is ${duration(ageMs)} old.` : ` Table written ${duration(ageMs)} ago.`;
  return `${count} ${count === 1 ? "feed" : "feeds"} ${who}${some}.${age}${error ? ` ${error.detail}.` : ""}`;
}

export default {
  ...viewOf(FeedsView),
  rooms: () => ["feeds"],
};
