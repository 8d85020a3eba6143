// Keys of a table with the ARIA role `grid`: one cell is in the tab order, arrows move the focus.

const STEPS = /** @type {Record<string, [number, number]>} */ ({
  ArrowLeft: [0, -1],
  ArrowRight: [0, 1],
  ArrowUp: [-1, 0],
  ArrowDown: [1, 0],
  PageUp: [-10, 0],
  PageDown: [10, 0],
  Home: [0, -Infinity],
  End: [0, Infinity],
});

/** @param {HTMLTableElement} table @param {() => HTMLElement | undefined} first the row to enter with Tab */
export function installGrid(table, first) {
  /** @type {HTMLElement | null} */
  let active = null;

  /** @param {HTMLElement} cell */
  const enter = (cell) => {
    active?.removeAttribute("tabindex");
    active = cell;
    cell.tabIndex = 0;
  };
  table.addEventListener("keydown", (event) => {
    const step = STEPS[event.key];
    if (!step || event.altKey || event.metaKey) return;
    const cell = /** @type {HTMLTableCellElement} */ (event.target);
    const rows = [...table.tBodies[0].rows];
    const row = rows.indexOf(/** @type {HTMLTableRowElement} */ (cell.parentElement));
    const whole = event.ctrlKey && step[1] !== 0 ? Math.sign(step[1]) * Infinity : step[0];
    const nextRow = rows[clamp(row + whole, rows.length)];
    const next = nextRow.cells[clamp(cell.cellIndex + step[1], nextRow.cells.length)];
    event.preventDefault();
    enter(next);
    next.focus();
  });
  table.addEventListener("mousedown", (event) => {
    const cell = /** @type {Element} */ (event.target).closest("tbody td, tbody th");
    if (!cell) return;
    enter(/** @type {HTMLElement} */ (cell));
    /** @type {HTMLElement} */ (cell).focus({ preventScroll: true });
  });
  return {
    /** Keep one cell in the tab order after the table was filled. */
    refresh() {
      if (active?.isConnected) return;
      const cell = first()?.querySelector("th");
      if (cell) enter(cell);
    },
  };
}

/** @param {number} value @param {number} length */
function clamp(value, length) {
  return Math.min(length - 1, Math.max(0, value));
}
