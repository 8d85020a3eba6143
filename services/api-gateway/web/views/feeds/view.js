// The feeds: load, replicas and state of each, and for one of them the operator's decisions and how to change it.

import { h, write } from "../../app/dom.js";
import { FEEDS_PATH, chosen, feedsTable, noFeeds, tableState } from "../../app/feeds.js";
import { show } from "../../app/notice.js";
import { format } from "../../app/router.js";
import { viewOf } from "../../app/view.js";
import { Controls } from "./controls.js";
import { Detail } from "./detail.js";
import { feedsList } from "./list.js";

const KEYS = ["feeds", FEEDS_PATH, "route", "clock", "account"];

class FeedsView {
  #context;
  #state = h("p", { class: "feeds-state", role: "note" });
  #notice = h("div", { class: "feeds-notice", hidden: true });
  #list;
  #controls;
  #detail;
  #body;

  /** @param {HTMLElement} element @param {Context} context */
  constructor(element, context) {
    this.#context = context;
    const { formats, route } = context;
    this.#list = feedsList(formats, (feed) => format({ ...route(), options: { feed } }));
    this.#controls = new Controls(context);
    this.#detail = new Detail(formats, this.#controls.element);
    this.#body = h("div", { class: "feed-page feeds", hidden: true }, this.#list.element, this.#detail.element);
    element.append(this.#state, this.#notice, this.#body);
  }

  /** @param {Change} change */
  update(change) {
    if (!KEYS.some((key) => change.has(key))) return;
    const known = feedsTable(this.#context);
    const { table } = known;
    show(this.#notice, noFeeds("feeds", known, this.#context.clock.monotonic()));
    this.#body.hidden = !table?.feeds.length;
    this.#body.classList.toggle("stale", known.stale);
    if (!table?.feeds.length) return write(this.#state, tableState(known));
    const now = Math.floor(Date.parse(table.updated_at) / 1000);
    const { feed, other } = chosen(table.feeds, this.#context.route().options.feed);
    write(this.#state, other + tableState(known));
    this.#list.draw(table.feeds, feed.name, now);
    this.#detail.draw(feed, now);
    this.#controls.draw(feed, table.authority);
  }

  unmount() {}
}

export default {
  ...viewOf(FeedsView),
  rooms: () => ["feeds"],
};
