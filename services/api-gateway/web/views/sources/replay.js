// Where a replay is, and how to steer it in a local run: pause, play, speed and the time to go to.

import { attribute, h, write } from "../../app/dom.js";
import { rule } from "../feeds/controls.js";

/** @typedef {import("../../app/types.d.ts").ReplayState} ReplayState */
/** @typedef {{paused?: boolean, speed_percent?: number, seek?: string}} Command */

const ASK_MS = 900; // the clock ticks each second
/** After a refusal, such as that no generator reports: the browser logs each one as an error. */
const ASK_AGAIN_MS = 5_000;
/** Each arrow key moves the track: the replay goes where the reader stops. */
const SETTLED_MS = 400;
const SPEEDS = [10, 25, 50, 100, 200, 500, 1_000, 5_000, 10_000, 100_000];

export class Replay {
  element;
  #context;
  #said = h("p", { class: "replay-said" });
  #play = /** @type {HTMLButtonElement} */ (h("button", { type: "button", onclick: () => this.#toggle() }, "Pause"));
  #speed = /** @type {HTMLSelectElement} */ (h("select", { onchange: () => this.#ask({ speed_percent: Number(this.#speed.value) }) }));
  #track = /** @type {HTMLInputElement} */ (h("input", { type: "range", step: "1000", "aria-label": "Position in the recording" }));
  #first = h("span");
  #last = h("span");
  #time = /** @type {HTMLInputElement} */ (h("input", { type: "datetime-local", step: "1", required: true }));
  #go = /** @type {HTMLButtonElement} */ (h("button", { type: "submit" }, "Go"));
  #controls;
  #rule = h("p", { class: "replay-rule" });
  #result = h("p", { class: "replay-result", role: "status" });
  #feed = "";
  /** @type {ReplayState | null} */
  #state = null;
  #asking = false;
  /** What the reader has asked for meanwhile. @type {Command | null} */
  #next = null;
  #settling = 0;
  /** The pass after which the track follows the replay again; -1 while the reader moves it, 0 always. */
  #heldIn = 0;

  /** @param {Context} context */
  constructor(context) {
    this.#context = context;
    this.#track.addEventListener("input", () => this.#aim());
    this.#track.addEventListener("change", () => this.#settle());
    const form = h("form", { onsubmit: (/** @type {Event} */ event) => this.#submit(event) }, h("label", {}, "Go to (UTC) ", this.#time), this.#go);
    this.#controls = h("div", { class: "replay-controls" }, this.#play, h("label", {}, "Speed ", this.#speed), form);
    const track = h("div", { class: "replay-track" }, this.#track, h("p", {}, this.#first, this.#last));
    this.element = h("section", { class: "replay", "aria-label": "Replay" }, h("h3", {}, "Replay"), this.#said, track, this.#controls, this.#rule, this.#result);
  }

  /** @param {Feed} feed @param {"local" | "cluster"} authority */
  draw(feed, authority) {
    this.element.hidden = feed.source !== "replay";
    if (this.element.hidden) return;
    if (feed.name !== this.#feed) this.#begin(feed.name);
    const why = this.#load(feed);
    const account = this.#context.store.get("account") ?? null;
    const allowed = authority === "local" && account !== null && account.roles.includes("operator");
    this.#controls.hidden = !allowed || !this.#state;
    this.#track.hidden = !this.#state;
    this.#track.disabled = this.#controls.hidden;
    write(this.#rule, authority === "local" ? rule(false, account) : "In a cluster the DeltaStreamFeed decides how a recording plays.");
    if (this.#state) this.#write(this.#state);
    else for (const bound of [this.#first, this.#last]) write(bound, "");
    if (why) write(this.#said, why);
  }

  /** Ask where the replay is. @param {Feed} feed @returns {string} why it is not known; empty if it is */
  #load({ name, generator }) {
    if (!generator.ready) {
      this.#state = null;
      return "No generator of this replay runs, so nothing is played.";
    }
    const { load, store } = this.#context;
    const path = `/api/feeds/${encodeURIComponent(name)}/replay`;
    const { data, error } = load(path, store.get(path)?.error ? ASK_AGAIN_MS : ASK_MS);
    // What is known stays while the gateway cannot be asked.
    this.#state = error && error.retryAt === null ? null : data;
    if (!error) return data ? "" : "Asking the gateway …";
    return `It is not known where the replay is: ${error.detail}.`;
  }

  unmount() {
    clearTimeout(this.#settling);
  }

  /** @param {string} feed */
  #begin(feed) {
    this.#feed = feed;
    this.#state = null;
    this.#heldIn = 0;
    this.#next = null;
    clearTimeout(this.#settling);
    this.#time.value = "";
    this.#say("");
  }

  /** @param {ReplayState} state */
  #write({ paused, ended, speed_percent: percent, position, first, last, pass_number: pass }) {
    const doing = ended ? "Ended" : paused ? "Paused" : `Playing at ${speed(percent)}`;
    write(this.#said, `${doing}: ${text(position)}, pass ${pass}`);
    write(this.#play, ended ? "Play again" : paused ? "Play" : "Pause");
    write(this.#first, text(first));
    write(this.#last, text(last));
    if (document.activeElement !== this.#speed) this.#drawSpeed(percent);
    attribute(this.#track, "min", String(Math.floor(Date.parse(first) / 1000) * 1000));
    attribute(this.#track, "max", String(Math.ceil(Date.parse(last) / 1000) * 1000));
    attribute(this.#time, "min", first.slice(0, 19));
    attribute(this.#time, "max", last.slice(0, 19));
    if (!this.#time.value) this.#time.value = first.slice(0, 19);
    if (this.#heldIn < 0 || pass <= this.#heldIn) return;
    this.#heldIn = 0;
    this.#track.value = String(Date.parse(position));
    attribute(this.#track, "aria-valuetext", text(position));
  }

  /** A speed that the list does not have, such as that of the feed's file, is in it too. @param {number} percent */
  #drawSpeed(percent) {
    const speeds = [...new Set([...SPEEDS, percent])].sort((one, other) => one - other);
    if (this.#speed.options.length !== speeds.length || !speeds.every((one, at) => this.#speed.options[at].value === String(one))) {
      this.#speed.replaceChildren(...speeds.map((one) => h("option", { value: String(one) }, speed(one))));
    }
    this.#speed.value = String(percent);
  }

  #toggle() {
    if (!this.#state) return;
    const { ended, first, paused } = this.#state;
    this.#ask(ended ? { paused: false, seek: first } : { paused: !paused });
  }

  /** The reader moves the track: say where it would go. */
  #aim() {
    this.#heldIn = -1;
    const aimed = text(new Date(Number(this.#track.value)).toISOString());
    attribute(this.#track, "aria-valuetext", aimed);
    this.#say(`Go to ${aimed}`);
  }

  /** The reader has moved the track: go there, unless another move follows. */
  #settle() {
    clearTimeout(this.#settling);
    this.#settling = setTimeout(() => this.#seek(Number(this.#track.value)), SETTLED_MS);
  }

  /** @param {Event} event */
  #submit(event) {
    event.preventDefault();
    this.#seek(Date.parse(`${this.#time.value}Z`));
  }

  /** The bounds have fractions of a second, which neither input has. @param {number} time ms */
  #seek(time) {
    const state = this.#state;
    if (!state) return;
    this.#heldIn = state.pass_number;
    const { first, last } = state;
    const inSecond = (/** @type {string} */ bound) => Math.abs(time - Date.parse(bound)) < 1000;
    this.#ask({ seek: inSecond(first) && time < Date.parse(first) ? first : inSecond(last) && time > Date.parse(last) ? last : new Date(time).toISOString() });
  }

  /** @param {Command} command */
  async #ask(command) {
    if (this.#asking) {
      this.#next = { ...this.#next, ...command }; // a disabled button would lose the keyboard's focus
      return;
    }
    const feed = this.#feed;
    this.#asking = true;
    this.#say("Asking …");
    const failure = await this.#context.post(`/api/feeds/${encodeURIComponent(feed)}/replay`, command).then(
      () => "",
      (/** @type {Failure} */ { detail }) => `Not done: ${detail}.`,
    );
    this.#asking = false;
    if (feed !== this.#feed) return;
    if (failure) this.#heldIn = 0;
    this.#say(failure || `Done: ${worded(command)}.`, failure !== "");
    const next = this.#next;
    this.#next = null;
    if (next) this.#ask(next);
  }

  /** @param {string} said @param {boolean} failed */
  #say(said, failed = false) {
    write(this.#result, said);
    attribute(this.#result, "data-failed", failed ? "true" : null);
  }
}

/** @param {Command} command */
function worded({ paused, speed_percent: percent, seek }) {
  if (seek && paused === false) return "plays from the beginning";
  if (seek) return `goes to ${text(seek)}`;
  if (percent) return `plays at ${speed(percent)}`;
  return paused ? "pauses" : "plays";
}

/** @param {number} percent */
function speed(percent) {
  return `${percent / 100}×`;
}

/** @param {string} time RFC 3339 in UTC */
function text(time) {
  return `${time.slice(0, 10)} ${time.slice(11, 19)} UTC`;
}
