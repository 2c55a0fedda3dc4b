// Dialogs: guidelines, keys, skip, log in again, refused answers. Native ones: they hold the focus and close by Esc.

import { ApiError, login } from "./api.js";
import { h, key } from "./dom.js";
import { render } from "./markdown.js";

const find = (id) => /** @type {HTMLDialogElement} */ (document.getElementById(id));

for (const dialog of document.querySelectorAll("dialog"))
  for (const button of dialog.querySelectorAll("[data-close]")) button.addEventListener("click", () => dialog.close());

export function showGuidelines(text) {
  const dialog = find("guidelines");
  const reading = dialog.querySelector(".read");
  if (text.trim()) reading.replaceChildren(render(text));
  else reading.replaceChildren(h("p", { class: "nothing" }, "This project has no guidelines."));
  dialog.showModal();
}

/** @param {Keys} keys */
export function showKeys(keys) {
  const dialog = find("shortcuts");
  const order = ["Judge", "Pair", "Look", "More"];
  const listed = [...keys.list()].sort(([one], [other]) => order.indexOf(one) - order.indexOf(other));
  const groups = listed.map(([group, rows]) =>
    h("section", {}, h("h3", {}, group), h("dl", {}, ...rows.flatMap((row) => [h("dt", {}, ...row.keys.map(key)), h("dd", {}, row.label)]))),
  );
  dialog.querySelector(".keys").replaceChildren(...groups);
  const box = /** @type {HTMLInputElement} */ (dialog.querySelector("input"));
  box.checked = keys.on;
  box.onchange = () => {
    keys.on = box.checked;
  };
  dialog.showModal();
}

/** @returns {Promise<{reason: string, note: string}|null>} null: not skipped */
export function askSkip() {
  const dialog = find("skip");
  const form = dialog.querySelector("form");
  form.reset();
  const radios = [...form.elements.reason];
  const digits = (event) => {
    const radio = event.target.matches("textarea") ? null : radios[Number(event.key) - 1];
    if (radio) radio.checked = true;
    radio?.focus();
    if (event.key !== "Enter" || event.target.matches("button") || (event.target.matches("textarea") && !event.ctrlKey)) return;
    event.preventDefault();
    form.requestSubmit();
  };
  return new Promise((resolve) => {
    const done = new AbortController();
    dialog.addEventListener("keydown", digits, { signal: done.signal });
    form.addEventListener(
      "submit",
      (event) => {
        event.preventDefault();
        const { reason, note } = Object.fromEntries(new FormData(form));
        resolve({ reason, note: note.trim() });
        dialog.close();
      },
      { signal: done.signal },
    );
    dialog.addEventListener(
      "close",
      () => {
        done.abort();
        resolve(null);
      },
      { signal: done.signal },
    );
    dialog.showModal();
    radios[0].focus();
  });
}

let asking = null;

/** Asks to log in again, once however many requests failed for it. Resolves to the id of who logged in. */
export function askLogin() {
  asking ??= new Promise((resolve) => {
    const dialog = find("login");
    const form = dialog.querySelector("form");
    const problem = form.querySelector(".error");
    const go = form.querySelector(".go");
    const done = new AbortController();
    dialog.addEventListener("cancel", (event) => event.preventDefault(), { signal: done.signal });
    form.addEventListener(
      "submit",
      async (event) => {
        event.preventDefault();
        if (go.disabled) return;
        go.disabled = true;
        problem.textContent = "";
        try {
          const user = await login(form.elements.username.value, form.elements.password.value);
          form.elements.password.value = "";
          done.abort();
          dialog.close();
          asking = null;
          resolve(user);
        } catch (error) {
          problem.textContent = error instanceof ApiError ? error.message : "The server does not answer. Try again.";
          form.elements.password.focus();
        } finally {
          go.disabled = false;
        }
      },
      { signal: done.signal },
    );
    for (const other of document.querySelectorAll("dialog[open]")) /** @type {HTMLDialogElement} */ (other).close();
    dialog.showModal();
    form.elements.password.focus();
  });
  return asking;
}

/**
 * What the server refused, each with the choice to open it again or to discard it.
 * @param {Entry[]} entries @param {{reopen: (entry: Entry) => void, discard: (entry: Entry) => void}} actions
 */
export function showRefused(entries, { reopen, discard }) {
  const dialog = find("refused");
  const chosen = (action, entry) => () => {
    dialog.close();
    action(entry);
  };
  dialog.querySelector(".list").replaceChildren(
    ...entries.map((entry) =>
      h(
        "section",
        {},
        h("p", {}, h("b", {}, entry.title || "A pair")),
        h("p", { class: "error" }, entry.refused.detail),
        h(
          "p",
          { class: "ends" },
          h("button", { type: "button", on: { click: chosen(discard, entry) } }, "Discard it for good"),
          h("button", { type: "button", class: "go", on: { click: chosen(reopen, entry) } }, "Open it again"),
        ),
      ),
    ),
  );
  dialog.showModal();
}
