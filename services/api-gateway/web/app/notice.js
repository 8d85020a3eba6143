// What the page says in place of a view that has nothing to show: what is the matter, and what happens next.

import { h } from "./dom.js";

/** @typedef {import("./types.d.ts").PageNotice} Notice */

/** Show a notice in the element, or nothing. @param {HTMLElement} element @param {Notice | null} notice */
export function show(element, notice) {
  if (!notice) {
    element.hidden = true;
    element.dataset.notice = "";
    element.replaceChildren();
    return;
  }
  if (element.dataset.notice !== notice.id) {
    element.dataset.notice = notice.id;
    element.replaceChildren(
      h("h2", {}),
      h("p", { class: "text" }),
      h("p", { class: "buttons" }, ...(notice.actions ?? []).map(({ label, run }) => h("button", { type: "button", onclick: run }, label))),
      ...(notice.extra ? [notice.extra()] : []),
    );
    element.hidden = false;
  }
  const [title, text] = element.children;
  if (title.textContent !== notice.title) title.textContent = notice.title;
  if (text.textContent !== notice.text) text.textContent = notice.text;
}

/**
 * A failed request as a notice.
 * @param {string} what was asked for, such as `the chain`
 * @param {Failure} failure
 * @param {number} now monotonic ms
 * @returns {Notice}
 */
export function failed(what, failure, now) {
  const again = failure.retryAt === null ? "" : ` Next try in ${Math.max(0, Math.ceil((failure.retryAt - now) / 1000))} s.`;
  const id = `${what} ${failure.status} ${failure.code}`;
  if (failure.status === 429) return { id, title: "Too many requests", text: `The gateway limits reads: ${failure.detail}.${again}` };
  const request = failure.requestId ? ` Request id: ${failure.requestId}.` : "";
  return { id, title: `Cannot load ${what}`, text: `${sentence(failure.detail)}${again}${request}` };
}

/** @param {string} text @returns {string} with a full stop at its end */
export function sentence(text) {
  return text.endsWith(".") ? text : `${text}.`;
}
