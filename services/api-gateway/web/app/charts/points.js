// The points of one series: writes only those that have changed.

/** @typedef {{time: any, [field: string]: unknown}} Point */

export class Points {
  #series;
  /** @type {Point[]} */
  #shown = [];

  /** @param {any} series of the chart library */
  constructor(series) {
    this.#series = series;
  }

  /** Show these points. @param {Point[]} points ascending by time */
  set(points) {
    const shown = this.#shown;
    this.#shown = points;
    if (!shown.length || points.length < shown.length || shown.some(({ time }, at) => time !== points[at].time)) {
      this.#series.setData(points);
      return;
    }
    points.forEach((point, at) => {
      if (!equal(point, shown[at])) this.#series.update(point, at < shown.length - 1);
    });
  }
}

/** @param {Point} point @param {Point | undefined} other */
function equal(point, other) {
  return other !== undefined && Object.keys(point).every((field) => point[field] === other[field]);
}
