// Times on a chart's axis: seconds, in the exchange's zone.
//
// The library takes its times for UTC and gives full hours and midnights a label. So a time is moved by the zone's
// offset before the library sees it, and moved back before it is written.

/** @typedef {import("../formats.js").Exchange} Exchange */

export class Times {
  #formats;
  #exchange;
  #offset;

  /**
   * @param {import("../formats.js").Formats} formats
   * @param {Exchange} exchange
   * @param {number} at seconds since 1970: the offset of the zone at this time places the labels
   */
  constructor(formats, exchange, at) {
    this.#formats = formats;
    this.#exchange = exchange;
    this.#offset = offsetOf(exchange.zone, at);
  }

  /** @param {number} seconds since 1970 @returns {any} the library's time */
  to(seconds) {
    return seconds + this.#offset;
  }

  /** @param {any} time the library's @returns {number} seconds since 1970 */
  from(time) {
    return time - this.#offset;
  }

  /** @param {any} time the library's */
  text(time) {
    const ms = this.from(time) * 1000;
    return `${this.#formats.day(ms, this.#exchange)}, ${this.#formats.clock(ms, this.#exchange)}`;
  }

  /** The options of the chart library. */
  options() {
    const { zone, label } = this.#exchange;
    /** @param {Intl.DateTimeFormatOptions} style */
    const format = (style) => new Intl.DateTimeFormat(undefined, { ...style, timeZone: zone });
    // By the library's kinds of marks: year, month, day, time, time with seconds.
    const marks = [
      format({ year: "numeric" }),
      format({ month: "short" }),
      format({ day: "numeric", month: "short" }),
      format({ hour: "2-digit", minute: "2-digit", hourCycle: "h23" }),
      format({ hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" }),
    ];
    return {
      localization: { timeFormatter: (/** @type {any} */ time) => this.text(time) },
      timeScale: {
        timeVisible: true,
        secondsVisible: false,
        rightOffset: 2,
        tickMarkFormatter: (/** @type {any} */ time, /** @type {number} */ kind) =>
          kind === 2 ? `${marks[kind].format(this.from(time) * 1000)} ${label}` : marks[kind].format(this.from(time) * 1000),
      },
    };
  }
}

/** @param {string} zone @param {number} at seconds @returns {number} seconds that local time is ahead of UTC */
function offsetOf(zone, at) {
  const style = /** @type {const} */ ({ year: "numeric", month: "2-digit", day: "2-digit", hour: "2-digit", minute: "2-digit", second: "2-digit" });
  const parts = new Intl.DateTimeFormat("en-GB", { ...style, hourCycle: "h23", timeZone: zone }).formatToParts(at * 1000);
  const { year, month, day, hour, minute, second } = Object.fromEntries(parts.map(({ type, value }) => [type, Number(value)]));
  return Date.UTC(year, month - 1, day, hour, minute, second) / 1000 - Math.floor(at);
}
