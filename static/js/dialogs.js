// Dialogs: guidelines, keys, skip, log in again, refused answers. Native ones: they hold the focus and close by Esc.

import { ApiError, login, loginCode, whoIsIn } from "./api.js";
import { h, key } from "./dom.js";
import { render } from "./markdown.js";
import { told } from "./scale.js";
import { choose, chooseNone } from "./spelling.js";
import { inContext, t, time } from "./tongue.js";

const PAST = 50; // claims a page of the history has
/** Groups of keys in words, in the order in which they are listed. */
const GROUPS = {
  Judge: inContext("keys", "Judge"),
  Pair: inContext("keys", "Pair"),
  Look: inContext("keys", "Look"),
  Prompt: t("Prompt"),
  More: inContext("keys", "More"),
};
const OUTCOMES = { submitted: t("Judged"), skipped: t("Skipped"), expired: t("Not judged in time") };
const find = (id) => /** @type {HTMLDialogElement} */ (document.getElementById(id));

for (const dialog of document.querySelectorAll("dialog")) {
  for (const button of dialog.querySelectorAll("[data-close]")) button.addEventListener("click", () => dialog.close());
  // Where nothing had the focus before, a button that is gone would keep it until the next frame, and take the next key.
  new MutationObserver(() => {
    const { activeElement: focused } = document;
    if (!dialog.open && focused instanceof HTMLElement && dialog.contains(focused)) focused.blur();
  }).observe(dialog, { attributeFilter: ["open"] });
}

/** Resolves when a dialog is no longer open, before the next key: the event "close" may come after it, and the key be lost. */
function closing(dialog) {
  return new Promise((resolve) => {
    const watch = new MutationObserver(() => {
      if (dialog.open) return;
      watch.disconnect();
      resolve();
    });
    watch.observe(dialog, { attributeFilter: ["open"] });
  });
}

export function showGuidelines(text) {
  const dialog = find("guidelines");
  const reading = dialog.querySelector(".read");
  if (text.trim()) reading.replaceChildren(render(text));
  else reading.replaceChildren(h("p", { class: "nothing" }, t("This project has no guidelines.")));
  dialog.showModal();
}

/** @param {Keys} keys */
export function showKeys(keys) {
  const dialog = find("shortcuts");
  const order = Object.keys(GROUPS);
  const listed = [...keys.list()].sort(([one], [other]) => order.indexOf(one) - order.indexOf(other));
  const groups = listed.map(([group, rows]) =>
    h("section", {}, h("h3", {}, GROUPS[group]), h("dl", {}, ...rows.flatMap((row) => [h("dt", {}, ...row.keys.map((name) => h("kbd", { "aria-hidden": "true" }, name))), h("dd", {}, row.label, changer(row))]))),
  );
  dialog.querySelector(".keys").replaceChildren(...groups);
  const told = dialog.querySelector(".told");
  told.textContent = "";
  let changed = false;
  const again = /** @type {HTMLButtonElement} */ (dialog.querySelector(".ours"));
  again.onclick = () => {
    chooseNone();
    changed = true;
    dialog.close();
  };
  /** A button that takes the next key pressed in place of an action's own. */
  function changer({ keys: [present], names, label }) {
    const [name] = names;
    if (names.length > 1 || name === "Enter" || name === "Escape") return null;
    const button = h("button", { type: "button", class: "change", "aria-label": t("Another key for {action}", { action: label }) }, inContext("a key", "Change"));
    button.addEventListener("click", () => {
      told.textContent = t("Press the key for “{action}”; Esc leaves {key}.", { action: label, key: present });
      button.addEventListener("keydown", taking);
      button.addEventListener("blur", () => button.removeEventListener("keydown", taking), { once: true });
    });
    const taking = (event) => {
      if (event.key === "Tab" || event.key === "Shift") return;
      event.preventDefault();
      event.stopPropagation();
      button.removeEventListener("keydown", taking);
      const other = event.key.toUpperCase();
      const before = keys.taken(other, name);
      if (event.key === "Escape") told.textContent = "";
      else if (event.key.length !== 1 || event.ctrlKey || event.metaKey || event.altKey) told.textContent = t("Only a letter, a digit or a sign can be chosen.");
      else if (before) told.textContent = t("{key} is taken: {action}.", { key: other, action: before });
      else {
        choose(name, other);
        changed = true;
        button.parentElement.previousElementSibling.replaceChildren(h("kbd", { "aria-hidden": "true" }, other));
        told.textContent = t("{key} it is: “{action}”.", { key: other, action: label });
      }
    };
    return button;
  }
  // Every key that is printed somewhere is printed anew.
  closing(dialog).then(() => changed && location.reload());
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
    dialog.showModal();
    closing(dialog).then(() => {
      done.abort();
      resolve(null);
    });
    radios[0].focus();
  });
}

/** Tells what was not seen. @param {string} text @returns {Promise<boolean>} whether a medium fails, so that it cannot be */
export async function askUnseen(text) {
  const dialog = find("unseen");
  dialog.querySelector(".told").textContent = text;
  dialog.returnValue = "";
  dialog.showModal();
  await closing(dialog);
  return dialog.returnValue === "failed";
}

/**
 * Lists what was judged, the newest first.
 * @param {(before: string) => Promise<{claims: any[]}>} read a page of it @param {(id: string) => boolean} opens whether it can be opened now
 * @param {Point[]} points of the project's scale
 * @returns {Promise<string|null>} the claim that was chosen
 */
export async function showHistory(read, opens, points) {
  const dialog = find("history");
  const list = dialog.querySelector(".list");
  const more = /** @type {HTMLButtonElement} */ (dialog.querySelector(".more"));
  const verdict = (found) => {
    const [words, tone] = told(found, points);
    return h("span", { class: `result ${tone}` }, words);
  };
  let chosen = null;
  let last = "";
  const choose = (id) => () => {
    chosen = id;
    dialog.close();
  };
  const add = ({ claims }) => {
    const rows = claims.map((claim) =>
      h(
        "button",
        { type: "button", class: "past", disabled: !opens(claim.id), on: { click: choose(claim.id) } },
        h("span", {}, claim.prompt || t("A prompt without text")),
        h("span", { class: "found" }, ...claim.verdicts.map(verdict)),
        h("span", { class: "by" }, claim.verdicts.length ? "" : `${OUTCOMES[claim.outcome]} · `, h("time", { datetime: claim.closed_at }, time(claim.closed_at))),
      ),
    );
    list.append(...rows);
    last = claims.at(-1)?.created_at ?? last;
    more.hidden = claims.length < PAST;
    rows[0]?.focus();
  };
  const first = await read("");
  list.replaceChildren(...(first.claims.length ? [] : [h("p", { class: "nothing" }, t("You have judged nothing here yet."))]));
  return new Promise((resolve) => {
    const done = new AbortController();
    more.addEventListener("click", async () => add(await read(last).catch(() => ({ claims: [] }))), { signal: done.signal });
    dialog.showModal();
    closing(dialog).then(() => {
      done.abort();
      resolve(chosen);
    });
    add(first);
  });
}

let asking = null;

/** Asks to log in again, once however many requests failed for it. Resolves to the id of who logged in. */
export function askLogin() {
  asking ??= new Promise((resolve) => {
    const dialog = find("login");
    const form = dialog.querySelector("form");
    const { username, password, code } = form.elements;
    const problem = form.querySelector(".error");
    const go = form.querySelector("button.go");
    const named = /** @type {HTMLElement} */ (form.querySelector(".named"));
    const none = password.disabled && code.disabled; // no password to ask for
    const unnamed = named.hidden;
    const done = new AbortController();
    const came = (user) => {
      if (done.signal.aborted) return;
      password.value = "";
      askCode(false);
      done.abort();
      dialog.close();
      asking = null;
      resolve(user);
    };
    /** The code in place of name and password, or these in place of it. */
    const askCode = (asked) => {
      named.hidden = asked || unnamed;
      form.querySelector(".code").hidden = !asked;
      username.disabled = password.disabled = asked || none;
      code.disabled = !asked;
      code.value = "";
      (asked ? code : password).focus();
    };
    dialog.addEventListener("cancel", (event) => event.preventDefault(), { signal: done.signal });
    form.addEventListener(
      "submit",
      async (event) => {
        event.preventDefault();
        if (go.disabled) return;
        go.disabled = true;
        problem.textContent = "";
        try {
          // Who has no password came by a link or a provider, and is in again once that was opened.
          const user = await (none ? whoIsIn() : code.disabled ? login(username.value, password.value) : loginCode(code.value));
          if (user === "") problem.textContent = t("You are not in yet. Open the study from Prolific, then come back here.");
          else if (user === null) askCode(true);
          else came(user);
        } catch (error) {
          problem.textContent = error instanceof ApiError ? error.message : t("The server does not answer. Try again.");
          if (error.code === "login") askCode(false);
          else (code.disabled ? password : code).focus();
        } finally {
          go.disabled = false;
        }
      },
      { signal: done.signal },
    );
    // Who logged in through a provider did so in another tab.
    if (form.querySelector(".elsewhere"))
      window.addEventListener("focus", async () => {
        const user = await whoIsIn().catch(() => "");
        if (user) came(user);
      }, { signal: done.signal });
    for (const other of document.querySelectorAll("dialog[open]")) /** @type {HTMLDialogElement} */ (other).close();
    dialog.showModal();
    password.focus();
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
        h("p", {}, h("b", {}, entry.title || t("A pair"))),
        h("p", { class: "error" }, entry.refused.detail),
        h(
          "p",
          { class: "ends" },
          h("button", { type: "button", on: { click: chosen(discard, entry) } }, t("Discard it for good")),
          h("button", { type: "button", class: "go", on: { click: chosen(reopen, entry) } }, t("Open it again")),
        ),
      ),
    ),
  );
  dialog.showModal();
}
