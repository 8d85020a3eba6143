// Makes a View of a class: a new object for each time that the view is shown.

/** @typedef {import("./types.d.ts").Context} Context */

/**
 * @param {new (element: HTMLElement, context: Context) => {update(change: import("./types.d.ts").Change): void, unmount(): void}} Made
 * @returns {import("./types.d.ts").View}
 */
export function viewOf(Made) {
  /** @type {InstanceType<typeof Made> | null} */
  let view = null;
  return {
    mount(element, context) {
      view = new Made(element, context);
    },
    update(change) {
      view?.update(change);
    },
    unmount() {
      view?.unmount();
      view = null;
    },
  };
}
