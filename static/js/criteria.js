// Moderating criteria: a list that is walked by keys, deeds about one or many, each told what came of it.

import { h } from "./dom.js";

const OFTEN = 5_000; // ms between two looks at the counts
const PAUSE = 200; // ms of not typing after which is searched
const SWITCH = "evenhand-single-keys"; // the same as of the judge page

const page = document.getElementById("criteria");
const { show } = page.dataset;
const list = document.getElementById("rows");
const aside = document.getElementById("details");
const told = document.getElementById("told");
const holds = /** @type {HTMLInputElement} */ (document.getElementById("holds"));
const token = page.querySelector("[name=csrfmiddlewaretoken]").value;
const find = (id) => document.getElementById(id);

const STATES = { proposed: "waiting", own: "its author’s own", accepted: "accepted", rejected: "rejected", retired: "retired" };
/** What can be done: its key, its name, and to which criteria it makes sense. */
const DEEDS = {
  accept: { key: "a", label: "Accept", fits: (row) => !row.canonical && row.state !== "accepted" },
  promote: { key: "p", label: "Promote", fits: (row) => !row.canonical && !row.in_library && ["proposed", "own", "accepted"].includes(row.state) },
  reject: { key: "r", label: "Reject", fits: (row) => !row.canonical && ["proposed", "own"].includes(row.state) },
  merge: { key: "m", label: "Merge into", fits: (row) => !row.canonical && row.state !== "rejected" },
  retire: { key: "t", label: "Retire", fits: (row) => !row.canonical && row.state === "accepted" },
  demote: { key: "d", label: "Take out of the library", fits: (row) => row.in_library },
  unmerge: { key: "n", label: "Unmerge", fits: (row) => Boolean(row.canonical) },
};
const DONE = { accept: "Accepted", promote: "Promoted", reject: "Rejected", merge: "Merged", retire: "Retired", demote: "Taken out of the library", unmerge: "Unmerged", undo: "Undone" };

/** @type {Map<number, {row: any, element: HTMLElement, box: HTMLInputElement, problem: string}>} */
const rows = new Map();
let active = 0; // id
/** @type {{id: number, version: number}[][]} what was decided here, the last one last */
const undoable = [];

const number = new Intl.NumberFormat("en");
const day = (text) => new Date(text).toISOString().slice(0, 10);

async function read(url) {
  const answer = await fetch(url, { headers: { Accept: "application/json" } });
  if (!answer.ok) throw new Error(`The server answered ${answer.status}.`);
  return answer.json();
}

async function load(after = 0) {
  let found;
  try {
    found = await read(`${page.dataset.list}?show=${show}&after=${after}&holds=${encodeURIComponent(holds.value)}`);
  } catch (error) {
    told.textContent = `The list could not be read. ${error.message}`;
    return;
  }
  if (!after) {
    rows.clear();
    list.replaceChildren();
  }
  for (const row of found.rows) add(row);
  find("more").hidden = !found.more;
  find("nothing").hidden = rows.size > 0;
  find("nothing").textContent = holds.value ? "Nothing in this list holds that." : "Nothing is in this list.";
  if (!rows.has(active)) active = [...rows.keys()][0] ?? 0;
  mark();
  page.dataset.loaded = String(Number(page.dataset.loaded ?? 0) + 1);
}

function add(row) {
  const box = /** @type {HTMLInputElement} */ (h("input", { type: "checkbox", tabindex: "-1", "aria-label": row.text, on: { change: mark } }));
  const element = h("li", { tabindex: "-1", dataset: { id: row.id }, on: { click: () => choose(row.id), focus: () => choose(row.id, false) } });
  rows.set(row.id, { row, element, box, problem: "" });
  draw(row.id);
  list.append(element);
}

function draw(id) {
  const { row, element, box, problem } = rows.get(id);
  const { response1, response2, tie, no_opinion: none, comparisons } = row;
  const verdicts = response1 + response2 + tie + none;
  const state = row.canonical ? `merged into “${row.canonical_text}”` : row.in_library ? "library" : STATES[row.state];
  element.classList.toggle("done", state !== STATES[show] && state !== show && show !== "all" && show !== "written" && !(show === "merged" && row.canonical));
  element.replaceChildren(
    h("span", { class: "box" }, box),
    h("span", { class: "text", dir: "auto" }, row.text),
    h(
      "span",
      { class: "about" },
      h("span", { class: "chip" }, state.length > 80 ? `${state.slice(0, 80)}…` : state),
      h("span", {}, row.writer ? `by the model ${row.writer}` : row.author ? `by ${row.author}` : "of the project"),
      h("span", {}, day(row.created_at)),
      h("span", {}, `${number.format(comparisons)}${comparisons === 200 ? " or more" : ""} ${comparisons === 1 ? "pair" : "pairs"}`),
      verdicts > 0 && h("span", { title: "Verdicts: response 1, tie, response 2, no opinion" }, `${response1} : ${tie} : ${response2}${none ? `, ${none} without opinion` : ""}`),
      row.duplicates > 0 && h("span", {}, `${number.format(row.duplicates)} merged into it`),
      row.reason && h("span", {}, `because: ${row.reason}`),
      row.prompt && h("span", { dir: "auto" }, `“${row.prompt.slice(0, 90)}${row.prompt.length > 90 ? "…" : ""}”`),
    ),
    problem && h("span", { class: "problem" }, problem),
  );
}

/** What the next deed is about: what is ticked, else the one looked at. */
function chosen() {
  const ticked = [...rows.values()].filter(({ box }) => box.checked).map(({ row }) => row);
  if (ticked.length) return ticked;
  return rows.has(active) ? [rows.get(active).row] : [];
}

function mark() {
  for (const [id, { element }] of rows) {
    element.tabIndex = id === active ? 0 : -1;
    if (id === active) element.setAttribute("aria-current", "true");
    else element.removeAttribute("aria-current");
  }
  const about = chosen();
  for (const button of find("deeds").querySelectorAll("[data-deed]")) {
    const fitting = about.filter(DEEDS[button.dataset.deed].fits).length;
    button.disabled = !fitting;
    button.hidden = !fitting && button.dataset.deed !== "accept" && button.dataset.deed !== "reject";
    button.querySelector(".n").textContent = fitting > 1 ? ` ${fitting}` : "";
  }
  find("undo").disabled = !undoable.length && !about.some(({ version }) => version);
  look();
}

function choose(id, focus = true) {
  if (!rows.has(id)) return;
  const changed = id !== active;
  active = id;
  const { element } = rows.get(id);
  if (focus && !element.contains(document.activeElement)) element.focus({ preventScroll: true });
  element.scrollIntoView({ block: "nearest" });
  if (changed) mark();
}

function walk(by) {
  const ids = [...rows.keys()];
  const place = Math.min(Math.max(ids.indexOf(active) + by, 0), ids.length - 1);
  if (ids.length) choose(ids[place]);
}

/** On to the next that nothing was decided about here. */
function onward() {
  const ids = [...rows.keys()];
  const from = ids.indexOf(active);
  const next = [...ids.slice(from), ...ids.slice(0, from)].find((id) => !rows.get(id).element.classList.contains("done"));
  if (next) choose(next);
}

let looked = 0;
async function look() {
  const entry = rows.get(active);
  aside.hidden = !entry;
  if (!entry || Number(aside.dataset.id) === active) return;
  const id = active;
  const turn = ++looked;
  aside.dataset.id = String(id);
  aside.setAttribute("aria-busy", "true");
  let about;
  try {
    about = await read(`${new URL(".", new URL(page.dataset.list, location.href))}${id}`);
  } catch {
    delete aside.dataset.id;
    return;
  }
  if (turn !== looked) return;
  entry.near = about.near;
  aside.removeAttribute("aria-busy");
  const history = about.history.map(({ at, by, deed, reason, into }) =>
    h("li", {}, `${deed[0].toUpperCase()}${deed.slice(1)}`, into && ` into “${into}”`, h("small", {}, [new Date(at).toISOString().slice(0, 16).replace("T", " "), by && `by ${by}`, reason && `because: ${reason}`].filter(Boolean).join(", "))),
  );
  aside.replaceChildren(
    h("h2", { dir: "auto" }, entry.row.text),
    ...written(about.written),
    h("h3", {}, "Like it"),
    about.near.length ? h("ul", {}, ...about.near.map((one) => h("li", { dir: "auto" }, one.text, h("small", { class: one.opposite ? "opposite" : "" }, likeness(one))))) : h("p", { class: "say" }, "Nothing in this project is like it."),
    h("h3", {}, "Where it is judged"),
    about.prompts.length
      ? h("ul", {}, ...about.prompts.map((one) => h("li", {}, h("span", { class: "prompt", dir: "auto" }, one.prompt), h("small", {}, `${one.name}; response 1 ${one.response1}, tie ${one.tie}, response 2 ${one.response2}, no opinion ${one.no_opinion}`))))
      : h("p", { class: "say" }, "Nowhere yet."),
    h("h3", {}, "History"),
    history.length ? h("ul", {}, ...history) : h("p", { class: "say" }, "Nothing was decided yet."),
  );
  aside.scrollTop = 0;
}

const SAID = { response1: "response 1", response2: "response 2", tie: "tie", "": "nothing" };

/** What the model that wrote it and those that verified it say, pair by pair. */
function written(proposals) {
  if (!proposals.length) return [];
  const verified = ({ judge, verdict, swapped, agrees, detail, rationale }) =>
    h("li", { dir: "auto" }, `${judge}: ${SAID[verdict]}, and ${SAID[swapped]} in the other order`, h("small", { class: agrees ? "" : "opposite" }, [agrees ? "agrees" : "does not agree", detail, rationale].filter(Boolean).join(". ")));
  return [
    h("h3", {}, "What models say"),
    h("ul", {}, ...proposals.map(({ pair, writer, label, why, verdicts }) => h("li", { dir: "auto" }, `On ${pair}, ${writer}: ${SAID[label]} wins`, why && h("small", {}, why), h("ul", {}, ...verdicts.map(verified))))),
  ];
}

function likeness({ likeness: share, by, state, in_library: known, opposite }) {
  const where = known ? "library" : STATES[state];
  return `${Math.round(100 * share)} % alike in ${by}, ${where}${opposite ? ". Perhaps another thing, or the opposite: look twice" : ""}`;
}

async function post(deed, about, extra = {}) {
  const body = new FormData();
  body.set("deed", deed);
  body.set("csrfmiddlewaretoken", token);
  for (const { id, version } of about) body.append("criterion", `${id}:${version}`);
  for (const [name, value] of Object.entries(extra)) body.set(name, String(value));
  const answer = await fetch(page.dataset.decide, { method: "POST", body, headers: { Accept: "application/json" } });
  const said = await answer.json().catch(() => ({}));
  if (!answer.ok) throw new Error(said.problem ?? `The server answered ${answer.status}.`);
  return said;
}

let running = Promise.resolve();
/** Keys may be pressed faster than answers come: each deed is about what the one before it led to. */
const afterwards = (next) => {
  running = running.then(next);
};

async function decide(deed, about, extra) {
  if (!about.length) return;
  page.setAttribute("aria-busy", "true");
  try {
    const { decided, rows: fresh } = await post(deed, about, extra);
    const problems = new Map(decided.map(({ id, problem }) => [id, problem]));
    for (const row of fresh) {
      const entry = rows.get(row.id);
      if (!entry) continue;
      entry.row = row;
      entry.problem = problems.get(row.id) ?? "";
      entry.box.checked = false;
      draw(row.id);
    }
    const good = fresh.filter(({ id }) => !problems.get(id));
    if (good.length && deed !== "undo") undoable.push(good.map(({ id, version }) => ({ id, version })));
    const bad = decided.filter(({ problem }) => problem);
    told.textContent = [good.length && `${DONE[deed]}: ${good.length === 1 ? `“${good[0].text.slice(0, 80)}”` : good.length}.`, bad.length && `Not done: ${bad.length}. ${bad[0].problem}`].filter(Boolean).join(" ");
    delete aside.dataset.id;
    if (good.length && deed !== "undo") onward();
    mark();
    count();
  } catch (error) {
    told.textContent = `Not done. ${error.message}`;
  } finally {
    page.removeAttribute("aria-busy");
  }
}

function undo() {
  const last = undoable.pop();
  return decide("undo", last ?? chosen().filter(({ version }) => version));
}

function act(deed) {
  const about = chosen().filter(DEEDS[deed].fits);
  if (!about.length) {
    told.textContent = `${DEEDS[deed].label}: that makes no sense here.`;
    return null;
  }
  if (deed === "reject" || deed === "retire") return askReason(deed, about);
  if (deed === "merge") return askInto(about);
  return decide(deed, about);
}

const title = (deed, about) => `${deed === "merge" ? "Merge" : DEEDS[deed].label} ${about.length === 1 ? `“${about[0].text}”` : `${about.length} criteria`}`;

function askReason(deed, about) {
  const dialog = /** @type {HTMLDialogElement} */ (find("reject"));
  const field = /** @type {HTMLInputElement} */ (find("reason"));
  find("reject-title").textContent = title(deed, about);
  find("reject-go").replaceChildren(DEEDS[deed].label, h("kbd", { "aria-hidden": "true" }, "Enter"));
  find("reason-help").textContent = deed === "reject" ? "Whoever writes it again reads this. No label is made of it." : "Nothing is asked by it any more; what was judged stays. A reason may be left out.";
  field.value = "";
  field.required = deed === "reject";
  dialog.querySelector("form").onsubmit = () => afterwards(() => decide(deed, about, { reason: field.value }));
  dialog.showModal();
  field.focus();
}

function askInto(about) {
  const dialog = /** @type {HTMLDialogElement} */ (find("merge"));
  const field = /** @type {HTMLInputElement} */ (find("into"));
  const options = find("into-list");
  const go = /** @type {HTMLButtonElement} */ (find("merge-go"));
  const warning = find("merge-warning");
  const own = new Set(about.map(({ id }) => id));
  let offered = [];
  let at = 0;
  let warned = 0; // the id that was warned of
  let timer = 0;
  let turn = 0;
  const offer = (found) => {
    offered = found.filter(({ id, canonical }) => !own.has(id) && !canonical);
    at = 0;
    point();
  };
  const point = () => {
    options.replaceChildren(
      ...offered.map((one, place) =>
        h("li", { role: "option", id: `into-${place}`, dir: "auto", "aria-selected": String(place === at), on: { click: () => pick(place), dblclick: () => dialog.querySelector("form").requestSubmit() } }, one.text, h("small", { class: one.opposite ? "opposite" : "" }, one.likeness === undefined ? (one.in_library ? "library" : STATES[one.state]) : likeness(one))),
      ),
    );
    go.disabled = !offered.length;
    warning.hidden = true;
    if (offered.length) field.setAttribute("aria-activedescendant", `into-${at}`);
    else field.removeAttribute("aria-activedescendant");
    options.children[at]?.scrollIntoView({ block: "nearest" });
  };
  const pick = (place) => {
    at = place;
    point();
  };
  const near = async () => {
    const { near: known } = rows.get(about[0].id) ?? {};
    const mine = ++turn;
    const found = known ?? (await read(`${new URL(".", new URL(page.dataset.list, location.href))}${about[0].id}`).catch(() => ({ near: [] }))).near;
    if (mine === turn) offer(found);
  };
  field.oninput = () => {
    clearTimeout(timer);
    if (!field.value.trim()) {
      near();
      return;
    }
    const mine = ++turn;
    timer = setTimeout(async () => {
      const found = await read(`${page.dataset.list}?show=all&holds=${encodeURIComponent(field.value)}`).catch(() => ({ rows: [] }));
      if (mine === turn) offer(found.rows.filter(({ state }) => state !== "rejected" && state !== "retired"));
    }, PAUSE);
  };
  field.onkeydown = (event) => {
    const by = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (!by || !offered.length) return;
    event.preventDefault();
    pick((at + by + offered.length) % offered.length);
  };
  dialog.querySelector("form").onsubmit = (event) => {
    const into = offered[at];
    if (!into || (into.opposite && warned !== into.id)) {
      event.preventDefault();
      if (!into) return;
      warned = into.id;
      warning.textContent = "One may ask for another thing than the other, or for its opposite: then their labels would cancel out. Merge once more if they do mean the same.";
      warning.hidden = false;
      return;
    }
    afterwards(() => decide("merge", about, { into: into.id }));
  };
  find("merge-title").textContent = title("merge", about);
  field.value = "";
  offer([]);
  near();
  dialog.showModal();
  field.focus();
}

async function count() {
  const found = await read(page.dataset.counts).catch(() => null);
  if (!found) return;
  for (const place of page.querySelectorAll("[data-count]")) place.textContent = number.format(found[place.dataset.count]);
  const here = [...rows.values()].filter(({ element }) => !element.classList.contains("done")).length;
  find("fresh").hidden = Boolean(holds.value) || !find("more").hidden || found[show] <= here;
}

async function watch() {
  if (document.visibilityState === "visible") await count();
  setTimeout(watch, OFTEN);
}

const fresh = () => load().then(count);
const KEYS = {
  j: ["Next", () => walk(1)],
  k: ["The one before", () => walk(-1)],
  x: ["Choose, for several at once", () => tick()],
  ...Object.fromEntries(Object.entries(DEEDS).map(([name, { key, label }]) => [key, [label, () => afterwards(() => act(name))]])),
  u: ["Undo", () => afterwards(undo)],
  l: ["Read the list again", fresh],
  "/": ["Find", () => holds.focus()],
  "?": ["Keys", showKeys],
};

function tick() {
  const entry = rows.get(active);
  if (!entry) return;
  entry.box.checked = !entry.box.checked;
  mark();
  walk(1);
}

function singleKeys(value) {
  try {
    if (value !== undefined) localStorage.setItem(SWITCH, value ? "on" : "off");
    return localStorage.getItem(SWITCH) !== "off";
  } catch {
    return true; // storage is switched off: the keys stay on
  }
}

function showKeys() {
  const dialog = /** @type {HTMLDialogElement} */ (find("keys"));
  dialog.querySelector("dl").replaceChildren(...Object.entries(KEYS).flatMap(([key, [label]]) => [h("dt", {}, h("kbd", {}, key.toUpperCase())), h("dd", {}, label)]));
  const box = /** @type {HTMLInputElement} */ (find("keys-on"));
  box.checked = singleKeys();
  box.onchange = () => singleKeys(box.checked);
  dialog.showModal();
}

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing || document.querySelector("dialog[open]")) return;
  const typing = /** @type {Element} */ (event.target).matches("input:not([type=checkbox]), textarea, select");
  if (typing) {
    if (event.key === "Escape") /** @type {HTMLElement} */ (event.target).blur();
    return;
  }
  const arrow = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  const inList = list.contains(/** @type {Node} */ (event.target));
  if (arrow && (inList || event.target === document.body)) {
    event.preventDefault();
    walk(arrow);
    return;
  }
  if (event.key === " " && /** @type {Element} */ (event.target).matches("li")) {
    event.preventDefault();
    tick();
    return;
  }
  const key = KEYS[event.key.toLowerCase()];
  if (!key || !singleKeys()) return;
  event.preventDefault();
  key[1]();
});

for (const button of document.querySelectorAll("[data-close]")) button.addEventListener("click", () => button.closest("dialog").close());
find("deeds").append(
  ...Object.entries(DEEDS).map(([name, { key, label }]) => h("button", { type: "button", dataset: { deed: name }, on: { click: () => afterwards(() => act(name)) } }, h("span", {}, label, h("span", { class: "n" })), h("kbd", { "aria-hidden": "true" }, key.toUpperCase()))),
  h("button", { type: "button", id: "undo", on: { click: () => afterwards(undo) } }, "Undo", h("kbd", { "aria-hidden": "true" }, "U")),
);
find("more").addEventListener("click", () => load(Math.max(...rows.keys())));
find("fresh").addEventListener("click", fresh);
find("keys-open").addEventListener("click", showKeys);
page.querySelector(".find").addEventListener("submit", (event) => event.preventDefault());
let searching = 0;
holds.addEventListener("input", () => {
  clearTimeout(searching);
  searching = setTimeout(() => load(), PAUSE);
});
load();
setTimeout(watch, OFTEN);
