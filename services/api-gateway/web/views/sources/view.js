// The sources: where each feed's market comes from, whether it is connected, and what it has received.

import { h, write } from "../../app/dom.js";
import { feedsTable } from "../../app/feeds.js";
import { duration } from "../../app/formats.js";
import { failed, show } from "../../app/notice.js";
import { format } from "../../app/router.js";
import { viewOf } from "../../app/view.js";
import { Detail } from "./detail.js";
import { Import } from "./import.js";
import { sourcesList } from "./list.js";

const KEYS = new Set(["feeds", "route", "clock", "account"]);

class SourcesView {
  #context;
  #state = h("p", { class: "sources-state", role: "note" });
  #notice = h("div", { class: "sources-notice", hidden: true });
  #list;
  #detail;
  #import;
  #body;

  /** @param {HTMLElement} element @param {import("../../app/types.d.ts").Context} context */
  constructor(element, context) {
    this.#context = context;
    const { route } = context;
    this.#list = sourcesList(context.formats, (feed) => format({ ...route(), options: { feed } }));
    this.#detail = new Detail(context);
    this.#body = h("div", { class: "sources", hidden: true }, this.#list.element, this.#detail.element);
    this.#import = new Import(context, element);
    element.append(this.#state, this.#notice, this.#import.element, this.#body);
  }

  /** @param {import("../../app/types.d.ts").Change} change */
  update(change) {
    if (![...change].some((key) => KEYS.has(key) || key.startsWith("/api/"))) return;
    this.#import.draw();
    const { table, ageMs, stale, error } = feedsTable(this.#context);
    const nothing = error ? failed("the sources", error, this.#context.clock.monotonic()) : { id: "loading", title: "Loading the sources", text: "The operator writes its table every 2 s." };
    const empty = { id: "empty", title: "There are no feeds", text: "The operator knows none. A DeltaStreamFeed, or a feed's file in a local run, makes one." };
    show(this.#notice, !table ? nothing : table.feeds.length ? null : empty);
    this.#body.hidden = !table?.feeds.length;
    this.#body.classList.toggle("stale", stale);
    if (!table?.feeds.length) return write(this.#state, "");
    const wanted = this.#context.route().options.feed;
    const feed = table.feeds.find(({ name }) => name === wanted) ?? table.feeds[0];
    const other = wanted && wanted !== feed.name ? `There is no feed ${wanted} here: ${feed.name} is shown. ` : "";
    const age = stale && ageMs !== null ? `Stale: the operator's table is ${duration(ageMs)} old.` : "";
    write(this.#state, `${other}${age}`.trim());
    this.#list.draw(table.feeds, feed.name);
    this.#detail.draw(feed, table.authority);
  }

  unmount() {}
}

export default {
  ...viewOf(SourcesView),
  rooms: () => ["feeds"],
};
