// Explains the element under the mouse or with the focus, in one box beside it: with its attribute `data-tip`, or, if it
// has the attribute `data-tips`, with the text that its function in `tipOf` returns at that moment.

import { h } from "./dom.js";

const GAP = 6;

/** @type {WeakMap<Element, () => string>} */
export const tipOf = new WeakMap();

export function installTips() {
  const tip = h("div", { id: "tip", role: "tooltip", hidden: true });
  document.body.append(tip);
  /** @type {Element | null} */
  let owner = null;

  const hide = () => {
    owner?.removeAttribute("aria-describedby");
    owner = null;
    tip.hidden = true;
  };
  /** @param {Event} event */
  const show = (event) => {
    const found = event.target instanceof Element ? event.target.closest("[data-tip], [data-tips]") : null;
    if (found === owner) return;
    hide();
    if (!found) return;
    owner = found;
    tip.textContent = found.getAttribute("data-tip") ?? tipOf.get(found)?.() ?? "";
    tip.hidden = false;
    found.setAttribute("aria-describedby", "tip");
    place(tip, found.getBoundingClientRect());
  };
  document.addEventListener("mouseover", show);
  document.addEventListener("focusin", show);
  document.addEventListener("focusout", hide);
  document.addEventListener("scroll", hide, { capture: true, passive: true });
  document.addEventListener("keydown", (event) => event.key === "Escape" && hide());
}

/** Above the element, or below it at the top of the window. @param {HTMLElement} tip @param {DOMRect} at */
function place(tip, at) {
  const { width, height } = tip.getBoundingClientRect();
  const left = Math.min(Math.max(GAP, at.left + at.width / 2 - width / 2), innerWidth - width - GAP);
  const top = at.top - height - GAP > 0 ? at.top - height - GAP : at.bottom + GAP;
  tip.style.left = `${left}px`;
  tip.style.top = `${top}px`;
}
