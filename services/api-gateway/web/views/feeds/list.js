// The table of all feeds: one row a feed, which leads to its details.

import { FeedList, products } from "../../app/feedlist.js";
import { MISSING, duration } from "../../app/formats.js";
import { History, pointsOf } from "./history.js";
import { stateOf } from "./state.js";

/** @typedef {import("../../app/formats.js").Formats} Formats */

/** @type {import("../../app/types.d.ts").FeedColumn[]} */
export const COLUMNS = [
  { id: "mode", label: "Mode", meaning: "Who decides the number of enrichers", text: ({ mode }) => mode ?? MISSING },
  { id: "source", label: "Source", meaning: "Where the messages come from", text: ({ source }) => source ?? MISSING },
  { id: "products", label: "Products", meaning: "Underlyings", text: (feed) => products(feed, 3) },
  { id: "generator", label: "Generators", meaning: "Generators that serve, of those that the operator asked for", text: ({ generator }, formats) => replicas(generator, formats) },
  { id: "enricher", label: "Enrichers", meaning: "Enrichers that serve, of those that the operator asked for", text: ({ enricher }, formats) => replicas(enricher, formats) },
  { id: "lag", label: "Lag", meaning: "Entries that no enricher has read", text: ({ lag }, formats) => (lag === null ? MISSING : formats.count(lag)) },
  { id: "oldest", label: "Oldest", meaning: "Age of the oldest entry that is not done", text: ({ oldest_seconds: oldest }) => (oldest === null ? MISSING : duration(oldest * 1000)) },
  { id: "arrivals", label: "Arrivals/s", meaning: "Entries that arrive per second, over the last 10 s", text: ({ arrivals_per_second: rate }, formats) => (rate === null ? MISSING : formats.number(rate, 1)) },
  { id: "service", label: "Service time", meaning: "Worker time of an entry in a full batch", text: ({ service_seconds: time }, formats) => (time === null ? MISSING : micro(time, formats)) },
];

/** @param {import("../../app/types.d.ts").Replicas} replicas @param {Formats} formats @returns {string} such as `2 of 3` */
export function replicas({ desired, ready }, formats) {
  return `${formats.count(ready)} of ${desired === null ? MISSING : formats.count(desired)}`;
}

/** @param {number} seconds @param {Formats} formats */
function micro(seconds, formats) {
  return seconds < 0.01 ? `${formats.number(seconds * 1e6, 0)} µs` : `${formats.number(seconds * 1e3, 1)} ms`;
}

/** @param {Formats} formats @param {(feed: string) => string} href the link that chooses a feed */
export function feedsList(formats, href) {
  const drawn = { id: "history", label: "Last 10 min", meaning: "Lag (area) against enrichers (steps)", make: drawing };
  return new FeedList(formats, href, { caption: "Feeds", label: "All feeds", element: "list", state: "State", stateOf: ({ conditions }) => stateOf(conditions), columns: COLUMNS, drawn });
}

function drawing() {
  const history = new History();
  return {
    element: history.element,
    draw: (/** @type {Feed} */ feed, /** @type {number} */ now) => history.draw(pointsOf(feed, now), `Lag and enrichers of ${feed.name} over the last minutes`),
  };
}
