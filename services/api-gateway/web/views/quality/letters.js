// The refused messages of a feed: how many, by reason, and the newest ones.

import { attribute, h } from "../../app/dom.js";
import { MISSING } from "../../app/formats.js";
import { failed } from "../../app/notice.js";
import { DEAD_LETTER_REASONS, why } from "../../app/words.js";
import { Panel } from "./panel.js";

/** @typedef {import("../../app/types.d.ts").DeadLetter} DeadLetter */

const ASK_MS = 5_000;
const SHOWN = 20;
const UTC = { zone: "UTC", label: "UTC" };

export class Letters {
  element;
  #context;
  #choice = /** @type {HTMLSelectElement} */ (h("select", { name: "feed", onchange: () => this.#choose() }));
  #reasons;
  #newest;
  #names = "";

  /** @param {Context} context */
  constructor(context) {
    this.#context = context;
    const choice = h("label", { class: "choice" }, "Feed ", this.#choice);
    this.#reasons = new Panel("Dead letters", [], { caption: "Dead letters by reason", headings: ["Reason", "Messages", "Share"] }, [choice]);
    this.#newest = new Panel("Newest dead letters", [], { caption: "Newest dead letters", headings: ["Refused at", "Reason", "Field and rule", "Message", "Size", "Letter"] });
    attribute(this.#newest.element, "class", "panel wide");
    this.element = [this.#reasons.element, this.#newest.element];
  }

  /** @param {string[]} feeds the known ones @param {string} usual the one to show if none is chosen */
  draw(feeds, usual) {
    const { load, route, clock, formats } = this.#context;
    const wanted = route().options.feed ?? usual;
    const feed = wanted || feeds[0] || "";
    this.#list(feed && !feeds.includes(feed) ? [feed, ...feeds] : feeds, feed);
    this.#newest.element.hidden = true;
    if (!feed) {
      this.#reasons.say("No feed is known so far.");
      this.#reasons.rows([]);
      return;
    }
    const { data, error } = load(lettersPath(feed), ASK_MS);
    if (!data) {
      this.#reasons.say(error ? failed("the dead letters", error, clock.monotonic()).text : "Loading.");
      this.#reasons.rows([]);
      return;
    }
    const { kept, counted, reasons, letters } = data;
    const old = error ? ` This is an earlier answer: ${failed("the dead letters", error, clock.monotonic()).text}` : "";
    const part = kept > counted ? ` The counts are of the newest ${formats.count(counted)}.` : "";
    const some = `${formats.count(kept)} ${kept === 1 ? "message was" : "messages were"} refused and kept.${part}`;
    this.#reasons.say(`${kept ? some : `The enricher of ${feed} refused no message, or the kept ones were sent again.`}${old}`);
    this.#reasons.rows(reasons.map((/** @type {{reason: string, count: number}} */ { reason, count }) => ({ key: reason, cells: [why(DEAD_LETTER_REASONS, reason), formats.count(count), `${formats.percent(count / counted)} %`] })));
    this.#newest.element.hidden = !letters.length;
    this.#newest.say(`To read one with its body, or to send it again: the command dlq of worker-enricher, with the letter's id.`);
    this.#newest.rows(letters.map((/** @type {DeadLetter} */ letter) => ({ key: letter.id, cells: this.#cells(letter) })));
  }

  /** @param {DeadLetter} letter */
  #cells({ id, mid, reason, detail, deliveries, size_bytes: size, truncated, refused_ts: at }) {
    const { formats } = this.#context;
    const ms = at / 1e6;
    const times = deliveries > 1 ? `${mid ?? MISSING}, delivered ${deliveries} times` : (mid ?? MISSING);
    const bytes = `${formats.count(size)} B${truncated ? ", cut off" : ""}`;
    return [`${formats.day(ms, UTC)}, ${formats.clock(ms, UTC)}`, why(DEAD_LETTER_REASONS, reason), detail, times, bytes, id];
  }

  /** @param {string[]} feeds @param {string} chosen */
  #list(feeds, chosen) {
    const names = feeds.join();
    if (names !== this.#names) this.#choice.replaceChildren(...feeds.map((feed) => h("option", {}, feed)));
    this.#names = names;
    if (this.#choice.value !== chosen) this.#choice.value = chosen;
  }

  #choose() {
    this.#context.go({ options: { feed: this.#choice.value } });
  }
}

/** @param {string} feed */
export function lettersPath(feed) {
  return `/api/feeds/${encodeURIComponent(feed)}/dead-letters?limit=${SHOWN}`;
}
