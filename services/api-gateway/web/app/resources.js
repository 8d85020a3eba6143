// The answers of the REST gateway that the page needs, each requested once and kept in the store under its path.

/** @type {Resource} */
const LOADING = { status: "loading", data: null, error: null };

export class Resources {
  /** When each answer arrived, monotonic ms; Infinity while it is requested. @type {Map<string, number>} */
  #askedAt = new Map();
  #generation = 0;
  #get;
  #store;
  #clock;

  /**
   * @param {(path: string) => Promise<any>} get rejects with a Failure
   * @param {import("./store.js").Store} store
   * @param {import("./clock.js").Clock} clock
   */
  constructor(get, store, clock) {
    this.#get = get;
    this.#store = store;
    this.#clock = clock;
  }

  /**
   * The answer to GET `path`: at first `loading`, and the store tells when it changes. After a temporary failure the
   * store tells when it is time to ask again, so only an answer that is still needed is requested again.
   * @param {string} path
   * @param {number} maxAgeMs ask again if the answer is older
   * @returns {Resource}
   */
  load(path, maxAgeMs = Infinity) {
    const at = this.#askedAt.get(path);
    if (at === undefined || (this.#clock.monotonic() - at > maxAgeMs && !this.#waits(path))) this.#request(path);
    return this.#store.get(path) ?? LOADING;
  }

  /** Let every failed answer be requested again, for example after a login. */
  retry() {
    for (const path of this.#askedAt.keys()) {
      if (this.#store.get(path)?.status === "error") this.#again(path);
    }
  }

  /** Forget all answers. */
  clear() {
    this.#generation += 1;
    for (const path of this.#askedAt.keys()) this.#store.delete(path);
    this.#askedAt.clear();
  }

  /** Whether a failure says to ask later. @param {string} path */
  #waits(path) {
    return (this.#store.get(path)?.error?.retryAt ?? 0) > this.#clock.monotonic();
  }

  /** @param {string} path */
  #again(path) {
    this.#askedAt.delete(path);
    this.#store.set(path, this.#store.get(path));
  }

  /** @param {string} path */
  async #request(path) {
    const generation = this.#generation;
    this.#askedAt.set(path, Infinity);
    const answer = await this.#get(path).then(ready, failed);
    if (generation !== this.#generation) return;
    this.#askedAt.set(path, this.#clock.monotonic());
    if (answer.error?.retryAt != null) {
      const wait = answer.error.retryAt - this.#clock.monotonic();
      setTimeout(() => generation === this.#generation && this.#again(path), wait);
    }
    this.#store.set(path, { ...answer, data: answer.data ?? this.#store.get(path)?.data ?? null });
  }
}

/** @param {any} data @returns {Resource} */
function ready(data) {
  return { status: "ready", data, error: null };
}

/** @param {Failure} error @returns {Resource} */
function failed(error) {
  return { status: "error", data: null, error };
}
