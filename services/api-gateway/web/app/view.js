// Makes a View of a class: a new object for each time that the view is shown.

/**
 * @param {new (element: HTMLElement, context: Context) => {update(change: Change): void, unmount(): void}} Made
 * @returns {View}
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
