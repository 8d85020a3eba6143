// The table of all sources: one row a feed, which leads to its details.

import { FeedList, products } from "../../app/feedlist.js";
import { MISSING } from "../../app/formats.js";
import { connectionOf } from "./state.js";

/** @typedef {import("../../app/formats.js").Formats} Formats */

/** @type {import("../../app/types.d.ts").FeedColumn[]} */
const COLUMNS = [
  { id: "source", label: "Source", meaning: "Kind of the source", text: ({ source }) => source ?? MISSING },
  { id: "products", label: "Products", meaning: "Underlyings", text: (feed) => products(feed, 3) },
  { id: "arrivals", label: "Messages/s", meaning: "Messages that arrive in the feed's stream per second, over the last 10 s", text: ({ arrivals_per_second: rate }, formats) => (rate === null ? MISSING : formats.number(rate, 1)) },
];

/** @param {Formats} formats @param {(feed: string) => string} href the link that chooses a feed */
export function sourcesList(formats, href) {
  return new FeedList(formats, href, { caption: "Sources", label: "All sources", element: "source-list", state: "Connection", stateOf: connectionOf, columns: COLUMNS });
}
