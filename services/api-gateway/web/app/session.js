// The account of this page: login, logout, and refreshing the access token before it ends.
//
// Both tokens stay in memory, so no script of another page and no later user of the browser can read them. A reload
// ends the session.

/** The token is refreshed when this part of its life is left. */
const LEFT = 0.2;

/** @typedef {import("./types.d.ts").SessionTokens} Tokens */

export class Session {
  /** Whether the gateway ended the last session: it refused to refresh the tokens. */
  ended = false;
  /** @type {Tokens | null} */
  #tokens = null;
  /** @type {Promise<void> | null} */
  #renewing = null;
  #post;
  #store;
  #clock;

  /**
   * @param {(path: string, body: unknown) => Promise<any>} post sends JSON without a token; rejects with a Failure
   * @param {import("./store.js").Store} store
   * @param {import("./clock.js").Clock} clock
   */
  constructor(post, store, clock) {
    this.#post = post;
    this.#store = store;
    this.#clock = clock;
  }

  /**
   * Log in, or create an account and log in. Rejects with a Failure.
   * @param {string} email
   * @param {string} password
   * @param {"login" | "register"} action
   */
  async login(email, password, action = "login") {
    const answer = await this.#post(`/api/auth/${action}`, { email, password });
    this.#keep(answer);
    this.ended = false;
    this.#store.set("account", { email: answer.user.email, roles: answer.user.roles ?? [] });
  }

  /** Forget the tokens and revoke the refresh token. */
  async logout() {
    const tokens = this.#tokens;
    this.#forget();
    if (tokens) await this.#post("/api/auth/logout", { refresh_token: tokens.refresh }).catch(() => {});
  }

  /** A valid access token, refreshed if it ends soon; null without a login. @returns {Promise<string | null>} */
  async token() {
    if (this.#tokens && this.#clock.monotonic() > this.#tokens.renewAt) await this.renew();
    return this.#tokens?.access ?? null;
  }

  /** Refresh the tokens; several callers share one request. The session ends if the gateway refuses. */
  renew() {
    this.#renewing ??= this.#renew().finally(() => {
      this.#renewing = null;
    });
    return this.#renewing;
  }

  async #renew() {
    const tokens = this.#tokens;
    if (!tokens) return;
    try {
      const answer = await this.#post("/api/auth/refresh", { refresh_token: tokens.refresh });
      if (tokens === this.#tokens) this.#keep(answer);
    } catch (failure) {
      const { status } = /** @type {Failure} */ (failure);
      if (tokens !== this.#tokens) return; // the reader has logged out meanwhile
      if (status === 401 || this.#clock.monotonic() > tokens.endsAt) {
        this.ended = true;
        this.#forget();
      }
    }
  }

  #forget() {
    this.#tokens = null;
    this.#store.set("account", null);
  }

  /** @param {{access_token?: string, token: string, refresh_token: string, expires_in?: number}} answer */
  #keep(answer) {
    const lifeMs = (answer.expires_in ?? 600) * 1000;
    const now = this.#clock.monotonic();
    const [renewAt, endsAt] = [now + lifeMs * (1 - LEFT), now + lifeMs];
    this.#tokens = { access: answer.access_token ?? answer.token, refresh: answer.refresh_token, renewAt, endsAt };
  }
}
