// From the worker to this page: latency, messages per second, gaps and resyncs of the live connection.

import { MISSING } from "../../app/formats.js";
import { Rate, percentile, sorted } from "./measures.js";
import { Panel } from "./panel.js";

const WINDOW_MS = 10_000;
const LEAST = 20; // messages: with fewer, the quickest one says little about the server's time
const FIGURES = [
  { id: "p50", label: "p50", meaning: "Half of the messages were at least so quick" },
  { id: "p95", label: "p95", meaning: "95 of 100 messages were at least so quick" },
  { id: "p99", label: "p99", meaning: "99 of 100 messages were at least so quick" },
  { id: "slowest", label: "Slowest", meaning: "The slowest of these messages" },
  { id: "rate", label: "Messages/s", meaning: "Messages per second over the last 10 s" },
  { id: "events", label: "Messages", meaning: "Messages since the page was opened" },
  { id: "gaps", label: "Gaps", meaning: "Times that messages were missing, by the sequence numbers of a room" },
  { id: "lost", label: "Lost", meaning: "Messages that were missing in the gaps" },
  { id: "resyncs", label: "Resyncs", meaning: "Times that the gateway sent the present state instead of messages" },
];

export class Delivery {
  #context;
  #rate = new Rate(WINDOW_MS);
  #panel = new Panel("Stream to browser", FIGURES, { caption: "Errors of the live connection", headings: ["Error", "Times"] });

  /** @param {Context} context */
  constructor(context) {
    this.#context = context;
  }

  get element() {
    return this.#panel.element;
  }

  /** Called each second. */
  draw() {
    const { stream, formats, clock, store } = this.#context;
    this.#rate.read(clock.monotonic(), stream.events);
    const latencies = sorted(stream.latenciesMs);
    const known = latencies.length >= LEAST;
    /** @param {number} share */
    const ms = (share) => (known ? `${formats.number(percentile(latencies, share), 0)} ms` : MISSING);
    for (const [id, share] of /** @type {const} */ ([["p50", 0.5], ["p95", 0.95], ["p99", 0.99], ["slowest", 1]])) this.#panel.figure(id, ms(share));
    const rate = this.#rate.perSecond();
    this.#panel.figure("rate", rate === null ? MISSING : formats.number(rate, 1));
    for (const id of /** @type {const} */ (["events", "gaps", "lost", "resyncs"])) this.#panel.figure(id, formats.count(stream[id]));
    const { state } = store.get("connection");
    const counted = known
      ? `Latency from the worker to this page, of the last ${formats.count(latencies.length)} messages. It is the time beyond the quickest one, from which the page knows the server's time.`
      : `The latency is known after ${LEAST} messages with a time; ${formats.count(latencies.length)} have arrived since the page was opened.`;
    this.#panel.say(state === "live" ? counted : `The live connection is down. ${counted}`);
    this.#panel.rows(Object.entries(stream.errors).map(([code, times]) => ({ key: code, cells: [code, formats.count(times)] })));
  }
}
