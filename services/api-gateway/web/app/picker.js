// A dialog to choose one of many entries by typing: the product and the expiry (ARIA combobox with a list box).

import { h } from "./dom.js";

/** @typedef {{value: string, label: string, note?: string}} Choice */

export class Picker {
  /** @type {Choice[]} */
  #choices = [];
  /** @type {Choice[]} */
  #shown = [];
  #active = 0;
  #chosen;
  #input;
  #list;
  #dialog;
  #nothing;

  /** @param {string} title @param {(value: string) => void} chosen */
  constructor(title, chosen) {
    const id = `picker-${title.toLowerCase()}`;
    this.#chosen = chosen;
    this.#input = /** @type {HTMLInputElement} */ (h("input", {
      type: "text",
      role: "combobox",
      "aria-label": title,
      "aria-expanded": "true",
      "aria-controls": id,
      "aria-autocomplete": "list",
      autocomplete: "off",
      spellcheck: "false",
      placeholder: `${title}: type to search`,
    }));
    this.#list = h("ul", { id, role: "listbox", "aria-label": title });
    this.#nothing = h("p", { class: "nothing", role: "status" });
    this.#dialog = /** @type {HTMLDialogElement} */ (h(
      "dialog",
      { class: "picker", "aria-label": title },
      this.#input,
      this.#list,
      this.#nothing,
    ));
    this.#input.addEventListener("input", () => this.#filter());
    this.#input.addEventListener("keydown", (event) => this.#key(event));
    this.#dialog.addEventListener("click", (event) => event.target === this.#dialog && this.#dialog.close());
    document.body.append(this.#dialog);
  }

  /** @param {Choice[]} choices @param {string} current the value that is shown now */
  open(choices, current) {
    this.#choices = choices;
    this.#input.value = "";
    this.#filter();
    this.#activate(Math.max(0, this.#shown.findIndex(({ value }) => value === current)));
    this.#dialog.showModal();
    this.#input.focus();
  }

  #filter() {
    const words = this.#input.value.toLowerCase().split(/\s+/);
    const text = (/** @type {Choice} */ { value, label, note }) => `${value} ${label} ${note ?? ""}`.toLowerCase();
    this.#shown = this.#choices.filter((choice) => words.every((word) => text(choice).includes(word)));
    this.#list.replaceChildren(...this.#shown.map((choice, index) => this.#option(choice, index)));
    this.#nothing.textContent = this.#shown.length ? "" : "Nothing matches.";
    this.#activate(0);
  }

  /** @param {Choice} choice @param {number} index */
  #option({ value, label, note }, index) {
    return h(
      "li",
      { role: "option", id: `${this.#list.id}-${index}`, "data-value": value, onclick: () => this.#choose(value) },
      h("span", {}, label),
      h("span", { class: "note" }, note ?? ""),
    );
  }

  /** @param {number} index */
  #activate(index) {
    this.#active = index;
    [...this.#list.children].forEach((option, at) => {
      option.setAttribute("aria-selected", String(at === index));
      if (at === index) option.scrollIntoView({ block: "nearest" });
    });
    this.#input.setAttribute("aria-activedescendant", this.#shown.length ? `${this.#list.id}-${index}` : "");
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    const last = this.#shown.length - 1;
    const step = { ArrowDown: 1, ArrowUp: -1, PageDown: 10, PageUp: -10 }[event.key];
    if (step !== undefined) {
      event.preventDefault();
      this.#activate(Math.min(last, Math.max(0, this.#active + step)));
    } else if (event.key === "Enter") {
      event.preventDefault();
      if (this.#shown[this.#active]) this.#choose(this.#shown[this.#active].value);
    }
  }

  /** @param {string} value */
  #choose(value) {
    this.#dialog.close();
    this.#chosen(value);
  }
}
