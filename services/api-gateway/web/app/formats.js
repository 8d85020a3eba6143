// Turns numbers and times into text: in the reader's locale, with the product's decimals, in the exchange's zone.

/** Where the exchanges' options expire: the zone whose local time at the expiry is one of these (the messages have no zone). */
const EXCHANGES = [
  { zone: "Asia/Kolkata", label: "IST", expire: ["15:30"] },
  { zone: "America/New_York", label: "ET", expire: ["16:00", "09:30", "13:00"] },
];
const UTC = { zone: "UTC", label: "UTC" };
const MOST_DECIMALS = 4;

/** A number that is not there. */
export const MISSING = "–";

export class Formats {
  /** @type {Map<string, Intl.NumberFormat>} */
  #numbers = new Map();
  /** @type {Map<string, Intl.DateTimeFormat>} */
  #times = new Map();
  /** @type {Map<number, Exchange>} */
  #exchanges = new Map();
  #locale;

  /** @param {string | undefined} locale BCP 47; undefined: the browser's */
  constructor(locale = undefined) {
    this.#locale = locale;
  }

  /** @param {number} value @param {number} decimals exactly */
  number(value, decimals) {
    const options = { minimumFractionDigits: decimals, maximumFractionDigits: decimals };
    return this.#number(`${decimals}`, { ...options, signDisplay: "negative" }, value); // no sign before a rounded 0
  }

  /** A share as percent without the sign: 0.1063 is `10.6`. @param {number} value @param {number} decimals */
  percent(value, decimals = 1) {
    return this.number(value * 100, decimals);
  }

  /** A count in full; a fraction, as of contracts on coins, has up to four decimals. @param {number} value */
  count(value) {
    return this.#number("count", { maximumFractionDigits: 4 }, value);
  }

  /** A change of a count in full, with its sign. @param {number | null} value */
  change(value) {
    return value === null ? MISSING : this.#number("±count", { maximumFractionDigits: 4, signDisplay: "exceptZero" }, value);
  }

  /** A count in three figures: 2,100,000 is `2.10M`. @param {number} value */
  compact(value) {
    if (Math.abs(value) < 1000) return this.count(value);
    const figures = { minimumSignificantDigits: 3, maximumSignificantDigits: 3 };
    return this.#number("compact", { notation: "compact", ...figures }, value);
  }

  /** A difference with its sign. @param {number} value @param {number} decimals */
  signed(value, decimals) {
    const options = { minimumFractionDigits: decimals, maximumFractionDigits: decimals };
    return this.#number(`±${decimals}`, { ...options, signDisplay: "exceptZero" }, value);
  }

  /** @param {string} date YYYY-MM-DD @returns {string} such as `27 Jun 2024` */
  date(date) {
    const style = /** @type {const} */ ({ day: "numeric", month: "short", year: "numeric" });
    return this.#time(`date`, { ...style, timeZone: "UTC" }, Date.parse(`${date}T00:00:00Z`));
  }

  /**
   * The exchange's zone, from the instant at which its options expire.
   * @param {number} expiryNs nanoseconds since 1970
   * @returns {Exchange} UTC if the options of no known exchange expire then
   */
  exchange(expiryNs) {
    let exchange = this.#exchanges.get(expiryNs);
    if (!exchange) this.#exchanges.set(expiryNs, (exchange = exchangeOf(expiryNs)));
    return exchange;
  }

  /** @param {number | string} time RFC 3339 or ms @param {Exchange} exchange */
  clock(time, exchange) {
    const style = /** @type {const} */ ({ hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" });
    return `${this.#time(`clock ${exchange.zone}`, { ...style, timeZone: exchange.zone }, ms(time))} ${exchange.label}`;
  }

  /** @param {number | string} time RFC 3339 or ms @param {Exchange} exchange */
  day(time, exchange) {
    const style = /** @type {const} */ ({ day: "numeric", month: "short", year: "numeric" });
    return this.#time(`day ${exchange.zone}`, { ...style, timeZone: exchange.zone }, ms(time));
  }

  /** @param {string} key @param {Intl.NumberFormatOptions} options @param {number} value */
  #number(key, options, value) {
    let format = this.#numbers.get(key);
    if (!format) this.#numbers.set(key, (format = new Intl.NumberFormat(this.#locale, options)));
    return format.format(value);
  }

  /** @param {string} key @param {Intl.DateTimeFormatOptions} options @param {number} time ms */
  #time(key, options, time) {
    let format = this.#times.get(key);
    if (!format) this.#times.set(key, (format = new Intl.DateTimeFormat(this.#locale, options)));
    return format.format(time);
  }
}

/** @type {[string, number][]} name and seconds, the longest first */
const UNITS = [["d", 86_400], ["h", 3600], ["min", 60], ["s", 1]];

/** A duration in its two largest units, rounded. @param {number} ms @returns {string} such as `6 d 0 h`, `3 min 10 s`, `0.2 s` */
export function duration(ms) {
  const seconds = ms / 1000;
  if (seconds < 9.95) return `${seconds.toFixed(1)} s`;
  const [, smaller] = UNITS[Math.min(3, UNITS.findIndex(([, size]) => seconds >= size) + 1)];
  const rounded = Math.round(seconds / smaller) * smaller;
  const first = UNITS.findIndex(([, size]) => rounded >= size);
  const [name, size] = UNITS[first];
  const next = UNITS[first + 1];
  const whole = `${Math.floor(rounded / size)} ${name}`;
  return next ? `${whole} ${Math.floor((rounded % size) / next[1])} ${next[0]}` : whole;
}

/**
 * The decimals that the prices need: those of the product's tick, as far as the prices show it.
 * @param {Iterable<number>} prices
 * @param {number} otherwise if they need more than four
 */
export function decimalsOf(prices, otherwise = MOST_DECIMALS) {
  let decimals = 0;
  for (const price of prices) {
    while (!isWhole(price * 10 ** decimals)) {
      if (decimals === MOST_DECIMALS) return Math.min(otherwise, MOST_DECIMALS);
      decimals += 1;
    }
  }
  return decimals;
}

/** @param {number} value */
function isWhole(value) {
  return Math.abs(value - Math.round(value)) < 1e-6;
}

/** @typedef {{zone: string, label: string}} Exchange the zone of an exchange: its IANA name, and its usual short name */

/** @param {number} expiryNs @returns {Exchange} */
function exchangeOf(expiryNs) {
  const found = EXCHANGES.find(({ zone, expire }) => {
    const style = /** @type {const} */ ({ hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
    return expire.includes(new Intl.DateTimeFormat("en-GB", { ...style, timeZone: zone }).format(expiryNs / 1e6));
  });
  return found ?? UTC;
}

/** @param {number | string} time */
function ms(time) {
  return typeof time === "string" ? Date.parse(time) : time;
}
