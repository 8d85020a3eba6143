// The columns of the ladder: for each, the fields that it shows, its text, its bar, and what it says on hover and focus.

import { MISSING } from "../../app/formats.js";
import { BUILDUPS, IV_REASONS, NO_CHANGE, why } from "../../app/words.js";

/** @typedef {import("../../app/types.d.ts").LadderLook} Look */

/** @typedef {import("../../app/types.d.ts").LadderColumn} Column */

/** The width of a volatility cell, in volatility: its bar shows the quoted range on this scale. */
const IV_WIDTH = 0.02;

/** @type {Record<string, Column>} */
export const COLUMNS = Object.fromEntries(
  /** @type {Column[]} */ ([
    price("bid", "Bid", "Best bid, per share", "no bid"),
    price("ask", "Ask", "Best ask, per share", "no ask"),
    price("last", "Last", "Last traded price, per share", "not traded in this session"),
    {
      id: "iv",
      label: "IV",
      meaning: "Implied volatility at the mid, in % a year; the bar spans bid to ask",
      fields: ["iv", "iv_bid", "iv_ask", "iv_reason"],
      text: ({ iv }, { formats }) => (iv === null ? MISSING : formats.percent(iv)),
      tip: volatilityTip,
      style: volatilityRange,
    },
    {
      id: "vendor-iv",
      label: "Vendor IV",
      meaning: "Implied volatility that the source publishes, in % a year",
      fields: ["vendor_iv"],
      text: ({ vendor_iv: iv }, { formats }) => (iv == null ? MISSING : formats.percent(iv)),
      tip: ({ vendor_iv: iv }, { formats }) => (iv == null ? "The source publishes none" : `The source's IV ${formats.percent(iv, 2)} %`),
    },
    {
      id: "vendor-difference",
      label: "IV − vendor",
      meaning: "Our implied volatility less that of the source, in volatility points",
      fields: ["vendor_iv_difference", "iv", "iv_reason", "vendor_iv"],
      text: ({ vendor_iv_difference: difference }, { formats }) => (difference == null ? MISSING : formats.signed(difference * 100, 2)),
      tip: differenceTip,
    },
    {
      id: "delta",
      label: "Delta",
      meaning: "Change of the option's price per unit change of the spot",
      fields: ["delta", "iv_reason"],
      text: ({ delta }, { formats }) => (delta === null ? MISSING : formats.number(delta, 2)),
      tip: ({ delta, iv_reason }) => (delta === null ? `No delta without a volatility: ${why(IV_REASONS, iv_reason)}` : `Delta ${delta}`),
    },
    count("oi", "OI", "Open interest", "open_interest"),
    count("doi", "ΔOI", "Open interest minus that at the previous session's close", "open_interest_change"),
    count("volume", "Volume", "Volume of the session", "volume"),
    {
      id: "buildup",
      label: "Build-up",
      meaning: "What the changes of premium and open interest since the previous close suggest",
      fields: ["buildup"],
      text: ({ buildup }) => (buildup === null ? MISSING : (BUILDUPS[buildup] ?? buildup)),
      tip: ({ buildup }) => (buildup === null ? "The previous session is unknown" : buildup.replace("_", " ")),
    },
  ]).map((column) => [column.id, column]),
);

/** From the strike outwards. On a phone those that fit beside the strike come first. */
export const WIDE = ["bid", "ask", "last", "iv", "vendor-iv", "vendor-difference", "delta", "oi", "doi", "volume", "buildup"];
export const NARROW = ["iv", "last", "oi", "vendor-iv", "vendor-difference", "bid", "ask", "delta", "doi", "volume", "buildup"];
/** Only for a chain whose source publishes volatilities, and only if they are chosen. */
export const OF_VENDOR = new Set(["vendor-iv", "vendor-difference"]);
/** What is shown without a choice. */
export const DEFAULT = WIDE.filter((id) => !OF_VENDOR.has(id));

/**
 * The columns of a side, from left to right. Both sides read outwards from the strike, but a bid is always left of
 * its ask.
 * @param {string[]} outwards ids from the strike outwards
 * @param {"calls" | "puts"} side
 * @returns {Column[]}
 */
export function ordered(outwards, side) {
  const columns = outwards.map((id) => COLUMNS[id]);
  if (side === "puts") return columns;
  columns.reverse();
  const ask = columns.indexOf(COLUMNS.ask);
  if (ask >= 0 && columns[ask + 1] === COLUMNS.bid) columns.splice(ask, 2, COLUMNS.bid, COLUMNS.ask);
  return columns;
}

/** @param {number} most the largest value @returns {number} the next 1, 2 or 5 times a power of ten: it rarely changes */
export function scaleOf(most) {
  const power = 10 ** Math.floor(Math.log10(Math.max(1, most)));
  return power * (/** @type {number} */ ([1, 2, 5, 10].find((step) => step * power >= most)));
}

/** @param {"bid" | "ask" | "last"} field @param {string} label @param {string} meaning @param {string} none @returns {Column} */
function price(field, label, meaning, none) {
  return {
    id: field,
    label,
    meaning,
    fields: [field],
    text: (row, { formats, decimals }) => (row[field] === 0 ? MISSING : formats.number(row[field], decimals)),
    tip: (row, { formats, unit }) => {
      if (row[field] === 0) return none;
      if (field === "last") return label;
      return `${label} for ${formats.count(row[`${field}_size`])} ${unit}`;
    },
  };
}

/**
 * @param {string} id
 * @param {string} label
 * @param {string} meaning
 * @param {"volume" | "open_interest" | "open_interest_change"} field
 * @returns {Column}
 */
function count(id, label, meaning, field) {
  return {
    id,
    label,
    meaning,
    fields: [field],
    text: ({ [field]: value }, { formats }) => (value === null ? MISSING : formats.compact(value)),
    tip: ({ [field]: value }, { formats, unit }) => (value === null ? `${label} unknown: ${NO_CHANGE}` : `${label} ${formats.count(value)} ${unit}`),
    style: ({ [field]: value }, { scales }) => ({
      "--bar": `${Math.min(100, (100 * Math.abs(value ?? 0)) / scales[field]).toFixed(1)}%`,
      "--fill": (value ?? 0) < 0 ? "var(--hatch)" : "var(--solid)",
    }),
  };
}

/** @param {Row} row @param {Look} look */
function volatilityTip({ iv, iv_bid, iv_ask, iv_reason }, { formats }) {
  if (iv === null) return `No volatility: ${why(IV_REASONS, iv_reason)}`;
  /** @param {number | null} value */
  const shown = (value) => (value === null ? "none" : `${formats.percent(value, 2)} %`);
  return `IV ${shown(iv)}, bid ${shown(iv_bid)}, ask ${shown(iv_ask)}`;
}

/** @param {Row} row @param {Look} look */
function differenceTip({ iv, iv_reason, vendor_iv: vendor, vendor_iv_difference: difference }, { formats }) {
  if (difference != null) return `IV less the source's: ${formats.signed(difference * 100, 3)} volatility points`;
  return vendor == null ? "The source publishes no volatility" : iv === null ? `No volatility of ours: ${why(IV_REASONS, iv_reason)}` : "Nothing to compare";
}

/**
 * The bar from the bid's to the ask's volatility around the middle of the cell: its width, and its position as that of
 * a background, which is a share of the free space.
 * @param {Row} row
 */
function volatilityRange({ iv, iv_bid, iv_ask }) {
  if (iv === null) return { "--range": "0", "--at": "50%" };
  const left = iv_bid === null ? 0 : Math.max(0, 0.5 + (iv_bid - iv) / IV_WIDTH);
  const right = iv_ask === null ? 1 : Math.min(1, 0.5 + (iv_ask - iv) / IV_WIDTH);
  const free = 1 - (right - left);
  return { "--range": share(right - left), "--at": share(free > 0 ? left / free : 0) };
}

/** @param {number} value */
function share(value) {
  return `${(100 * value).toFixed(1)}%`;
}
