// Creates elements: a short form of document.createElement.

/**
 * @param {string} name
 * @param {Record<string, string | boolean | ((event: any) => void)>} attributes `on…` adds a listener; false leaves out
 * @param {(Node | string)[]} children
 * @returns {HTMLElement}
 */
export function h(name, attributes = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (typeof value === "function") element.addEventListener(key.slice(2), value);
    else if (value !== false) element.setAttribute(key, value === true ? "" : value);
  }
  element.append(...children);
  return element;
}

/** Write text only if it differs. @param {Node} node @param {string} text */
export function write(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

/** Set or remove an attribute only if it differs. @param {Element} element @param {string} name @param {string | null} value */
export function attribute(element, name, value) {
  if (element.getAttribute(name) === value) return;
  if (value === null) element.removeAttribute(name);
  else element.setAttribute(name, value);
}
