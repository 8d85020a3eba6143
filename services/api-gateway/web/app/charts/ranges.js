// A series that shows quoted ranges: for each point a bar from `low` to `high`, and a mark at `value`.

const MARK_PX = 3;

/** @typedef {{time: any, low?: number, value?: number, high?: number}} Range an absent `low` or `high`: not known */

export class Ranges {
  /** @type {any} */
  #data = null;
  #options = { color: "", shape: 0 };

  renderer() {
    return { draw: (/** @type {any} */ target, /** @type {any} */ toY) => this.#draw(target, toY) };
  }

  /** @param {any} data @param {any} options */
  update(data, options) {
    this.#data = data;
    this.#options = options;
  }

  /** @param {any} point @returns {number[]} */
  priceValueBuilder({ low, value, high }) {
    return [low ?? value, high ?? value, value];
  }

  /** @param {any} point @returns {point is any} */
  isWhitespace(point) {
    return point.value === undefined;
  }

  /** @returns {any} */
  defaultOptions() {
    return { color: "#000", shape: 0, lastValueVisible: false, priceLineVisible: false };
  }

  /** @param {any} target a canvas @param {(price: number) => number | null} toY */
  #draw(target, toY) {
    const { bars, visibleRange } = this.#data ?? {};
    if (!visibleRange) return;
    target.useBitmapCoordinateSpace((/** @type {any} */ { context, horizontalPixelRatio, verticalPixelRatio }) => {
      context.fillStyle = this.#options.color;
      for (const { x, originalData } of bars.slice(visibleRange.from, visibleRange.to)) {
        const [low, high, value] = this.priceValueBuilder(originalData).map((price) => (toY(price) ?? 0) * verticalPixelRatio);
        const centre = Math.round(x * horizontalPixelRatio);
        const width = Math.max(1, Math.round(1.5 * horizontalPixelRatio));
        context.fillRect(centre - width / 2, Math.min(low, high), width, Math.abs(high - low));
        mark(context, this.#options.shape, centre, value, MARK_PX * horizontalPixelRatio);
      }
    });
  }
}

/** Each series has its own shape, so that colour is not the only difference. */
export const SHAPES = ["●", "■", "▲", "◆"];

/** @param {CanvasRenderingContext2D} context @param {number} shape index of SHAPES @param {number} x @param {number} y @param {number} size */
function mark(context, shape, x, y, size) {
  context.beginPath();
  if (shape === 0) context.arc(x, y, size, 0, 2 * Math.PI);
  else if (shape === 1) context.rect(x - size, y - size, 2 * size, 2 * size);
  else {
    const corners = shape === 2 ? [[0, -1.2], [1.2, 1], [-1.2, 1]] : [[0, -1.4], [1.4, 0], [0, 1.4], [-1.4, 0]];
    for (const [dx, dy] of corners) context.lineTo(x + dx * size, y + dy * size);
  }
  context.fill();
}
