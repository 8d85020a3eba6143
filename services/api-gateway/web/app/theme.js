// The switch between the system's theme, light and dark, and the colours of the theme for canvases.

import { recall, remember } from "./preferences.js";

const NAMES = ["", "light", "dark"];
const LABELS = { "": "Theme: system", light: "Theme: light", dark: "Theme: dark" };

/** @param {HTMLElement} button @param {() => void} changed called when the colours change */
export function installTheme(button, changed) {
  let name = /** @type {keyof typeof LABELS} */ (recall("theme"));
  const repaint = () => {
    colours.clear();
    changed();
  };
  const show = () => {
    if (name) document.documentElement.dataset.theme = name;
    else delete document.documentElement.dataset.theme;
    button.textContent = LABELS[name] ?? LABELS[""];
    repaint();
  };
  button.addEventListener("click", () => {
    name = /** @type {keyof typeof LABELS} */ (NAMES[(NAMES.indexOf(name) + 1) % NAMES.length]);
    remember("theme", name);
    show();
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", repaint);
  show();
}

/** The values of the present theme: reading one makes the browser compute styles. @type {Map<string, string>} */
const colours = new Map();

/** @param {string} token such as `calls` @returns {string} its present value, such as `rgb(11, 111, 168)` */
export function colour(token) {
  const known = colours.get(token);
  if (known) return known;
  const probe = document.createElement("i");
  probe.style.color = `var(--${token})`;
  document.body.append(probe);
  const value = getComputedStyle(probe).color;
  probe.remove();
  colours.set(token, value);
  return value;
}
