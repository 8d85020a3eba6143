// Import files in a local run: by dropping or choosing them, with what they do not say, and the report of what was found.

import { attribute, h, write } from "../../app/dom.js";
import { feedsTable } from "../../app/feeds.js";
import { sentence } from "../../app/notice.js";
import { rule } from "../feeds/controls.js";
import { installDrop, nameOf, notTaken } from "./files.js";
import { Report } from "./report.js";

const ASK_MS = 900; // the clock ticks each second
const FORMATS = ["auto", "nse", "cboe", "yahoo", "deribit", "dbn", "deltastream"];
/** What files may not say. @type {{id: string, label: string, attributes: Record<string, string>}[]} */
const FIELDS = [
  { id: "as_of", label: "Time of the prices, with zone", attributes: { placeholder: "2024-06-21T15:30:00+05:30", pattern: "\\d{4}-\\d{2}-\\d{2}[T ]\\d{2}:\\d{2}(:\\d{2}(\\.\\d{1,6})?)?(Z|[+\\-]\\d{2}:?\\d{2})", title: "date, time and zone, such as 2024-06-21T15:30:00+05:30" } },
  { id: "expiry", label: "Expiry", attributes: { type: "date" } },
  { id: "spot", label: "Spot", attributes: { placeholder: "23501.1", inputmode: "decimal" } },
  { id: "products", label: "Products", attributes: { placeholder: "NIFTY" } },
];
/** The store's key of the import that runs: another view may be shown meanwhile. */
const RUNNING = "import";

export class Import {
  element;
  #context;
  #files = input({ type: "file", multiple: true, required: true, onchange: () => this.#chosen() });
  #feed = input({ name: "feed", required: true, maxlength: "40", pattern: "[a-z0-9]([a-z0-9\\-]*[a-z0-9])?", title: "small letters, digits and hyphens" });
  #format = /** @type {HTMLSelectElement} */ (h("select", { name: "format" }, ...FORMATS.map((format) => h("option", {}, format))));
  /** The fields that a refusal may name. @type {Map<string, HTMLInputElement>} */
  #fields = new Map([["feed", this.#feed]]);
  #submit = h("button", { type: "submit" }, "Import");
  #form;
  #rule = h("p", { class: "import-rule" });
  #said = h("p", { class: "import-said", id: "import-said", role: "status" });
  #busy = h("p", { class: "import-said", role: "status" });
  #progress = /** @type {HTMLProgressElement} */ (h("progress", { "aria-label": "Progress of the import", hidden: true }));
  #cancel = h("button", { type: "button", hidden: true, onclick: () => this.#stop() }, "Cancel the import");
  #report = new Report();
  #removeDrop;
  #allowed = false;
  #sending = false;
  /** The names of the files that were sent last. */
  #sent = "";

  /** @param {Context} context @param {HTMLElement} view the files may be dropped anywhere on it */
  constructor(context, view) {
    this.#context = context;
    const stated = FIELDS.map(({ id, label, attributes }) => {
      const field = input({ name: id, autocomplete: "off", ...attributes, oninput: () => this.#mark("") });
      this.#fields.set(id, field);
      return labelled(label, field);
    });
    const given = [labelled("Files", this.#files), labelled("Name of the new feed", this.#feed), labelled("Format", this.#format)];
    const unsaid = h("fieldset", {}, h("legend", {}, "Only what the files do not say"), ...stated);
    const listeners = { onsubmit: (/** @type {Event} */ event) => this.#send(event), onreset: () => this.#clear() };
    this.#form = /** @type {HTMLFormElement} */ (h("form", listeners, ...given, unsaid, this.#submit, h("button", { type: "reset" }, "Clear")));
    this.element = h("details", { class: "import", open: this.#runs() }, h("summary", {}, "Import files"), h("p", { class: "import-rule" }, "Drop files here, or choose them: one, or several of one day, at most 32 MiB. They become a recording, and a new feed replays it."), this.#rule, this.#form, this.#said, this.#busy, this.#progress, this.#cancel, this.#report.element);
    this.#removeDrop = installDrop(view, this.element, (files) => this.#drop(files));
  }

  draw() {
    this.element.hidden = !this.#context.config().local;
    const account = this.#context.store.get("account") ?? null;
    this.#allowed = account !== null && account.roles.includes("operator");
    write(this.#rule, this.#allowed ? "The feed lasts until the local run ends; its recording stays." : rule(false, account));
    this.#form.hidden = !this.#allowed;
    attribute(this.#submit, "aria-disabled", this.#runs() ? "true" : null); // a disabled button would lose the focus
    if (this.#context.store.get(RUNNING)) this.#follow();
  }

  unmount() {
    this.#removeDrop();
  }

  #runs() {
    return this.#sending || Boolean(this.#context.store.get(RUNNING));
  }

  /** Ask how far the import is until it ends. */
  #follow() {
    const { data, error } = this.#context.load(`/api/imports/${this.#context.store.get(RUNNING)}`, ASK_MS);
    if (data) this.#write(data);
    if (!error) return;
    const lost = error.retryAt === null; // the gateway does not know it any more
    this.#say(`It is not known how far the import is: ${sentence(error.detail)}`, true);
    if (lost) this.#end();
  }

  /** @param {ImportState} state */
  #write({ feed, stage, read, of, detail, report }) {
    const ended = ["running", "refused", "cancelled"].includes(stage);
    const doing = { waiting: "Waiting", converting: "Converting", checking: "Checking", running: `Done: the feed ${feed} replays the recording`, refused: "Not imported", cancelled: "Cancelled" };
    this.#say(`${doing[stage]}: ${sentence(detail)}`, stage === "refused");
    this.#progress.hidden = this.#cancel.hidden = false;
    if (of) Object.assign(this.#progress, { value: read, max: of });
    else this.#progress.removeAttribute("value");
    this.#report.draw(report);
    if (!ended) return;
    this.#end();
    if (stage === "running") this.#context.go({ options: { feed } });
    else if (stage === "refused") this.#mark(`${detail} ${report?.problems.filter(({ refused }) => refused).map(({ text }) => text).join(" ") ?? ""}`);
  }

  /** Another import may begin. */
  #end() {
    this.#context.store.delete(RUNNING);
    if (document.activeElement === this.#cancel) this.#submit.focus();
    this.#progress.hidden = this.#cancel.hidden = true;
    attribute(this.#submit, "aria-disabled", null);
    write(this.#busy, "");
    this.#said.scrollIntoView({ block: "nearest" });
  }

  #stop() {
    write(this.#busy, "Cancelling …");
    this.#context.remove(`/api/imports/${this.#context.store.get(RUNNING)}`).catch((/** @type {Failure} */ { detail }) => write(this.#busy, `Not cancelled: ${sentence(detail)}`));
  }

  /** Mark the fields that a refusal names, as `(spot)` or `spot: …`, and go to the first. @param {string} refusal */
  #mark(refusal) {
    const named = [...this.#fields].filter(([id]) => new RegExp(`\\(${id}\\)|(^|; )${id}:`).test(refusal)).map(([, field]) => field);
    for (const field of this.#fields.values()) {
      const wrong = named.includes(field);
      attribute(field, "aria-invalid", wrong ? "true" : null);
      attribute(field, "aria-describedby", wrong ? this.#said.id : null);
    }
    named[0]?.focus();
  }

  /** @param {FileList} files */
  #drop(files) {
    if (this.element.hidden) return;
    /** @type {HTMLDetailsElement} */ (this.element).open = true;
    this.draw(); // a login may be newer than the last drawing
    if (!this.#allowed) return;
    if (this.#runs()) return write(this.#busy, "One import at a time: drop these files again when it has ended.");
    this.#files.files = files;
    this.#chosen();
    this.#form.requestSubmit();
  }

  /** What was stated for other files may be wrong for these. */
  #chosen() {
    if (this.#sent && this.#sent !== this.#names()) for (const { id } of FIELDS) /** @type {HTMLInputElement} */ (this.#fields.get(id)).value = "";
    this.#sent = "";
    const taken = feedsTable(this.#context).table?.feeds.map(({ name }) => name) ?? [];
    this.#feed.value = nameOf(this.#files.files?.[0]?.name ?? "", taken);
    this.#mark("");
  }

  #names() {
    return [...(this.#files.files ?? [])].map(({ name }) => name).join("\n");
  }

  /** @param {Event} event */
  async #send(event) {
    event.preventDefault();
    if (this.#runs()) return;
    const files = [...(this.#files.files ?? [])];
    this.#report.draw(null);
    this.#sent = this.#names();
    this.#sending = true;
    const refusal = await notTaken(files);
    if (refusal) this.#say(`Not imported: ${refusal}`, true);
    else await this.#post(files);
    this.#sending = false;
  }

  /** @param {File[]} files */
  async #post(files) {
    const form = new FormData();
    for (const file of files) form.append("file", file);
    const query = new URLSearchParams({ feed: this.#feed.value, format: this.#format.value });
    for (const { id } of FIELDS) {
      const value = this.#fields.get(id)?.value.trim() ?? "";
      if (value) query.set(id, id === "products" ? value.toUpperCase().replaceAll(" ", "") : value);
    }
    attribute(this.#submit, "aria-disabled", "true");
    this.#say("Sending …");
    await this.#context.post(`/api/imports?${query}`, form).then(
      (/** @type {ImportState} */ { id }) => this.#context.store.set(RUNNING, id),
      (/** @type {Failure} */ { detail }) => {
        this.#say(`Not imported: ${sentence(detail)}`, true);
        this.#end();
        this.#mark(detail);
      },
    );
  }

  #clear() {
    this.#mark("");
    if (this.#runs()) return;
    this.#say("");
    this.#report.draw(null);
  }

  /** @param {string} said @param {boolean} failed */
  #say(said, failed = false) {
    write(this.#said, said);
    attribute(this.#said, "data-failed", failed ? "true" : null);
  }
}

/** @param {string} text @param {HTMLElement} field */
function labelled(text, field) {
  return h("label", {}, h("span", {}, text), field);
}

/** @param {Parameters<typeof h>[1]} attributes */
function input(attributes) {
  return /** @type {HTMLInputElement} */ (h("input", attributes));
}
