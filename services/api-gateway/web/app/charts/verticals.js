// Thin vertical lines with labels, such as the spot and the forward, at any place between the points of a chart.

const FONT_PX = 12;
const ROW_PX = 16;

/** @typedef {{x: number, text: string, colour: string, dashed?: boolean}} Vertical `x`: a position, also between two */

export class Verticals {
  /** @type {Vertical[]} */
  #lines = [];
  #first = 0;
  #ground = "";
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

  /** @param {Vertical[]} lines @param {number} first the chart's first position @param {string} ground the colour behind the labels */
  set(lines, first, ground) {
    if (JSON.stringify([lines, first, ground]) === JSON.stringify([this.#lines, this.#first, this.#ground])) return;
    this.#lines = lines;
    this.#first = first;
    this.#ground = ground;
    this.#attached?.requestUpdate();
  }

  /** @param {any} target a canvas */
  #draw(target) {
    const scale = this.#attached.chart.timeScale();
    target.useMediaCoordinateSpace((/** @type {any} */ { context, mediaSize }) => {
      context.font = `${FONT_PX}px ${getComputedStyle(document.body).fontFamily}`;
      context.textBaseline = "top";
      const shown = this.#lines
        .map((line, row) => ({ ...line, row, at: between(scale, line.x - this.#first) ?? -1 }))
        .filter(({ at }) => at >= 0 && at <= mediaSize.width);
      for (const { at, colour, dashed } of shown) {
        context.strokeStyle = colour;
        context.setLineDash(dashed ? [4, 4] : []);
        context.beginPath();
        context.moveTo(Math.round(at) + 0.5, 0);
        context.lineTo(Math.round(at) + 0.5, mediaSize.height);
        context.stroke();
      }
      for (const { at, text, colour, row } of shown) {
        const wide = context.measureText(text).width;
        const left = at + wide + 8 > mediaSize.width ? at - wide - 4 : at + 4;
        context.fillStyle = this.#ground;
        context.fillRect(left - 1, 1 + row * ROW_PX, wide + 2, ROW_PX - 1);
        context.fillStyle = colour;
        context.fillText(text, left, 2 + row * ROW_PX);
      }
    });
  }
}

/** The library knows the place of whole positions only. @param {any} scale @param {number} position @returns {number | null} */
function between(scale, position) {
  const whole = Math.floor(position);
  const [left, right] = [scale.logicalToCoordinate(whole), scale.logicalToCoordinate(whole + 1)];
  return left === null || right === null ? null : left + (position - whole) * (right - left);
}
