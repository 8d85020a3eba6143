// Thin vertical lines with labels, such as the spot and the forward, at any place between the points of a chart.

const FONT_PX = 12;
const ROW_PX = 16;

/** @typedef {{x: number, text: string, colour: string, dashed?: boolean}} Vertical `x`: a position, also between two */

export class Verticals {
  /** @type {Vertical[]} */
  #lines = [];
  #first = 0;
  /** @type {any} */
  #attached = null;
  #views = [{ zOrder: () => /** @type {const} */ ("top"), renderer: () => ({ draw: (/** @type {any} */ target) => this.#draw(target) }) }];

  /** @param {any} parameters */
  attached(parameters) {
    this.#attached = parameters;
  }

  paneViews() {
    return this.#views;
  }

  /** @param {Vertical[]} lines @param {number} first the chart's first position */
  set(lines, first) {
    if (JSON.stringify([lines, first]) === JSON.stringify([this.#lines, this.#first])) return;
    this.#lines = lines;
    this.#first = first;
    this.#attached?.requestUpdate();
  }

  /** @param {any} target a canvas */
  #draw(target) {
    const scale = this.#attached.chart.timeScale();
    target.useMediaCoordinateSpace((/** @type {any} */ { context, mediaSize }) => {
      context.font = `${FONT_PX}px ${getComputedStyle(document.body).fontFamily}`;
      context.textBaseline = "top";
      this.#lines.forEach(({ x, text, colour, dashed }, row) => {
        const at = between(scale, x - this.#first);
        if (at === null || at < 0 || at > mediaSize.width) return;
        context.strokeStyle = context.fillStyle = colour;
        context.setLineDash(dashed ? [4, 4] : []);
        context.beginPath();
        context.moveTo(Math.round(at) + 0.5, 0);
        context.lineTo(Math.round(at) + 0.5, mediaSize.height);
        context.stroke();
        const wide = context.measureText(text).width;
        context.fillText(text, at + wide + 8 > mediaSize.width ? at - wide - 4 : at + 4, 2 + row * ROW_PX);
      });
    });
  }
}

/** The library knows the place of whole positions only. @param {any} scale @param {number} position @returns {number | null} */
function between(scale, position) {
  const whole = Math.floor(position);
  const [left, right] = [scale.logicalToCoordinate(whole), scale.logicalToCoordinate(whole + 1)];
  return left === null || right === null ? null : left + (position - whole) * (right - left);
}
