// The chain as a live ladder by strike: calls left, strike in the middle, puts right.

import { quoteDecimals, unitOf } from "../../app/chains.js";
import { h } from "../../app/dom.js";
import { installGrid } from "../../app/grid.js";
import { COLUMNS, DEFAULT, NARROW, OF_VENDOR, WIDE, scaleOf } from "./columns.js";
import { Ladder } from "./ladder.js";

const PHONE = "(max-width: 700px)";

class ChainView {
  /** @type {Context} */
  #context;
  #phone = matchMedia(PHONE);
  #table = /** @type {HTMLTableElement} */ (h("table", { role: "grid" }));
  #scroller = h("div", { class: "scroller" }, this.#table);
  #chip = h("button", { type: "button", class: "chip", hidden: true, onclick: () => this.#follow() });
  #chooser = h("fieldset", {}, h("legend", {}, "Columns"));
  #ladder = new Ladder(this.#table);
  #grid = installGrid(this.#table, () => this.#ladder.atm);
  #redraw = () => this.update(new Set(["route"]));
  /** Whether the at-the-money row stays in the middle: until the reader scrolls. */
  #following = true;
  /** @type {HTMLElement | undefined} */
  #centred;
  #shown = "";

  /** @param {HTMLElement} element @param {Context} context */
  constructor(element, context) {
    this.#context = context;
    const menu = h("details", { class: "columns" }, h("summary", {}, "Columns"), this.#chooser);
    for (const { id, label, meaning } of WIDE.map((name) => COLUMNS[name])) {
      const box = h("input", { type: "checkbox", name: id, onchange: () => this.#choose() });
      this.#chooser.append(h("label", { title: meaning }, box, ` ${label}`));
    }
    menu.addEventListener("keydown", (event) => {
      if (event.key === "Escape") menu.removeAttribute("open");
    });
    element.append(h("div", { class: "ladder" }, this.#scroller, menu, this.#chip));
    this.#scroller.addEventListener("scroll", () => this.#scrolled(), { passive: true });
    this.#phone.addEventListener("change", this.#redraw);
    addEventListener("resize", this.#redraw);
  }

  /** @param {Change} change */
  update(change) {
    const { store, selection } = this.#context;
    const { product, expiry } = selection();
    const key = `chain:${product}:${expiry}`;
    /** @type {Chain | undefined} */
    const chain = store.get(key);
    if (!chain || !(change.has(key) || change.has("route"))) return;
    if (this.#shown !== key) this.#following = true;
    this.#shown = key;
    this.#table.setAttribute("aria-label", `Option chain of ${product}, expiry ${expiry}`);
    this.#ladder.draw(chain, this.#columns(chain), this.#look(chain), this.#sight());
    this.#grid.refresh();
    if (this.#following && (change.has("route") || this.#ladder.atm !== this.#centred)) this.#centre();
    this.#showChip();
  }

  unmount() {
    this.#phone.removeEventListener("change", this.#redraw);
    removeEventListener("resize", this.#redraw);
  }

  /** @param {Chain} chain @returns {string[]} the chosen columns that it has, from the strike outwards */
  #columns({ calls, puts }) {
    const chosen = this.#context.route().options.cols?.split(",") ?? DEFAULT;
    const vendor = [...calls, ...puts].some(({ vendor_iv: iv }) => iv != null);
    for (const box of this.#chooser.querySelectorAll("input")) {
      box.checked = chosen.includes(box.name);
      /** @type {HTMLElement} */ (box.parentElement).hidden = OF_VENDOR.has(box.name) && !vendor;
    }
    return (this.#phone.matches ? NARROW : WIDE).filter((id) => chosen.includes(id) && (vendor || !OF_VENDOR.has(id)));
  }

  #choose() {
    const chosen = [...this.#chooser.querySelectorAll("input")].filter((box) => box.checked).map((box) => box.name);
    this.#context.go({ options: { cols: chosen.join() === DEFAULT.join() ? "" : chosen.join() } }); // none chosen: all
  }

  /** @param {Chain} chain @returns {import("./columns.js").Look} */
  #look(chain) {
    const rows = [...chain.calls, ...chain.puts];
    /** @param {"volume" | "open_interest" | "open_interest_change"} field */
    const scale = (field) => scaleOf(Math.max(...rows.map((row) => Math.abs(row[field] ?? 0))));
    return {
      formats: this.#context.formats,
      decimals: quoteDecimals(chain),
      unit: unitOf(chain),
      scales: {
        volume: scale("volume"),
        open_interest: scale("open_interest"),
        open_interest_change: scale("open_interest_change"),
      },
    };
  }

  /** @returns {[number, number]} the first and the last row in sight */
  #sight() {
    const height = this.#ladder.rowHeight;
    const { scrollTop, clientHeight } = this.#scroller;
    return height ? [Math.floor(scrollTop / height), Math.ceil((scrollTop + clientHeight) / height)] : [0, -1];
  }

  #follow() {
    this.#following = true;
    this.#centre();
    this.#chip.hidden = true;
  }

  /** Scroll the at-the-money row to the middle, and on a phone the strikes to the centre. */
  #centre() {
    const row = this.#ladder.atm;
    this.#centred = row;
    if (!row) return;
    this.#scroller.scrollTop = this.#middle(row);
    if (this.#phone.matches) this.#scroller.scrollLeft = (this.#table.offsetWidth - this.#scroller.clientWidth) / 2;
  }

  /** @param {HTMLElement} row @returns {number} the scroll position at which it is in the middle */
  #middle(row) {
    const head = this.#table.tHead?.offsetHeight ?? 0;
    const most = this.#scroller.scrollHeight - this.#scroller.clientHeight;
    const wanted = row.offsetTop - head - (this.#scroller.clientHeight - head - row.offsetHeight) / 2;
    return Math.round(Math.min(most, Math.max(0, wanted)));
  }

  /** The reader, or a move of the focus, has scrolled: the row is no longer kept in the middle. */
  #scrolled() {
    this.#ladder.reveal(this.#sight());
    const row = this.#ladder.atm;
    if (row && Math.abs(this.#scroller.scrollTop - this.#middle(row)) > 2) this.#following = false;
    this.#showChip();
  }

  #showChip() {
    const row = this.#ladder.atm;
    this.#chip.hidden = this.#following || !row;
    if (!row || this.#following) return;
    const up = row.offsetTop < this.#scroller.scrollTop + this.#scroller.clientHeight / 2;
    const text = `${up ? "↑" : "↓"} Back to ATM ${row.querySelector("th")?.textContent}`;
    if (this.#chip.textContent !== text) this.#chip.textContent = text;
  }
}

/** @type {ChainView | null} */
let view = null;

/** @type {View} */
export default {
  mount(element, context) {
    view = new ChainView(element, context);
  },
  update(change) {
    view?.update(change);
  },
  unmount() {
    view?.unmount();
    view = null;
  },
};
