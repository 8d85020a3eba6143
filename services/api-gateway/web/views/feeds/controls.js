// Changes a feed: pause, resume, mode and replicas. In a cluster it shows the command to use instead.

import { attribute, h, write } from "../../app/dom.js";

const MODES = ["Automatic", "Recommend", "Manual", "External"];
/** The modes in which a person or another program gives the number of enrichers. */
const GIVEN = new Set(["Manual", "External"]);

export class Controls {
  element;
  #context;
  #rule = h("p", { class: "rule" });
  /** Pauses or resumes: one button, which keeps the focus. */
  #turn = button("Pause", () => this.#ask(this.#paused ? "resume" : "pause"));
  #mode = /** @type {HTMLSelectElement} */ (h("select", { name: "mode", onchange: () => this.#enable() }, ...MODES.map((mode) => h("option", {}, mode))));
  #replicas = /** @type {HTMLInputElement} */ (h("input", { name: "replicas", type: "number", min: "0", max: "1000", required: true }));
  #apply = /** @type {HTMLButtonElement} */ (h("button", { type: "submit" }, "Apply"));
  #result = h("p", { class: "result", role: "status" });
  #command = h("code", { tabindex: "0" });
  #copy = button("Copy", () => this.#copyCommand());
  #instead = h("p", { class: "command", hidden: true }, this.#command, " ", this.#copy);
  #feed = "";
  #asking = false;
  #allowed = false;
  #paused = false;

  /** @param {Context} context */
  constructor(context) {
    this.#context = context;
    const fields = [h("label", {}, "Mode ", this.#mode), h("label", {}, "Enrichers ", this.#replicas), this.#apply];
    const form = h("form", { onsubmit: (/** @type {Event} */ event) => this.#submit(event) }, ...fields);
    this.element = h("div", { class: "controls" }, h("h3", {}, "Change the feed"), this.#rule, h("p", { class: "buttons" }, this.#turn), form, this.#result, this.#instead);
  }

  /** @param {Feed} feed @param {"local" | "cluster"} authority */
  draw(feed, authority) {
    const account = this.#context.store.get("account") ?? null;
    const cluster = authority === "cluster";
    this.#allowed = account !== null && (cluster || account.roles.includes("operator"));
    write(this.#rule, rule(cluster, account));
    for (const element of [this.#turn, this.#apply]) element.hidden = !this.#allowed;
    const form = /** @type {HTMLElement} */ (this.#apply.closest("form"));
    form.hidden = !this.#allowed;
    this.#paused = feed.conditions.some(({ type, status }) => type === "Paused" && status === "True");
    write(this.#turn, this.#paused ? "Resume" : "Pause");
    write(this.#apply, cluster ? "Show the command" : "Apply");
    if (feed.name !== this.#feed) this.#start(feed);
    this.#enable();
  }

  /** Begin with what the feed has now. @param {Feed} feed */
  #start({ name, mode, enricher }) {
    this.#feed = name;
    this.#mode.value = mode ?? MODES[0];
    this.#replicas.value = String(enricher.desired ?? enricher.ready);
    this.#say("");
  }

  #enable() {
    this.#replicas.disabled = !GIVEN.has(this.#mode.value);
    attribute(this.#replicas, "title", this.#replicas.disabled ? `In mode ${this.#mode.value} the operator decides the number` : null);
    for (const one of [this.#turn, this.#apply]) attribute(one, "aria-disabled", this.#asking ? "true" : null); // a disabled one would lose the focus
  }

  /** @param {Event} event */
  #submit(event) {
    event.preventDefault();
    const mode = this.#mode.value;
    this.#ask("scale", GIVEN.has(mode) ? { mode, replicas: Number(this.#replicas.value) } : { mode });
  }

  /** @param {string} action @param {object} [body] */
  async #ask(action, body) {
    if (this.#asking) return;
    const feed = this.#feed;
    this.#asking = true;
    this.#enable();
    this.#say(`Asking to ${action} ${feed} …`);
    const answer = await this.#context.post(`/api/feeds/${encodeURIComponent(feed)}/${action}`, body).then(
      ({ detail }) => ({ text: `Done. ${detail}.`, failed: false, command: "" }),
      (/** @type {Failure} */ { detail, command }) => ({
        text: command ? "In a cluster the DeltaStreamFeed decides. Change it there with this command:" : `Not done: ${detail}.`,
        failed: !command,
        command,
      }),
    );
    this.#asking = false;
    this.#enable();
    if (feed === this.#feed) this.#say(answer.text, answer.failed, answer.command);
  }

  /** @param {string} text @param {boolean} failed @param {string} command */
  #say(text, failed = false, command = "") {
    write(this.#result, text);
    attribute(this.#result, "data-failed", failed ? "true" : null);
    write(this.#command, command);
    this.#instead.hidden = !command;
    write(this.#copy, "Copy");
  }

  /** The clipboard belongs to secure pages; elsewhere the command is selected, ready for the keyboard. */
  async #copyCommand() {
    try {
      await navigator.clipboard.writeText(this.#command.textContent ?? "");
      write(this.#copy, "Copied");
    } catch {
      getSelection()?.selectAllChildren(this.#command);
      write(this.#copy, "Selected");
    }
  }
}

/** Who may change a feed, in words. @param {boolean} cluster @param {import("../../app/types.d.ts").Account | null} account */
export function rule(cluster, account) {
  if (cluster) {
    const how = account ? "Choose a change to get its kubectl command." : "Log in (Account) to get the kubectl command of a change.";
    return `This is a cluster: its DeltaStreamFeed decides. ${how}`;
  }
  if (!account) return "Log in (Account) with the account that has the role operator: the first one that was registered in this local run.";
  if (!account.roles.includes("operator")) return "Your account may look but not change: only the first account of this local run has the role operator.";
  return "A change lasts until the local run ends.";
}

/** @param {string} label @param {() => void} run @returns {HTMLButtonElement} */
function button(label, run) {
  return /** @type {HTMLButtonElement} */ (h("button", { type: "button", onclick: run }, label));
}
