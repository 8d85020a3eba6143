// Calls the REST gateway, and turns every failure into one in words.

const TIMEOUT_MS = 20_000;
/** Seconds until the page asks again by itself, where the gateway does not say when. */
const RETRY_S = 5;
const TEMPORARY = new Set([0, 429, 500, 502, 503, 504]);

export class Rest {
  #clock;
  #token;
  #renew;

  /**
   * @param {import("./clock.js").Clock} clock
   * @param {() => Promise<string | null>} token a valid access token, or null
   * @param {() => Promise<void>} renew refresh the token that was refused
   */
  constructor(clock, token, renew) {
    this.#clock = clock;
    this.#token = token;
    this.#renew = renew;
  }

  /** Rejects with a Failure. @param {string} path @returns {Promise<any>} the decoded JSON */
  async get(path) {
    return this.#authorised("GET", path);
  }

  /** Rejects with a Failure. @param {string} path @param {unknown} body @returns {Promise<any>} */
  async post(path, body) {
    return this.#authorised("POST", path, body);
  }

  /** Rejects with a Failure. @param {string} path @returns {Promise<any>} */
  async remove(path) {
    return this.#authorised("DELETE", path);
  }

  /** Send JSON without a token: login and refresh. @param {string} path @param {unknown} body @returns {Promise<any>} */
  async anonymous(path, body) {
    return this.#send("POST", path, body, null);
  }

  /** @param {string} method @param {string} path @param {unknown} [body] */
  async #authorised(method, path, body) {
    const token = await this.#token();
    try {
      return await this.#send(method, path, body, token);
    } catch (error) {
      if (token === null || /** @type {Failure} */ (error).status !== 401) throw error;
      await this.#renew(); // the token ended between check and use, or its key was rotated
      return this.#send(method, path, body, await this.#token());
    }
  }

  /** @param {string} method @param {string} path @param {unknown} body @param {string | null} token */
  async #send(method, path, body, token) {
    /** @type {Record<string, string>} */
    const headers = { Accept: "application/json" };
    if (token !== null) headers.Authorization = `Bearer ${token}`;
    const form = body instanceof FormData; // the browser names its type, with the boundary of its parts
    if (body !== undefined && !form) headers["Content-Type"] = "application/json";
    const sentAt = this.#clock.monotonic();
    const sent = body === undefined ? null : form ? body : JSON.stringify(body);
    let answer;
    try {
      answer = await fetch(path, { method, headers, body: sent, signal: AbortSignal.timeout(TIMEOUT_MS) });
    } catch (error) {
      const late = /** @type {Error} */ (error).name === "TimeoutError";
      const detail = late ? `no answer within ${TIMEOUT_MS / 1000} s` : "the gateway cannot be reached";
      throw this.#failure(0, { code: late ? "timeout" : "unreachable", detail }, null, "");
    }
    this.#clock.answered(answer.headers.get("Date"), sentAt);
    if (answer.status === 204) return null;
    const content = await answer.json().catch(() => ({ detail: "the answer is not JSON" }));
    if (answer.ok) return content;
    throw this.#failure(answer.status, content, answer.headers.get("Retry-After"), answer.headers.get("X-Request-ID"));
  }

  /**
   * @param {number} status
   * @param {any} problem
   * @param {string | null} retryAfter
   * @param {string | null} requestId
   * @returns {Failure}
   */
  #failure(status, problem, retryAfter, requestId) {
    const waitS = Number(retryAfter) || RETRY_S;
    return {
      status,
      code: problem.code ?? "error",
      detail: problem.detail ?? `status ${status}`,
      requestId: problem.request_id ?? requestId ?? "",
      command: problem.command ?? "",
      retryAt: TEMPORARY.has(status) ? this.#clock.monotonic() + waitS * 1000 : null,
    };
  }
}
