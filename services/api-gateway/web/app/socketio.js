// One connection to the Socket.IO gateway: Socket.IO protocol 5 in Engine.IO 4 over a WebSocket.
//
// The gateway needs neither acknowledgements nor binary packets nor polling, so this is all of the protocol that the
// page uses. socket.io-client would be 14 kB, more than the rest of the page's shell.

const OPEN = "0";
const CLOSE = "1";
const PING = "2";
const PONG = "3";
const CONNECT = "40";
const DISCONNECT = "41";
const EVENT = "42";
const CONNECT_ERROR = "44";

/**
 * @typedef {object} Handlers
 * @property {() => void} connected
 * @property {(name: string, payload: any) => void} event
 * @property {(code: string, message: string) => void} closed called once, also if the connection never opened; `code`
 *   is that of the gateway's refusal or empty
 */

export class SocketIo {
  #socket;
  #handlers;
  #token;
  #silenceMs = 20_000;
  #watchdog = 0;
  #done = false;

  /** @param {string} origin `ws://host:port` @param {string | null} token @param {Handlers} handlers */
  constructor(origin, token, handlers) {
    this.#handlers = handlers;
    this.#token = token;
    this.#socket = new WebSocket(`${origin}/socket.io/?EIO=4&transport=websocket`);
    this.#socket.addEventListener("message", ({ data }) => this.#packet(String(data)));
    this.#socket.addEventListener("close", () => this.#end("", "the connection ended"));
    this.#expect();
  }

  /** @param {string} name @param {unknown} payload */
  emit(name, payload) {
    this.#send(EVENT + JSON.stringify([name, payload]));
  }

  /** End the connection. `closed` is not called. */
  close() {
    this.#done = true;
    clearTimeout(this.#watchdog);
    this.#socket.close();
  }

  /** @param {string} packet */
  #packet(packet) {
    if (this.#done) return;
    this.#expect();
    if (packet.startsWith(EVENT)) {
      const [name, payload] = JSON.parse(packet.slice(packet.indexOf("[")));
      this.#handlers.event(name, payload);
    } else if (packet === PING) {
      this.#send(PONG);
    } else if (packet.startsWith(CONNECT_ERROR)) {
      const { message, data } = JSON.parse(packet.slice(2));
      this.#end(data?.code ?? "refused", message);
    } else if (packet.startsWith(CONNECT)) {
      this.#handlers.connected();
    } else if (packet.startsWith(OPEN)) {
      const { pingInterval, pingTimeout } = JSON.parse(packet.slice(1));
      this.#silenceMs = pingInterval + pingTimeout;
      this.#send(CONNECT + (this.#token === null ? "" : JSON.stringify({ token: this.#token })));
    } else if (packet === DISCONNECT || packet === CLOSE) {
      this.#end("", "the gateway ended the connection");
    }
  }

  /** The gateway pings: a longer silence means that the connection is dead, although no error has arrived. */
  #expect() {
    clearTimeout(this.#watchdog);
    this.#watchdog = setTimeout(() => this.#end("", "the gateway is silent"), this.#silenceMs);
  }

  /** @param {string} packet */
  #send(packet) {
    if (this.#socket.readyState === WebSocket.OPEN) this.#socket.send(packet);
  }

  /** @param {string} code @param {string} message */
  #end(code, message) {
    if (this.#done) return;
    this.close();
    this.#handlers.closed(code, message);
  }
}
