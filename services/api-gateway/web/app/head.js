// The line above every view: product, expiry, spot, the chain's figures and the state of the data in words.

import { spotDecimals } from "./chains.js";
import { dataState } from "./datastate.js";
import { attribute, h, write } from "./dom.js";
import { MISSING, duration } from "./formats.js";
import { CHAIN_REASONS, FORWARD_REASONS, terms, why } from "./words.js";

/** @typedef {{text: string, tip?: string}} Shown a figure's text, and what it says on hover and focus */

const YEAR_MS = 365 * 86_400_000;
const FIGURES = /** @type {const} */ ([
  ["forward", "Forward", "Parity forward to the expiry"],
  ["discount", "Discount", "Discount factor to the expiry"],
  ["iv", "ATM IV", "Implied volatility at the forward, in % a year"],
  ["straddle", "Straddle", "Call plus put at the at-the-money strike"],
  ["move", "Exp. move", "One standard deviation to the expiry, per share"],
  ["pcr", "PCR OI", "Open interest of puts divided by that of calls"],
  ["pcrVolume", "PCR vol.", "Volume of puts divided by that of calls"],
  ["pain", "Max pain", "Strike with the lowest total payout"],
  ["left", "To expiry", "From the data's time to the expiry"],
]);

export class Head {
  #context;
  /** @type {Record<string, HTMLElement>} */
  #values = {};
  #lastPrice = NaN;
  #lastProduct = "";
  #stateName = "";

  /** @param {Context} context */
  constructor(context) {
    this.#context = context;
    for (const [name, label, meaning] of FIGURES) {
      const value = h("dd", { "data-figure": name });
      byId("figures").append(h("div", {}, h("dt", { title: meaning }, label), value));
      this.#values[name] = value;
    }
  }

  /** @param {Change} change */
  update(change) {
    const { store, selection } = this.#context;
    const { product, expiry } = selection();
    /** @type {Chain | undefined} */
    const chain = store.get(`chain:${product}:${expiry}`);
    const decimals = chain ? spotDecimals(chain) : 2;
    if (change.has("route") || change.has(`chain:${product}:${expiry}`)) {
      write(byId("product"), product || MISSING);
      write(byId("currency"), chain?.price_unit ?? "");
      write(byId("expiry"), expiry ? this.#context.formats.date(expiry) : MISSING);
      this.#figures(chain, decimals);
    }
    this.#spot(product, chain, decimals);
    this.#state(chain);
  }

  /** @param {Chain | undefined} chain @param {number} decimals */
  #figures(chain, decimals) {
    const shown = chain ? figures(chain, this.#context.formats, decimals) : {};
    for (const [name, element] of Object.entries(this.#values)) {
      const { text, tip } = shown[name] ?? { text: MISSING };
      write(element, text);
      attribute(element, "data-tip", tip ?? null);
      attribute(element, "tabindex", tip ? "0" : null);
    }
  }

  /** @param {string} product @param {Chain | undefined} chain @param {number} decimals */
  #spot(product, chain, decimals) {
    const price = this.#context.store.get(`tick:${product}`)?.price ?? chain?.spot_price;
    if (product !== this.#lastProduct) {
      this.#lastProduct = product;
      this.#lastPrice = NaN;
      write(byId("move"), "");
    }
    if (price === undefined || price === this.#lastPrice) {
      if (price === undefined) write(byId("spot"), MISSING);
      return;
    }
    const { formats } = this.#context;
    const move = price - this.#lastPrice;
    write(byId("spot"), formats.number(price, decimals));
    if (!Number.isNaN(move)) {
      write(byId("move"), `${move > 0 ? "▲" : "▼"} ${formats.number(Math.abs(move), decimals)}`);
      attribute(byId("move"), "data-way", move > 0 ? "up" : "down");
    }
    this.#lastPrice = price;
  }

  /** @param {Chain | undefined} chain */
  #state(chain) {
    const { store, clock, formats } = this.#context;
    const day = chain ? formats.day(chain.timestamp, formats.exchange(chain.expiry_ts)) : "";
    const { name, text, detail } = dataState({
      connection: store.get("connection"),
      chain,
      ageMs: chain ? clock.ageMs(chain.processed_at) : null,
      day,
      now: clock.monotonic(),
    });
    write(byId("state-text"), text);
    if (name === this.#stateName) return;
    this.#stateName = name;
    attribute(byId("state"), "data-state", name);
    attribute(byId("state"), "data-tip", detail || null);
    attribute(byId("state"), "tabindex", detail ? "0" : null);
    attribute(document.body, "data-state", name);
    write(byId("announcer"), `Data: ${text}`); // read aloud once a change of state, not with each new age
  }
}

/**
 * @param {Chain} chain
 * @param {import("./formats.js").Formats} formats
 * @param {number} decimals of the product's prices
 * @returns {Record<string, Shown>}
 */
function figures(chain, formats, decimals) {
  const noForward = `No forward: ${why(FORWARD_REASONS, chain.forward_reason)}.`;
  /** @type {(value: number | null, format: (value: number) => string, missing: string) => Shown} */
  const shown = (value, format, missing) =>
    value === null ? { text: MISSING, tip: missing } : { text: format(value) };
  /** @param {number} value */
  const price = (value) => formats.number(value, decimals);
  /** @param {number} value */
  const ratio = (value) => formats.number(value, 4);
  const assumed = chain.forward_reason === "discount_assumed";
  return {
    forward: shown(chain.forward, price, noForward),
    discount: assumed
      ? { text: `assumed ${formats.count(chain.discount ?? 1)}`, tip: FORWARD_REASONS.discount_assumed }
      : shown(chain.discount, ratio, noForward),
    iv: shown(chain.atm_iv, (value) => `${formats.percent(value, 2)} %`, "No volatility at the strikes next to the forward."),
    straddle: shown(chain.atm_straddle_price, price, "Call or put at the at-the-money strike has no usable mid: a side is missing, they cross, or the quote is older than a minute."),
    move: shown(chain.expected_move, (value) => `± ${price(value)}`, "It needs the forward and the ATM volatility."),
    pcr: shown(chain.pcr_oi, ratio, why(CHAIN_REASONS, chain.pcr_oi_reason ?? "no_call_open_interest")),
    pcrVolume: shown(chain.pcr_volume, ratio, why(CHAIN_REASONS, chain.pcr_volume_reason ?? "no_call_volume")),
    pain: shown(chain.max_pain_strike, (value) => formats.count(value), why(CHAIN_REASONS, chain.max_pain_reason ?? "no_open_interest")),
    left: left(chain, formats),
  };
}

/**
 * The time to the expiry. Contracts that settle at the open expire hours before others of the same date.
 * @param {Chain} chain @param {import("./formats.js").Formats} formats @returns {Shown}
 */
function left(chain, formats) {
  const time = chain.years_to_expiry > 0 ? duration(chain.years_to_expiry * YEAR_MS) : "expired";
  return { text: chain.settlement_session === "open" ? `${time}, at the open` : time, tip: terms(chain, formats) };
}

/** @param {string} id @returns {HTMLElement} */
function byId(id) {
  return /** @type {HTMLElement} */ (document.getElementById(id));
}
