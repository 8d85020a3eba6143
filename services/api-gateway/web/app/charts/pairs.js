// A series that shows two values side by side: a bar of the calls and a bar of the puts, from zero; null: no bar.

const LARGEST_PX = 12;

export class Pairs {
  /** @type {any} */
  #data = null;
  #options = { calls: "", puts: "" };

  renderer() {
    return { draw: (/** @type {any} */ target, /** @type {any} */ toY) => this.#draw(target, toY) };
  }

  /** @param {any} data @param {any} options */
  update(data, options) {
    this.#data = data;
    this.#options = options;
  }

  /** @param {any} point @returns {number[]} */
  priceValueBuilder({ calls, puts }) {
    return [Math.min(0, calls, puts), Math.max(0, calls, puts), puts];
  }

  /** @param {any} point @returns {point is any} */
  isWhitespace(point) {
    return (point.calls ?? point.puts ?? null) === null;
  }

  /** @returns {any} */
  defaultOptions() {
    return { calls: "#000", puts: "#000", color: "#000", lastValueVisible: false, priceLineVisible: false };
  }

  /** @param {any} target a canvas @param {(price: number) => number | null} toY */
  #draw(target, toY) {
    const { bars, visibleRange, barSpacing } = this.#data ?? {};
    if (!visibleRange) return;
    target.useBitmapCoordinateSpace((/** @type {any} */ { context, horizontalPixelRatio, verticalPixelRatio }) => {
      const gap = smallestGap(bars) * barSpacing * horizontalPixelRatio;
      const width = Math.max(1, Math.min(LARGEST_PX * horizontalPixelRatio, Math.floor(gap * 0.4)));
      const zero = Math.round((toY(0) ?? 0) * verticalPixelRatio);
      for (const { x, originalData } of bars.slice(visibleRange.from, visibleRange.to)) {
        const centre = Math.round(x * horizontalPixelRatio);
        for (const [side, left] of /** @type {const} */ ([["calls", centre - width], ["puts", centre]])) {
          const top = Math.round((toY(originalData[side] ?? 0) ?? 0) * verticalPixelRatio);
          context.fillStyle = this.#options[side];
          context.fillRect(left, Math.min(top, zero), width, Math.abs(top - zero));
        }
      }
    });
  }
}

/** The smallest distance of neighbours, in positions. @param {readonly {time: any}[]} bars */
function smallestGap(bars) {
  let gap = Infinity;
  for (let at = 1; at < bars.length; at += 1) gap = Math.min(gap, bars[at].time - bars[at - 1].time);
  return Number.isFinite(gap) ? gap : 1;
}
