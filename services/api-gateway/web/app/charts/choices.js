// The choices above a chart: radio buttons for one of a few, check boxes for several.

import { h } from "../dom.js";

/** @typedef {{value: string, label: string, mark?: Node}} Choice */

export class Choices {
  element;
  #type;
  #chosen;
  #name;
  #key = "";

  /**
   * @param {string} label
   * @param {"radio" | "checkbox"} type
   * @param {(values: string[]) => void} chosen
   */
  constructor(label, type, chosen) {
    this.#type = type;
    this.#chosen = chosen;
    this.#name = `choice-${label.toLowerCase().replace(/\W+/g, "-")}`;
    this.element = h("fieldset", { class: "choices" }, h("legend", { class: "visually-hidden" }, label));
    this.element.addEventListener("change", () => this.#chosen(this.#inputs().filter((input) => input.checked).map((input) => input.value)));
  }

  /** @param {Choice[]} choices @param {string[]} chosen @param {number} most how many can be chosen */
  show(choices, chosen, most = Infinity) {
    const key = JSON.stringify(choices.map(({ value, label, mark }) => [value, label, mark?.textContent]));
    if (key !== this.#key) {
      const kept = /** @type {HTMLInputElement | null} */ (this.element.querySelector(":focus"))?.value;
      this.#inputs().forEach((input) => input.parentElement?.remove());
      for (const { value, label, mark } of choices) {
        const input = h("input", { type: this.#type, name: this.#name, value });
        this.element.append(h("label", {}, input, h("span", {}, ...(mark ? [mark, " "] : []), label)));
        if (value === kept) input.focus();
      }
      this.#key = key;
    }
    for (const input of this.#inputs()) {
      input.checked = chosen.includes(input.value);
      input.disabled = !input.checked && chosen.length >= most;
    }
  }

  #inputs() {
    return [...this.element.querySelectorAll("input")];
  }
}

/** One of a few values, which the URL names unless it is the first. */
export class Option {
  #context;
  #name;
  #labels;
  #choices;

  /**
   * @param {Context} context
   * @param {string} name in the URL
   * @param {string} label what is chosen, for screen readers
   * @param {Record<string, string>} labels by value
   */
  constructor(context, name, label, labels) {
    this.#context = context;
    this.#name = name;
    this.#labels = labels;
    this.#choices = new Choices(label, "radio", ([value]) => {
      context.go({ options: { [name]: value === Object.keys(labels)[0] ? "" : value } });
    });
  }

  get element() {
    return this.#choices.element;
  }

  /** Show the choice and return it. @returns {string} */
  read() {
    const named = this.#context.route().options[this.#name] ?? "";
    const value = Object.hasOwn(this.#labels, named) ? named : Object.keys(this.#labels)[0];
    this.#choices.show(Object.entries(this.#labels).map(([each, label]) => ({ value: each, label })), [value]);
    return value;
  }
}
