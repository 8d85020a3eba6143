// The page's keys. Each is a single character, so the reader can switch them off (WCAG 2.1.4).

import { h } from "./dom.js";
import { recall, remember } from "./preferences.js";

/** @typedef {{key: string, does: string, run: () => void}} Key */

/** @param {Key[]} keys */
export function installKeys(keys) {
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
    const target = /** @type {HTMLElement} */ (event.target);
    if (target.closest("input, select, textarea, dialog") || recall("keys") === "off") return;
    const found = keys.find(({ key }) => key === event.key);
    if (!found) return;
    event.preventDefault();
    found.run();
  });
}

/** The dialog that lists the keys. @param {Key[]} keys @returns {HTMLDialogElement} */
export function keysDialog(keys) {
  const box = /** @type {HTMLInputElement} */ (h("input", { type: "checkbox" }));
  box.checked = recall("keys") !== "off";
  box.addEventListener("change", () => remember("keys", box.checked ? "" : "off"));
  const rows = [
    ...keys.map(({ key, does }) => [key, does]),
    ["arrows, Home, End, Page", "move in the table"],
    ["Esc", "close a dialog"],
  ];
  const list = h("dl", { class: "keys" });
  for (const [key, does] of rows) list.append(h("dt", {}, h("kbd", {}, key)), h("dd", {}, does));
  const dialog = /** @type {HTMLDialogElement} */ (h(
    "dialog",
    { "aria-labelledby": "keys-title" },
    h("h2", { id: "keys-title" }, "Keys"),
    list,
    h("label", {}, box, " Single-character keys are on"),
    h("p", {}, h("a", { href: "/api/docs" }, "API reference")),
    h("p", {}, "Charts: ", h("a", { href: "https://www.tradingview.com/" }, "TradingView Lightweight Charts™"), ", © TradingView, Inc."),
    h("form", { method: "dialog" }, h("button", {}, "Close")),
  ));
  document.body.append(dialog);
  return dialog;
}
