// Starts the page: connects store, network, URL, head and views. Nothing else knows all of them.

import { Clock } from "./clock.js";
import { attribute, h } from "./dom.js";
import { Formats } from "./formats.js";
import { Head } from "./head.js";
import { installKeys, keysDialog } from "./keys.js";
import { Live, socketOrigin } from "./live.js";
import { accountDialog, loginForm } from "./login.js";
import { show } from "./notice.js";
import { Picker } from "./picker.js";
import { remember } from "./preferences.js";
import { Pulse } from "./pulse.js";
import { Resources } from "./resources.js";
import { Rest } from "./rest.js";
import { Router, format } from "./router.js";
import { Session } from "./session.js";
import { Stage } from "./stage.js";
import { Store } from "./store.js";
import { Stream } from "./stream.js";
import { Subject } from "./subject.js";
import { installStrays } from "./strays.js";
import { colour, installTheme } from "./theme.js";
import { Ticks } from "./ticks.js";
import { installTips } from "./tips.js";
import { VIEWS } from "./views.js";

/** @typedef {import("./types.d.ts").Config} Config */

const SECOND_MS = 1000;

const clock = new Clock();
const formats = new Formats();
const stream = new Stream();
const ticks = new Ticks();
const pulse = new Pulse((changed) => draw(changed));
const store = new Store((key) => pulse.mark(key));
const router = new Router(() => pulse.mark("route"));
/** @type {Rest} */
const rest = new Rest(clock, () => session.token(), () => session.renew());
const session = new Session((path, body) => rest.anonymous(path, body), store, clock);
const resources = new Resources((path) => rest.get(path), store, clock); // the shell's
const answers = new Resources((path) => rest.get(path), store, clock); // the present view's
const route = () => router.route();
/** @param {Partial<Route>} part */
const go = (part) => router.go(part);
const subject = new Subject({ store, resources, clock, formats, route, go });

/** @type {Context} */
const context = {
  store,
  clock,
  formats,
  route,
  go,
  colour,
  selection: () => shown,
  load: (path, maxAgeMs) => answers.load(path, maxAgeMs),
  post: (path, body) => rest.post(path, body),
  remove: (path) => rest.remove(path),
  stream,
  ticks,
  config: () => config,
};
const stage = new Stage(byId("view"), VIEWS, context, () => pulse.mark("route"));
const head = new Head(context);
const products = new Picker("Product", (product) => go({ product, expiry: "" }));
const expiries = new Picker("Expiry", (expiry) => go({ expiry }));
const account = accountDialog(session);

/** @type {Config} */
let config = { socket_url: "", anonymous_read: true, local: false };
/** @type {Live | null} */
let live = null;
let shown = { product: "", expiry: "" };
let asking = false;

store.set("connection", { state: "connecting", since: clock.monotonic(), retryAt: 0, reason: "", code: "" });
installStrays();
installTips();
installTheme(byId("theme"), () => pulse.mark("theme"));
installShell();
start();

async function start() {
  try {
    config = await rest.get("/web/config.json");
  } catch (failure) {
    const { detail } = /** @type {Failure} */ (failure);
    show(byId("notice"), { id: "start", title: "The gateway does not answer", text: `${detail}. The page tries again.` });
    byId("view").hidden = true;
    setTimeout(start, 2 * SECOND_MS);
    return;
  }
  const origin = socketOrigin(config.socket_url, location);
  live = new Live({ origin, token: () => session.token(), renew: () => session.renew(), store, clock, stream, ticks });
  setInterval(tick, SECOND_MS);
  begin();
}

/** Connect and ask again, or forget everything: at the start, after a login, and when the session has ended. */
function begin() {
  if (mayRead()) {
    live?.connect();
    resources.retry();
    answers.retry();
  } else {
    live?.stop();
    resources.clear();
    answers.clear();
  }
  pulse.mark("route");
}

function mayRead() {
  return config.anonymous_read || Boolean(store.get("account"));
}

/** Each second: ages grow. */
function tick() {
  pulse.mark("clock");
  if (clock.now() !== null || asking) return;
  asking = true; // any answer tells the time
  rest.get("/web/config.json").catch(() => {}).finally(() => (asking = false));
}

/** @param {ReadonlySet<string>} changed */
function draw(changed) {
  if (!live) return;
  if (changed.has("account")) begin();
  // After a sleep of the computer nothing that is known about time or connection holds.
  if (clock.jumped() && mayRead()) live.connect();
  const needsLogin = !mayRead() || store.get("connection").state === "refused";
  const entry = stage.entry(route().view);
  const change = new Set(changed);
  if (needsLogin) {
    show(byId("notice"), loginNotice());
  } else {
    subject.fill();
    const selection = subject.selection();
    if (selection.product !== shown.product || selection.expiry !== shown.expiry) change.add("route");
    if (selection.product !== shown.product) {
      answers.clear();
      remember("product", selection.product);
    }
    shown = selection;
    live.want([...roomsOf(selection.product), ...stage.rooms()]);
    show(byId("notice"), subject.notice(entry.needs));
  }
  const hidden = !byId("notice").hidden;
  if (byId("view").hidden && !hidden) change.add("route"); // a hidden view could not measure itself
  byId("view").hidden = hidden;
  head.update(change);
  if (stage.show(entry)) answers.clear();
  if (!needsLogin) stage.update(change);
  for (const link of byId("views").children) {
    const view = link.getAttribute("data-view") ?? "";
    attribute(link, "aria-current", view === entry.name ? "page" : null);
    attribute(link, "href", format({ ...route(), view, options: {} }));
  }
}

/** @param {string} product */
function roomsOf(product) {
  return product ? [`product:${product}`, `chain:${product}`] : [];
}

/** @returns {import("./notice.js").Notice} */
function loginNotice() {
  const { code, reason } = store.get("connection");
  const asked = session.ended ? "The session has ended." : "This system shows its data to accounts only.";
  const text = code ? `The gateway refused the connection: ${reason}.` : asked;
  return { id: "login", title: "Log in to see the data", text, extra: () => loginForm(session) };
}

function pickProduct() {
  products.open(subject.products().map((name) => ({ value: name, label: name })), shown.product);
}

function pickExpiry() {
  const choices = subject.expiries().map((date) => ({ value: date, label: formats.date(date) }));
  expiries.open(choices, shown.expiry);
}

/** @param {number} step */
function stepExpiry(step) {
  const known = subject.expiries();
  const next = known[known.indexOf(shown.expiry) + step];
  if (next) go({ expiry: next });
}

function installShell() {
  for (const { name, title } of VIEWS) byId("views").append(h("a", { href: `#/${name}`, "data-view": name }, title));
  /** @type {import("./keys.js").Key[]} */
  const keys = [
    ...VIEWS.map(({ name, title }, at) => ({ key: String(at + 1), does: title, run: () => go({ view: name }) })),
    { key: "/", does: "choose the product", run: pickProduct },
    { key: "[", does: "previous expiry", run: () => stepExpiry(-1) },
    { key: "]", does: "next expiry", run: () => stepExpiry(1) },
    { key: "?", does: "list the keys", run: () => dialog.showModal() },
  ];
  const dialog = keysDialog(keys);
  installKeys(keys);
  byId("pick-product").addEventListener("click", pickProduct);
  byId("pick-expiry").addEventListener("click", pickExpiry);
  byId("skip").addEventListener("click", (event) => {
    event.preventDefault(); // the URL's fragment is the route
    document.querySelector("main")?.focus();
  });
  byId("help").addEventListener("click", () => dialog.showModal());
  byId("account").addEventListener("click", () => account.open(store.get("account") ?? null));
}

/** @param {string} id @returns {HTMLElement} */
function byId(id) {
  return /** @type {HTMLElement} */ (document.getElementById(id));
}
