// The operator's table of feeds: the newest of the live connection and the REST gateway, and how old it is.

/** @typedef {import("./types.d.ts").FeedsTable} FeedsTable */

export const FEEDS_PATH = "/api/feeds";
/** The operator writes a table every 2 s, and Redis drops it after so long. */
export const TABLE_TTL_MS = 30_000;
/** Without live messages the page asks again after so long. */
const ASK_MS = 5_000;

/**
 * @typedef {object} Known
 * @property {FeedsTable | null} table
 * @property {number | null} ageMs null while the table or the server's time is unknown
 * @property {boolean} stale whether the operator has stopped to write, or the page to hear of it
 * @property {import("./types.d.ts").Failure | null} error why the REST gateway gave no table, if the page asked
 */

/** The table of the room `feeds`, or while that is silent that of REST. @param {import("./types.d.ts").Context} context @returns {Known} */
export function feedsTable({ store, clock, load }) {
  /** @type {FeedsTable | undefined} */
  const live = store.get("feeds");
  const liveAge = live ? clock.ageMs(live.updated_at) : null;
  if (live && liveAge !== null && liveAge < ASK_MS) return known(live, liveAge, null);
  const { data, error } = load(FEEDS_PATH, ASK_MS);
  const newest = newer(live ?? null, data);
  return known(newest, newest && clock.ageMs(newest.updated_at), error);
}

/** @param {FeedsTable | null} table @param {number | null} ageMs @param {import("./types.d.ts").Failure | null} error @returns {Known} */
function known(table, ageMs, error) {
  return { table, ageMs, stale: ageMs !== null && ageMs > TABLE_TTL_MS, error };
}

/** @param {FeedsTable | null} one @param {FeedsTable | null} other */
function newer(one, other) {
  if (!one || !other) return one ?? other;
  return Date.parse(one.updated_at) >= Date.parse(other.updated_at) ? one : other;
}
