// Import files in a local run: by dropping or choosing them, with what they do not say, and the report of what was found.

import { attribute, h, write } from "../../app/dom.js";
import { rule } from "../feeds/controls.js";
import { Report } from "./report.js";

/** @typedef {import("../../app/types.d.ts").ImportState} ImportState */

const ASK_MS = 900; // the clock ticks each second
const MAX_BYTES = 32 * 1024 * 1024;
const FORMATS = ["auto", "nse", "cboe", "yahoo", "deribit", "dbn", "deltastream"];
/** What files may not say. @type {{id: string, label: string, hint: string, type: string}[]} */
const FIELDS = [
  { id: "as_of", label: "Time of the prices, with zone", hint: "2024-06-21T15:30:00+05:30", type: "text" },
  { id: "expiry", label: "Expiry", hint: "2024-06-27", type: "text" },
  { id: "spot", label: "Spot", hint: "23501.1", type: "text" },
  { id: "products", label: "Products", hint: "NIFTY", type: "text" },
];

export class Import {
  element;
  #context;
  #files = /** @type {HTMLInputElement} */ (h("input", { type: "file", multiple: true, required: true, onchange: () => this.#chosen() }));
  #feed = /** @type {HTMLInputElement} */ (h("input", { name: "feed", required: true, maxlength: "40", pattern: "[a-z0-9]([a-z0-9\\-]*[a-z0-9])?", title: "small letters, digits and hyphens" }));
  #format = /** @type {HTMLSelectElement} */ (h("select", { name: "format" }, ...FORMATS.map((format) => h("option", {}, format))));
  /** @type {Map<string, HTMLInputElement>} */
  #fields = new Map();
  #submit = /** @type {HTMLButtonElement} */ (h("button", { type: "submit" }, "Import"));
  #form;
  #rule = h("p", { class: "import-rule" });
  #said = h("p", { class: "import-said", role: "status" });
  #progress = /** @type {HTMLProgressElement} */ (h("progress", { "aria-label": "Progress of the import", hidden: true }));
  #report = new Report();
  #allowed = false;
  #asking = false;
  #id = "";

  /** @param {import("../../app/types.d.ts").Context} context @param {HTMLElement} view the files may be dropped anywhere on it */
  constructor(context, view) {
    this.#context = context;
    for (const { id, hint, type } of FIELDS) this.#fields.set(id, /** @type {HTMLInputElement} */ (h("input", { name: id, type, placeholder: hint, oninput: () => this.#mark("") })));
    const stated = FIELDS.map(({ id, label }) => h("label", {}, label, /** @type {HTMLInputElement} */ (this.#fields.get(id))));
    const given = [h("label", {}, "Files", this.#files), h("label", {}, "Name of the new feed", this.#feed), h("label", {}, "Format", this.#format)];
    const unsaid = h("fieldset", {}, h("legend", {}, "Only what the files do not say"), ...stated);
    this.#form = h("form", { onsubmit: (/** @type {Event} */ event) => this.#send(event) }, ...given, unsaid, this.#submit);
    this.element = h("details", { class: "import" }, h("summary", {}, "Import files"), h("p", { class: "import-rule" }, "Drop files here, or choose them: one, or several of one day, at most 32 MiB. They become a recording, and a new feed replays it."), this.#rule, this.#form, this.#said, this.#progress, this.#report.element);
    for (const name of ["dragenter", "dragover"]) view.addEventListener(name, (event) => this.#drag(/** @type {DragEvent} */ (event), true));
    for (const name of ["dragleave", "drop"]) view.addEventListener(name, (event) => this.#drag(/** @type {DragEvent} */ (event), false));
    view.addEventListener("drop", (event) => this.#drop(event));
  }

  draw() {
    this.element.hidden = !this.#context.config().local;
    const account = this.#context.store.get("account") ?? null;
    this.#allowed = account !== null && account.roles.includes("operator");
    write(this.#rule, this.#allowed ? "The feed lasts until the local run ends; its recording stays." : rule(false, account));
    this.#form.hidden = !this.#allowed;
    this.#submit.disabled = this.#asking;
    if (this.#id) this.#follow();
  }

  /** Ask how far the import is until it ends. */
  #follow() {
    const { data, error } = this.#context.load(`/api/imports/${this.#id}`, ASK_MS);
    if (error) return this.#say(`How far the import is is not known: ${error.detail}.`, true);
    if (data) this.#write(data);
  }

  /** @param {ImportState} state */
  #write({ feed, stage, read, of, detail, report }) {
    const ended = stage === "running" || stage === "refused";
    const doing = { waiting: "Waiting", converting: "Converting", checking: "Checking", running: `Done: the feed ${feed} replays the recording`, refused: "Not imported" };
    this.#say(`${doing[stage]}: ${detail}.`, stage === "refused");
    this.#progress.hidden = ended;
    if (of) Object.assign(this.#progress, { value: read, max: of });
    else this.#progress.removeAttribute("value");
    this.#report.draw(report);
    if (!ended) return;
    this.#said.scrollIntoView({ block: "nearest" });
    this.#id = "";
    this.#asking = false;
    this.#submit.disabled = false;
    if (stage === "running") this.#context.go({ options: { feed } });
    else this.#mark(`${detail} ${report?.problems.filter(({ refused }) => refused).map(({ text }) => text).join(" ") ?? ""}`);
  }

  /** Mark the fields that a refusal names in brackets, and go to the first. @param {string} refusal */
  #mark(refusal) {
    const named = [...this.#fields].filter(([id]) => refusal.includes(`(${id})`)).map(([, field]) => field);
    for (const field of this.#fields.values()) attribute(field, "aria-invalid", named.includes(field) ? "true" : null);
    named[0]?.focus();
  }

  /** @param {DragEvent} event @param {boolean} over */
  #drag(event, over) {
    if (this.element.hidden || !event.dataTransfer?.types.includes("Files")) return;
    event.preventDefault(); // else the browser opens the file in the page's place
    this.element.classList.toggle("over", over);
  }

  /** @param {DragEvent} event */
  #drop(event) {
    if (this.element.hidden || !event.dataTransfer?.files.length) return;
    /** @type {HTMLDetailsElement} */ (this.element).open = true;
    this.draw(); // a login may be newer than the last drawing
    if (!this.#allowed || this.#asking) return;
    this.#files.files = event.dataTransfer.files;
    this.#chosen();
    /** @type {HTMLFormElement} */ (this.#form).requestSubmit();
  }

  /** A name for the feed, from that of the first file. */
  #chosen() {
    const name = this.#files.files?.[0]?.name ?? "";
    const words = name.replace(/\.[a-z]+$/i, "").toLowerCase().replace(/[^a-z0-9]+/g, "-");
    this.#feed.value = words.replace(/^-+/, "").slice(0, 40).replace(/-+$/, "");
    this.#mark("");
  }

  /** @param {Event} event */
  async #send(event) {
    event.preventDefault();
    const files = [...(this.#files.files ?? [])];
    const bytes = files.reduce((sum, { size }) => sum + size, 0);
    this.#report.draw(null);
    if (bytes > MAX_BYTES) return this.#say(`The files have ${(bytes / 1024 / 1024).toFixed(1)} MiB, and the page takes at most 32 MiB: use bin/deltastream import, which has no such limit.`, true);
    const form = new FormData();
    for (const file of files) form.append("file", file);
    const query = new URLSearchParams({ feed: this.#feed.value, format: this.#format.value });
    for (const [id, field] of this.#fields) if (field.value.trim()) query.set(id, id === "products" ? field.value.toUpperCase().replaceAll(" ", "") : field.value.trim());
    this.#asking = true;
    this.#submit.disabled = true;
    this.#say("Sending …");
    await this.#context.post(`/api/imports?${query}`, form).then(
      (/** @type {ImportState} */ { id }) => (this.#id = id),
      (/** @type {import("../../app/types.d.ts").Failure} */ { detail }) => {
        this.#asking = false;
        this.#submit.disabled = false;
        this.#say(`Not imported: ${detail}.`, true);
      },
    );
  }

  /** @param {string} said @param {boolean} failed */
  #say(said, failed = false) {
    write(this.#said, said);
    attribute(this.#said, "data-failed", failed ? "true" : null);
  }
}
