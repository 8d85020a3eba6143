// Says in words how current the shown chain is. The state is never colour alone.

import { duration } from "./formats.js";

/** Without a new chain for so long, the numbers count as stale. */
export const STALE_MS = 10_000;

/** @typedef {"connecting" | "waiting" | "live" | "recording" | "stale" | "disconnected" | "refused"} StateName */

/**
 * @param {object} facts
 * @param {import("./types.d.ts").Connection} facts.connection
 * @param {Chain | undefined} facts.chain
 * @param {number | null} facts.ageMs of the chain; null while the server's time is unknown
 * @param {string} facts.day of the chain's event time
 * @param {number} facts.now monotonic ms
 * @returns {{name: StateName, text: string, detail: string}} `detail`: what is the matter and what happens next
 */
export function dataState({ connection, chain, ageMs, day, now }) {
  const age = ageMs === null ? "" : duration(ageMs);
  const recorded = chain && chain.replay > 0 ? `recording of ${day}` : ""; // in every state: these are not today's prices
  if (connection.state === "refused") {
    return { name: "refused", text: "login needed", detail: connection.reason };
  }
  if (connection.state === "waiting") {
    const next = `next try in ${Math.ceil(Math.max(0, connection.retryAt - now) / 1000)} s`;
    const old = chain && age ? `, ${recorded ? `${recorded}, ` : "data "}${age} old` : "";
    return { name: "disconnected", text: `disconnected${old}, ${next}`, detail: connection.reason };
  }
  if (chain && ageMs !== null && ageMs > STALE_MS) {
    const ended = recorded ? " The replay pauses, has ended, or plays slowly: the view Sources says which." : "";
    return { name: "stale", text: `${recorded ? `${recorded}, ` : ""}stale for ${age}`, detail: `No new chain has arrived since then.${ended}` };
  }
  if (connection.state === "connecting") return { name: "connecting", text: "connecting", detail: "" };
  if (chain && ageMs === null) {
    return { name: "connecting", text: "age not known yet", detail: "This computer slept or its clock was set: the page asks for the time." };
  }
  if (!chain) return { name: "waiting", text: "waiting for the first chain", detail: "" };
  if (recorded) {
    return { name: "recording", text: `${recorded}, ${age}`, detail: "These are not today's prices." };
  }
  return { name: "live", text: `live, ${age}`, detail: "" };
}
