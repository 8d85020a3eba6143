// The operator's table of feeds: the newest of the live connection and the REST gateway, how old it is, and the chosen feed.

import { duration } from "./formats.js";
import { failed } from "./notice.js";

/** @typedef {import("./types.d.ts").FeedsTable} FeedsTable */

export const FEEDS_PATH = "/api/feeds";
/** The operator writes a table every 2 s, and Redis drops it after so long. */
export const TABLE_TTL_MS = 30_000;
/** Without live messages the page asks again after so long. */
const ASK_MS = 5_000;

/** @typedef {import("./types.d.ts").KnownFeeds} Known */

/** The table of the room `feeds`, or while that is silent that of REST. @param {Context} context @returns {Known} */
export function feedsTable({ store, clock, load }) {
  /** @type {FeedsTable | undefined} */
  const live = store.get("feeds");
  const liveAge = live ? clock.ageMs(live.updated_at) : null;
  if (live && liveAge !== null && liveAge < ASK_MS) return known(live, liveAge, null);
  const { data, error } = load(FEEDS_PATH, ASK_MS);
  const newest = newer(live ?? null, data);
  return known(newest, newest && clock.ageMs(newest.updated_at), error);
}

/**
 * What to say in place of the feeds, or null.
 * @param {string} what such as `feeds`
 * @param {Known} known
 * @param {number} now monotonic ms
 * @returns {import("./notice.js").Notice | null}
 */
export function noFeeds(what, { table, error }, now) {
  if (table?.feeds.length) return null;
  if (table) return { id: "empty", title: "There are no feeds", text: "The operator knows none. A DeltaStreamFeed, or a feed's file in a local run, makes one." };
  return error ? failed(`the ${what}`, error, now) : { id: "loading", title: `Loading the ${what}`, text: "The operator writes its table every 2 s." };
}

/** How current the table is and who decides, in words. @param {Known} known @returns {string} empty without a table */
export function tableState({ table, ageMs, stale, error }) {
  if (!table) return "";
  const { feeds, omitted, authority, namespace } = table;
  const count = feeds.length + omitted;
  const who = authority === "local" ? "of this local run" : `of the namespace ${namespace}`;
  const some = omitted ? `, of which the first ${feeds.length} are shown` : "";
  const age = ageMs === null ? "" : stale ? ` Stale: the operator's table is ${duration(ageMs)} old.` : ` Table written ${duration(ageMs)} ago.`;
  return `${count} ${count === 1 ? "feed" : "feeds"} ${who}${some}.${age}${error ? ` ${error.detail}.` : ""}`;
}

/** The feed that the URL names, else the first. @param {Feed[]} feeds at least one @param {string | undefined} wanted */
export function chosen(feeds, wanted) {
  const feed = feeds.find(({ name }) => name === wanted) ?? feeds[0];
  return { feed, other: wanted && wanted !== feed.name ? `There is no feed ${wanted} here: ${feed.name} is shown. ` : "" };
}

/** @param {FeedsTable | null} table @param {number | null} ageMs @param {Failure | null} error @returns {Known} */
function known(table, ageMs, error) {
  return { table, ageMs, stale: ageMs !== null && ageMs > TABLE_TTL_MS, error };
}

/** @param {FeedsTable | null} one @param {FeedsTable | null} other */
function newer(one, other) {
  if (!one || !other) return one ?? other;
  return Date.parse(one.updated_at) >= Date.parse(other.updated_at) ? one : other;
}
