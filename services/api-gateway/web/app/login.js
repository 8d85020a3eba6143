// The form to log in, create an account or log out, as a dialog and in place where a read is refused.

import { h } from "./dom.js";

/**
 * @param {import("./session.js").Session} session
 * @param {() => void} done called after a login
 * @returns {HTMLElement}
 */
export function loginForm(session, done = () => {}) {
  const email = input("email", "Email", "username");
  const password = input("password", "Password", "current-password");
  const problem = h("p", { class: "problem", role: "alert" });
  const form = h(
    "form",
    { class: "login" },
    h("label", {}, "Email", email),
    h("label", {}, "Password", password),
    problem,
    h(
      "p",
      { class: "buttons" },
      h("button", { type: "submit", value: "login", class: "primary" }, "Log in"),
      h("button", { type: "submit", value: "register" }, "Create account"),
    ),
  );
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const { submitter } = /** @type {SubmitEvent} */ (event);
    const action = submitter?.getAttribute("value") === "register" ? "register" : "login";
    problem.textContent = "";
    try {
      await session.login(email.value, password.value, action);
      password.value = "";
      done();
    } catch (error) {
      problem.textContent = /** @type {Failure} */ (error).detail;
      email.focus();
    }
  });
  return form;
}

/** The dialog behind the button `Account`. @param {import("./session.js").Session} session */
export function accountDialog(session) {
  const content = h("div");
  const dialog = /** @type {HTMLDialogElement} */ (h(
    "dialog",
    { "aria-labelledby": "account-title" },
    h("h2", { id: "account-title" }, "Account"),
    content,
    h("form", { method: "dialog" }, h("button", {}, "Close")),
  ));
  const close = () => dialog.close();
  document.body.append(dialog);
  return {
    /** @param {import("./types.d.ts").Account | null} account */
    open(account) {
      const leave = () => session.logout().then(close);
      content.replaceChildren(
        account
          ? h("p", {}, `Logged in as ${account.email}. `, h("button", { type: "button", onclick: leave }, "Log out"))
          : loginForm(session, close),
      );
      dialog.showModal();
    },
  };
}

/** @param {string} type @param {string} name @param {AutoFill} autocomplete @returns {HTMLInputElement} */
function input(type, name, autocomplete) {
  const attributes = { type, name: name.toLowerCase(), autocomplete, required: true, maxlength: "254" };
  return /** @type {HTMLInputElement} */ (h("input", attributes));
}
