// The sources: where each feed's market comes from, whether it is connected, and what it has received.

import { h, write } from "../../app/dom.js";
import { chosen, feedsTable, noFeeds, tableState } from "../../app/feeds.js";
import { show } from "../../app/notice.js";
import { format } from "../../app/router.js";
import { viewOf } from "../../app/view.js";
import { Detail } from "./detail.js";
import { Import } from "./import.js";
import { sourcesList } from "./list.js";

const KEYS = new Set(["feeds", "route", "clock", "account"]);

class SourcesView {
  #context;
  #state = h("p", { class: "feeds-state", role: "note" });
  #notice = h("div", { class: "feeds-notice", hidden: true });
  #list;
  #detail;
  #import;
  #body;

  /** @param {HTMLElement} element @param {Context} context */
  constructor(element, context) {
    this.#context = context;
    const { route } = context;
    this.#list = sourcesList(context.formats, (feed) => format({ ...route(), options: { feed } }));
    this.#detail = new Detail(context);
    this.#body = h("div", { class: "feed-page sources", hidden: true }, this.#list.element, this.#detail.element);
    this.#import = new Import(context, element);
    element.append(this.#state, this.#notice, this.#import.element, this.#body);
  }

  /** @param {Change} change */
  update(change) {
    if (![...change].some((key) => KEYS.has(key) || key.startsWith("/api/"))) return;
    this.#import.draw();
    const known = feedsTable(this.#context);
    const { table } = known;
    show(this.#notice, noFeeds("sources", known, this.#context.clock.monotonic()));
    this.#body.hidden = !table?.feeds.length;
    this.#body.classList.toggle("stale", known.stale);
    if (!table?.feeds.length) return write(this.#state, tableState(known));
    const { feed, other } = chosen(table.feeds, this.#context.route().options.feed);
    write(this.#state, other + tableState(known));
    this.#list.draw(table.feeds, feed.name);
    this.#detail.draw(feed, table.authority);
  }

  unmount() {
    this.#import.unmount();
    this.#detail.unmount();
  }
}

export default {
  ...viewOf(SourcesView),
  rooms: () => ["feeds"],
};
