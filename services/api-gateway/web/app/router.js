// Reads and writes the URL: `#/{view}/{product}/{expiry}?{options}`. A link is a view.

/** @param {string} hash @returns {Route} */
export function parse(hash) {
  const [path, query = ""] = hash.replace(/^#\/?/, "").split("?", 2);
  const [view = "", product = "", expiry = ""] = path.split("/").map(decoded);
  return { view, product, expiry, options: Object.fromEntries(new URLSearchParams(query)) };
}

/** @param {Route} route @returns {string} */
export function format(route) {
  const parts = [route.view, route.product, route.expiry].map(encodeURIComponent);
  while (parts.length > 1 && parts[parts.length - 1] === "") parts.pop();
  const query = new URLSearchParams(route.options).toString();
  return `#/${parts.join("/")}${query ? `?${query}` : ""}`;
}

export class Router {
  #changed;

  /** @param {() => void} changed called after each change of the URL */
  constructor(changed) {
    this.#changed = changed;
    addEventListener("hashchange", changed);
  }

  /** @returns {Route} */
  route() {
    return parse(location.hash);
  }

  /**
   * Change parts of the URL. Options merge; an empty value removes an option. Another view starts without options.
   * @param {Partial<Route>} part
   * @param {boolean} replace whether the step back leaves out the present URL
   */
  go(part, replace = false) {
    const now = this.route();
    const kept = part.view === undefined || part.view === now.view ? now.options : {};
    const merged = Object.entries({ ...kept, ...part.options }).filter(([, value]) => value !== "");
    const hash = format({ ...now, ...part, options: Object.fromEntries(merged) });
    if (hash === location.hash) return;
    history[replace ? "replaceState" : "pushState"](null, "", hash);
    this.#changed();
  }
}

/** @param {string} part */
function decoded(part) {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}
