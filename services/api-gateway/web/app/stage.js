// Shows one view at a time: loads its module and style sheet, mounts it and passes changes on.

import { h } from "./dom.js";

/** @typedef {import("./types.d.ts").ViewEntry} ViewEntry */

export class Stage {
  #element;
  #entries;
  #context;
  #mounted;
  /** @type {ViewEntry | null} */
  #entry = null;
  /** @type {View | null} */
  #view = null;

  /**
   * @param {HTMLElement} element
   * @param {ViewEntry[]} entries
   * @param {Context} context
   * @param {() => void} mounted called when a view can be updated
   */
  constructor(element, entries, context, mounted) {
    this.#element = element;
    this.#entries = entries;
    this.#context = context;
    this.#mounted = mounted;
  }

  /** @param {string} name @returns {ViewEntry} the view of this name, else the first */
  entry(name) {
    return this.#entries.find((entry) => entry.name === name) ?? this.#entries[0];
  }

  /** The rooms that the present view needs. @returns {string[]} */
  rooms() {
    return this.#view?.rooms?.(this.#context.selection()) ?? [];
  }

  /** Show this view. @param {ViewEntry} entry @returns {boolean} whether it is another one than before */
  show(entry) {
    if (entry === this.#entry) return false;
    this.#view?.unmount();
    this.#view = null;
    this.#entry = entry;
    this.#mount(entry).catch(() => this.#failed(entry));
    return true;
  }

  /** @param {Change} change */
  update(change) {
    this.#view?.update(change);
  }

  /** @param {ViewEntry} entry */
  async #mount(entry) {
    const [{ default: view }] = await Promise.all([entry.load(), styled(entry.name)]);
    if (entry !== this.#entry) return; // the reader went on before it was loaded
    const section = h("section", { class: `view-${entry.name}`, "aria-label": entry.title });
    this.#element.replaceChildren(section);
    document.title = `${entry.title} · DeltaStream`;
    view.mount(section, this.#context);
    this.#view = view;
    this.#mounted();
  }

  /** @param {ViewEntry} entry */
  #failed(entry) {
    this.#element.replaceChildren(h("p", { class: "failed" }, `The view ${entry.title} cannot be loaded. Reload the page to try again.`));
  }
}

/** Load the view's style sheet, once. @param {string} name @returns {Promise<unknown>} */
function styled(name) {
  const href = `/web/views/${name}/view.css`;
  if (document.querySelector(`link[href="${href}"]`)) return Promise.resolve();
  const link = h("link", { rel: "stylesheet", href });
  return new Promise((resolve, reject) => {
    link.addEventListener("load", resolve);
    link.addEventListener("error", reject);
    document.head.append(link);
  });
}
