// Counts what arrives over the live connection: events, gaps, resyncs, errors, and the latency of the last events.

const KEPT = 1000;

export class Stream {
  events = 0;
  lost = 0;
  gaps = 0;
  resyncs = 0;
  /** @type {Record<string, number>} the gateway's errors by code */
  errors = {};
  /** Latencies from the worker to this page in ms, of the last events in no order. @type {number[]} */
  latenciesMs = [];

  /** @param {number | null} latencyMs null if the event has no time of processing */
  received(latencyMs) {
    if (latencyMs !== null) this.latenciesMs[this.events % KEPT] = latencyMs;
    this.events += 1;
  }

  /** @param {number} missing the number of events that did not arrive */
  gap(missing) {
    this.gaps += 1;
    this.lost += missing;
  }

  resynced() {
    this.resyncs += 1;
  }

  /** @param {string} code */
  failed(code) {
    this.errors[code] = (this.errors[code] ?? 0) + 1;
  }
}
