// What a feed's conditions mean in a word, and how urgent that is.

/** @typedef {import("../../app/types.d.ts").Condition} Condition */
/** @typedef {"good" | "warn" | "bad" | "quiet"} Level */

/** Types whose status True is good; of all others False is. */
const WANTED = new Set(["Ready", "SpecValid", "MetricsAvailable", "SourceConnected", "SourceAuthorized"]);

/** The first that applies is what the list shows. @type {[string, Condition["status"], Level, string][]} */
const STATES = [
  ["SpecValid", "False", "bad", "spec refused"],
  ["Stalled", "True", "bad", "stalled"],
  ["Paused", "True", "warn", "paused"],
  ["Ready", "False", "bad", "not ready"],
  ["ReplicasContested", "True", "warn", "contested"],
  ["SourceAuthorized", "False", "bad", "source refused"],
  ["SourceConnected", "False", "bad", "not connected"],
  ["MetricsAvailable", "False", "warn", "load unknown"],
  ["Reconciling", "True", "warn", "changing"],
  ["ScalingLimited", "True", "warn", "at its limit"],
  ["Ready", "True", "good", "ready"],
];

/** @param {Condition[]} conditions @returns {{level: Level, word: string, why: string}} `why`: the operator's message */
export function stateOf(conditions) {
  for (const [type, status, level, word] of STATES) {
    const found = conditions.find((condition) => condition.type === type && condition.status === status);
    if (found) return { level, word, why: found.message };
  }
  return { level: "quiet", word: "not decided yet", why: "The operator has not decided about this feed so far." };
}

/** @param {Condition} condition @returns {Level} */
export function levelOf({ type, status }) {
  if (status === "Unknown") return "quiet";
  if ((status === "True") === WANTED.has(type)) return "good";
  return type === "Ready" || type === "SpecValid" || type === "Stalled" || type.startsWith("Source") ? "bad" : "warn";
}
