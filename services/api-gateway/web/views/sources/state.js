// Whether a feed's source is connected, in a word, and why: from the operator's conditions.

/** @typedef {"good" | "warn" | "bad" | "quiet"} Level */
/** @typedef {{level: Level, word: string, why: string}} State */

/** What a feed without a connection of its own does. */
const UNCONNECTED = {
  synthetic: { word: "simulated", why: "A generator simulates the market: there is no connection." },
  replay: { word: "recording", why: "A generator replays a recording: there is no connection." },
  external: { word: "pushed", why: "Another program sends the messages: there is no connection of ours." },
};

/** @param {Feed} feed @returns {State} */
export function connectionOf({ source, conditions }) {
  const authorized = conditions.find(({ type }) => type === "SourceAuthorized");
  if (authorized?.status === "False") return { level: "bad", word: "refused", why: authorized.message };
  const connected = conditions.find(({ type }) => type === "SourceConnected");
  if (connected?.status === "True") return { level: "good", word: "connected", why: connected.message };
  if (connected?.status === "False") return { level: "bad", word: "not connected", why: connected.message };
  const own = source === "synthetic" || source === "replay" || source === "external" ? UNCONNECTED[source] : null;
  if (own) return { level: "quiet", ...own };
  return { level: "quiet", word: "unknown", why: connected?.message ?? "The generator has not reported so far." };
}

const ORIGINS = {
  synthetic: "A simulated market",
  replay: "A recording",
  deribit: "The exchange Deribit",
  kite: "NSE and BSE through Kite",
  external: "Another program, which pushes its messages",
};

/** Where a feed's market comes from, and which. @param {Feed} feed */
export function originOf({ source, origin, products, product_count: count }) {
  if (source === null) return "The source is not known: the operator cannot read the feed's spec.";
  const some = count > products.length ? `the first ${products.length} of ${count} products: ` : "";
  return `${ORIGINS[source]}${origin ? ` (${origin})` : ""}: ${some}${products.join(", ")}.`;
}

/** Whether an exchange sends it. @param {Feed} feed */
export function isLive({ source }) {
  return source === "deribit" || source === "kite";
}
