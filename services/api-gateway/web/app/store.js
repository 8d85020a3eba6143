// Holds the latest message of each subscription and the page's own state, and tells which keys changed.
//
// Keys: `tick:{product}`, `chain:{product}:{expiry}`, `feeds`, `joined:{room}`, `connection`, `account`, and the path of
// each REST answer (Resources).

export class Store {
  /** @type {Map<string, any>} */
  #values = new Map();
  /** @type {(key: string) => void} */
  #changed;

  /** @param {(key: string) => void} changed called after each change */
  constructor(changed) {
    this.#changed = changed;
  }

  /** @param {string} key @returns {any} the latest value, or undefined */
  get(key) {
    return this.#values.get(key);
  }

  /** @param {string} key @param {any} value */
  set(key, value) {
    this.#values.set(key, value);
    this.#changed(key);
  }

  /** @param {string} prefix @returns {string[]} the known keys that start with it */
  keys(prefix) {
    return [...this.#values.keys()].filter((key) => key.startsWith(prefix));
  }

  /** @param {string} key */
  delete(key) {
    if (this.#values.delete(key)) this.#changed(key);
  }
}
