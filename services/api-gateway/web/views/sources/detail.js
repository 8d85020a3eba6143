// One source: its connection, what it has received, and its numbers against ours.

import { h, write } from "../../app/dom.js";
import { Connection } from "./connection.js";
import { Received } from "./received.js";
import { Replay } from "./replay.js";
import { isLive, originOf } from "./state.js";
import { Vendor } from "./vendor.js";

const ASK_MS = 2_000;

export class Detail {
  element;
  #context;
  #title = h("h2");
  #origin = h("p", { class: "source-origin" });
  #failure = h("p", { class: "source-warning", hidden: true });
  #connection;
  #received;
  #replay;
  #vendor;

  /** @param {Context} context */
  constructor(context) {
    this.#context = context;
    this.#connection = new Connection(context.formats);
    this.#received = new Received(context);
    this.#replay = new Replay(context);
    this.#vendor = new Vendor(context);
    const label = { class: "feed-detail source-detail", tabindex: "0", role: "region", "aria-label": "The chosen source" };
    this.element = h("div", label, h("div", {}, this.#title, this.#origin, this.#failure, this.#connection.element, this.#replay.element, this.#received.element), this.#vendor.element);
  }

  /** @param {Feed} feed @param {"local" | "cluster"} authority */
  draw(feed, authority) {
    const { data, error } = this.#context.load(`/api/feeds/${encodeURIComponent(feed.name)}/source`, ASK_MS);
    write(this.#title, feed.name);
    write(this.#origin, originOf(feed));
    this.#failure.hidden = !error;
    write(this.#failure, error ? `What the feed receives is not known: ${error.detail}.` : "");
    this.#connection.draw(feed, data);
    this.#received.draw(feed.name, data, isLive(feed));
    this.#replay.draw(feed, authority);
    this.#vendor.draw(feed);
  }

  unmount() {
    this.#replay.unmount();
  }
}
