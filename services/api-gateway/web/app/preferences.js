// What this browser remembers of the reader's choices. Nothing is remembered where the browser forbids storage.

/** @param {string} name @returns {string} empty if nothing was chosen */
export function recall(name) {
  try {
    return localStorage.getItem(name) ?? "";
  } catch {
    return "";
  }
}

/** @param {string} name @param {string} value empty: forget */
export function remember(name, value) {
  try {
    if (value) localStorage.setItem(name, value);
    else localStorage.removeItem(name);
  } catch {
    // The choice holds until the page is closed.
  }
}
