// Collects changes and draws them together: in an animation frame, at most once in `everyMs`.
//
// Each drawing is a measure `draw` for the browser's performance tools and observers; none is kept.

export class Pulse {
  /** @type {Set<string>} */
  #changed = new Set();
  #waiting = false;
  #lastMs = -Infinity;
  #draw;
  #everyMs;

  /** @param {(changed: ReadonlySet<string>) => void} draw @param {number} everyMs */
  constructor(draw, everyMs = 100) {
    this.#draw = draw;
    this.#everyMs = everyMs;
  }

  /** Note a change, and draw it soon. A hidden page draws nothing until it is visible. @param {string} key */
  mark(key) {
    this.#changed.add(key);
    if (this.#waiting) return;
    this.#waiting = true;
    const wait = this.#lastMs + this.#everyMs - performance.now();
    if (wait > 0) setTimeout(() => requestAnimationFrame(() => this.#beat()), wait);
    else requestAnimationFrame(() => this.#beat());
  }

  #beat() {
    this.#waiting = false;
    this.#lastMs = performance.now();
    const changed = this.#changed;
    this.#changed = new Set();
    this.#draw(changed);
    performance.measure("draw", { start: this.#lastMs });
    performance.clearMeasures("draw");
  }
}
