// Keeps a connection to the Socket.IO gateway and the rooms that the page needs, and puts their events into the store.
//
// It reconnects by itself, counts each room's sequence numbers, and asks for the room's snapshot again after a gap.

import { SocketIo } from "./socketio.js";

const FIRST_WAIT_MS = 500;
const LONGEST_WAIT_MS = 15_000;
/** Codes after which the next attempt needs another token. */
const NEEDS_LOGIN = new Set(["unauthorized", "token_expired"]);

/** @typedef {import("./types.d.ts").LiveNeeds} Needs */

export class Live {
  #needs;
  /** @type {Set<string>} */
  #rooms = new Set();
  /** @type {Map<string, number>} the last sequence number of each subscribed room */
  #counts = new Map();
  /** @type {SocketIo | null} */
  #socket = null;
  /** @type {string | null} of the present connection or attempt */
  #token = null;
  /** Whether that token was refreshed because the gateway refused the one before. */
  #fresh = false;
  #connected = false;
  #attempt = 0;
  #call = 0;
  #timer = 0;
  #refusal = { code: "", message: "" };

  /** @param {Needs} needs */
  constructor(needs) {
    this.#needs = needs;
  }

  /** Subscribe to these rooms and leave all others. @param {Iterable<string>} rooms */
  want(rooms) {
    const wanted = new Set(rooms);
    const left = [...this.#rooms].filter((room) => !wanted.has(room));
    const joined = [...wanted].filter((room) => !this.#rooms.has(room));
    this.#rooms = wanted;
    for (const room of left) {
      if (this.#connected) this.#socket?.emit("unsubscribe", target(room));
      this.#forget(room);
    }
    if (this.#connected) for (const room of joined) this.#socket?.emit("subscribe", target(room));
  }

  /** Connect now: at the start, after a login, and when the reader asks not to wait. */
  async connect() {
    const call = this.#end();
    this.#refusal = { code: "", message: "" };
    this.#say("connecting");
    const token = await this.#needs.token();
    if (call !== this.#call) return; // another call came while this one waited
    this.#token = token;
    this.#socket = new SocketIo(this.#needs.origin, token, {
      connected: () => this.#open(),
      event: (name, payload) => this.#event(name, payload),
      closed: (code, message) => this.#closed(code, message),
    });
  }

  /** Disconnect and forget everything, until a login. */
  stop() {
    this.#end();
    this.want([]);
    this.#say("refused");
  }

  /** End the present connection or attempt. @returns {number} the number of the next one */
  #end() {
    clearTimeout(this.#timer);
    this.#socket?.close();
    this.#connected = false;
    return ++this.#call;
  }

  /** An old value must not return together with its room. @param {string} room */
  #forget(room) {
    const { store } = this.#needs;
    const { type, symbol } = target(room);
    this.#counts.delete(room);
    store.delete(`joined:${room}`);
    if (type === "product") store.delete(`tick:${symbol}`);
    else if (symbol === undefined) store.delete(type);
    else for (const key of store.keys(`${room}:`)) store.delete(key);
  }

  #open() {
    this.#connected = true;
    this.#fresh = false;
    this.#attempt = 0;
    this.#counts.clear();
    // Every client starts in the room `general` with the ticks of all products; the page shows one product.
    this.#socket?.emit("unsubscribe", { type: "general" });
    for (const room of this.#rooms) this.#socket?.emit("subscribe", target(room));
    this.#say("live");
  }

  /** @param {string} code @param {string} message */
  #closed(code, message) {
    this.#connected = false;
    const refused = code ? { code, message } : this.#refusal;
    if (!NEEDS_LOGIN.has(refused.code)) this.#wait(refused.message || message, refused.code);
    else if (this.#token === null || this.#fresh) this.#say("refused", refused.message, refused.code);
    else this.#refresh(refused.message, refused.code);
  }

  /** Connect with the next token. @param {string} message @param {string} code why the gateway refused this one */
  async #refresh(message, code) {
    const call = this.#call;
    this.#say("connecting", message, code);
    await this.#needs.renew();
    const token = await this.#needs.token();
    if (call !== this.#call) return;
    if (token === this.#token) {
      this.#wait(message, code); // the gateway could not be asked
      return;
    }
    this.#fresh = true;
    this.connect();
  }

  /** Connect again later. @param {string} reason @param {string} code */
  #wait(reason, code) {
    const longest = Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** this.#attempt++);
    // Half of the wait is random, so that the clients of a restarted gateway do not return together.
    const wait = longest * (0.5 + Math.random() / 2);
    this.#timer = setTimeout(() => this.connect(), wait);
    this.#say("waiting", reason, code, wait);
  }

  /** @param {string} name @param {any} payload */
  #event(name, payload) {
    const { store, stream } = this.#needs;
    if (name === "subscribed") {
      this.#counts.set(payload.room, payload.seq);
      store.set(`joined:${payload.room}`, true);
    } else if (name === "resync") {
      stream.resynced();
      this.#counts.set(payload.room, payload.to_seq);
    } else if (name === "error") {
      stream.failed(payload.code);
      if (NEEDS_LOGIN.has(payload.code) || payload.code === "slow_client") this.#refusal = payload;
    } else if (payload?.room !== undefined && payload.seq !== undefined) {
      this.#data(name, payload);
    }
  }

  /** @param {string} name @param {any} payload */
  #data(name, payload) {
    const { store, clock, stream, ticks } = this.#needs;
    const before = this.#counts.get(payload.room);
    if (before === undefined) return; // the room was left
    if (payload.snapshot !== true) {
      if (payload.processed_at) clock.arrived(payload.processed_at); // a snapshot may be old
      this.#counts.set(payload.room, payload.seq);
      stream.received(payload.processed_at ? clock.ageMs(payload.processed_at) : null);
      if (payload.seq > before + 1) {
        stream.gap(payload.seq - before - 1);
        this.#socket?.emit("subscribe", target(payload.room)); // the answer is the room's present snapshot
      }
    }
    if (name === "underlying_update") ticks.add(payload);
    if (name === "chain_update") store.set(`chain:${payload.product}:${payload.expiry}`, payload);
    else if (name === "underlying_update") store.set(`tick:${payload.product}`, payload);
    else if (name.endsWith("_update")) store.set(name.slice(0, -"_update".length), payload);
  }

  /**
   * @param {import("./types.d.ts").Connection["state"]} state
   * @param {string} reason
   * @param {string} code
   * @param {number} waitMs
   */
  #say(state, reason = "", code = "", waitMs = 0) {
    const since = this.#needs.clock.monotonic();
    this.#needs.store.set("connection", { state, since, retryAt: since + waitMs, reason, code });
  }
}

/** @param {string} room @returns {{type: string, symbol?: string}} the payload that names a room in a request */
function target(room) {
  const [type, symbol] = room.split(":");
  return symbol === undefined ? { type } : { type, symbol };
}

/**
 * @param {string} socketUrl config.json's: empty, `:port` or an origin
 * @param {Location} page
 * @returns {string} the origin of the WebSocket
 */
export function socketOrigin(socketUrl, page) {
  if (socketUrl.startsWith("http")) return socketUrl.replace(/^http/, "ws");
  const host = socketUrl ? page.hostname + socketUrl : page.host;
  return `${page.protocol.replace("http", "ws")}//${host}`;
}
