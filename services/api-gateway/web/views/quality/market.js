// The quality of the shown chain: volatilities that are missing, no-arbitrage counts, and errors against the truth.

import { MISSING } from "../../app/formats.js";
import { FORWARD_REASONS, IV_REASONS, why } from "../../app/words.js";
import { errorsAgainstTruth, withoutVolatility } from "./measures.js";
import { Panel } from "./panel.js";

/** @type {[string, string, string | null, string | null][]} name, what it counts, field at mid, field at tradable prices */
const COUNTS = [
  ["Crossed", "the bid is above the ask", "crossed", null],
  ["Bounds", "a price is outside its bounds", "bounds_mid", "bounds_executable"],
  ["Vertical", "a spread of neighbours has a wrong price", "vertical_mid", "vertical_executable"],
  ["Butterfly", "three neighbours are not convex", "butterfly_mid", "butterfly_executable"],
  ["Parity", "call and put contradict the forward", null, "parity_executable"],
];
const ERRORS = [
  { id: "forward", label: "Forward", meaning: "Forward from put-call parity less the true one, per share" },
  { id: "discount", label: "Discount", meaning: "Discount factor less the true one, in basis points" },
  { id: "typical", label: "IV, median", meaning: "Median of the absolute differences, in volatility points" },
  { id: "largest", label: "IV, largest", meaning: "Largest absolute difference, in volatility points" },
  { id: "bias", label: "IV, mean", meaning: "Mean of the differences with their signs, in volatility points" },
  { id: "within", label: "In the range", meaning: "True volatilities that are within the quoted range" },
];

export class Market {
  element;
  #context;
  #missing = new Panel("Contracts without a volatility", [], { caption: "Contracts without a volatility, by reason", headings: ["Reason", "This expiry", "All expiries"] });
  #arbitrage = new Panel("No-arbitrage counts", [], { caption: "No-arbitrage counts", headings: ["Violation", "At mid", "Tradable", "What it counts"] });
  #truth = new Panel("Error against the generator's truth", ERRORS, null);

  /** @param {Context} context */
  constructor(context) {
    this.#context = context;
    this.element = [this.#missing.element, this.#arbitrage.element, this.#truth.element];
  }

  /** @param {Chain | undefined} chain the shown one @param {Chain[]} all the chains of its product that have arrived */
  draw(chain, all) {
    if (!chain) {
      for (const panel of [this.#missing, this.#arbitrage]) {
        panel.say("No chain has arrived so far.");
        panel.rows([]);
      }
      this.#noTruth("No chain has arrived so far.");
      return;
    }
    this.#drawMissing(chain, all);
    this.#drawArbitrage(chain);
    this.#drawTruth(chain);
  }

  /** @param {Chain} chain @param {Chain[]} all */
  #drawMissing(chain, all) {
    const { formats } = this.#context;
    const [one, whole] = [withoutVolatility([chain]), withoutVolatility(all)];
    /** @param {number} count @param {number} contracts */
    const share = (count, contracts) => `${formats.count(count)} (${formats.percent(count / Math.max(1, contracts))} %)`;
    this.#missing.say(`${chain.product} ${formats.date(chain.expiry)}: ${share(one.missing, one.contracts)} of ${formats.count(one.contracts)} contracts. ${counted(all.length, "expiry", "expiries")}: ${share(whole.missing, whole.contracts)} of ${formats.count(whole.contracts)}.`);
    const reasons = [...whole.reasons].sort(([, a], [, b]) => b - a);
    this.#missing.rows(reasons.map(([reason, count]) => ({ key: reason, cells: [why(IV_REASONS, reason), share(one.reasons.get(reason) ?? 0, one.contracts), share(count, whole.contracts)] })));
  }

  /** @param {Chain} chain */
  #drawArbitrage({ arbitrage, arbitrage_reason: reason, product, expiry, strikes }) {
    const { formats } = this.#context;
    /** @param {string | null} field */
    const count = (field) => {
      const value = field === null ? null : arbitrage[field];
      return value === null || value === undefined ? MISSING : formats.count(value);
    };
    const words = { ...FORWARD_REASONS, american_exercise: "the contracts can be exercised early" };
    const unknown = reason === null ? "" : ` Bounds and parity are not counted: ${why(words, reason)}.`;
    this.#arbitrage.say(`${product} ${formats.date(expiry)}, ${formats.count(strikes.length)} strikes. Tradable: also at bid and ask.${unknown}`);
    this.#arbitrage.rows(COUNTS.map(([name, meaning, mid, tradable]) => ({ key: name, cells: [name, count(mid), count(tradable), meaning] })));
  }

  /** @param {Chain} chain */
  #drawTruth(chain) {
    const { formats } = this.#context;
    const errors = errorsAgainstTruth(chain);
    if (!errors) return this.#noTruth(`The market of the feed ${chain.feed} is not simulated here, so the true values are not known.`);
    /** @param {string} id @param {number | null} value @param {number} decimals @param {string} unit */
    const figure = (id, value, decimals, unit) => this.#truth.figure(id, value === null ? MISSING : `${formats.signed(value, decimals)}${unit}`);
    figure("forward", errors.forward, 4, "");
    figure("discount", errors.discount && errors.discount * 1e4, 2, " bp");
    figure("bias", errors.bias && errors.bias * 100, 3, "");
    for (const id of /** @type {const} */ (["typical", "largest"])) {
      const value = errors[id];
      this.#truth.figure(id, value === null ? MISSING : formats.number(value * 100, 3));
    }
    this.#truth.figure("within", errors.ranged ? `${formats.percent(errors.within / errors.ranged)} %` : MISSING);
    this.#truth.say(`${chain.product} ${formats.date(chain.expiry)}: what the worker computed from quotes, less what the generator used. ${formats.count(errors.contracts)} contracts have a volatility, ${formats.count(errors.ranged)} a quoted range.`);
  }

  /** @param {string} text */
  #noTruth(text) {
    this.#truth.say(text);
    for (const { id } of ERRORS) this.#truth.figure(id, MISSING);
  }
}

/** @param {number} count @param {string} one @param {string} many */
function counted(count, one, many) {
  return count === 1 ? `1 ${one}` : `${count} ${many}`;
}
