// The page of an import: shows what the first rows of the chosen file come to, and lets columns be chosen where no layout
// is recognised. What is chosen is written into the field Mapping, which is what the import reads: there is one truth.

const SAMPLE = 1024 * 1024; // bytes of a file's beginning; the server takes no more than 2 MB
const WHOLE = 64 * 1024 * 1024; // of Parquet, which is read from its end
const PAUSE = 300; // ms after the last key

// Of each field: where it stands in the mapping, and columns that are often named for it.
const FIELDS = [
  { name: "prompt", label: "Prompt", guess: /^(prompt|instruction|question|query|input|text)$/i, needed: true },
  { name: "media", label: "Media of the prompt" },
  { name: "response1.text", label: "Response 1", guess: /^(response|output|answer|completion|generation|candidate|text)[-_ ]?(1|a)$/i, needed: true },
  { name: "response1.media", label: "Media of response 1", guess: /^(image|video|audio|media|path)[-_ ]?(1|a)$/i },
  { name: "response1.model", label: "Model of response 1", guess: /^(model|system)[-_ ]?(1|a)$/i },
  { name: "response2.text", label: "Response 2", guess: /^(response|output|answer|completion|generation|candidate|text)[-_ ]?(2|b)$/i, needed: true },
  { name: "response2.media", label: "Media of response 2", guess: /^(image|video|audio|media|path)[-_ ]?(2|b)$/i },
  { name: "response2.model", label: "Model of response 2", guess: /^(model|system)[-_ ]?(2|b)$/i },
  { name: "criterion", label: "Criterion", guess: /^(criterion|criteria|aspect|dimension)$/i },
  { name: "verdict", label: "Verdict", guess: /^(verdict|label|preference|winner|better|choice)$/i },
  { name: "annotator", label: "Who gave it", guess: /^(annotator|annotator_id|judge|user|user_id|worker|worker_id|rater)$/i },
  { name: "rationale", label: "Rationale", guess: /^(rationale|reason|explanation|comment)$/i },
  { name: "id", label: "Id of the pair", guess: /^(id|idx|index|uid|uuid|pair_id|question_id)$/i },
  { name: "group", label: "Group of prompts" },
];
const VERDICTS = [
  ["", "no verdict"],
  ["response1", "response 1 is better"],
  ["response2", "response 2 is better"],
  ["tie", "a tie"],
  ["cannot_tell", "cannot tell"],
];
const USUAL = {
  response1: /^(1|a|l|response1|response_a|model_a|left|first|output_1)$/i,
  response2: /^(2|b|r|response2|response_b|model_b|right|second|output_2)$/i,
  tie: /^(0|tie|c|equal|both|same|draw)$/i,
};
const NOBODY = "published label";

const form = document.querySelector("#import-form");
const desk = document.querySelector("#desk");
const part = (name) => desk.querySelector(`[data-${name}]`);
const mappingText = form.elements.mapping_text;
const controls = new Map();

let columns = [];
let choices = []; // the columns, and the places within those that hold more than a text
let values = {};
let meanings = {}; // what each value of the verdict's column means
let known = ""; // the text that the controls stand for
let timer = 0;
let asking = null;

function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name === "text") made.textContent = value;
    else if (name in made && typeof value === "boolean") made[name] = value;
    else made.setAttribute(name, value);
  }
  made.append(...children);
  return made;
}

// --- asking ------------------------------------------------------------------------------------------------------

function later() {
  clearTimeout(timer);
  timer = setTimeout(ask, PAUSE);
}

async function ask() {
  const file = form.elements.uploads.files[0];
  desk.hidden = !file;
  if (!file) return;
  const said = part("said");
  if (/\.zip$/i.test(file.name)) {
    showNothing();
    said.textContent = "A zip is looked into when it is imported.";
    return;
  }
  const whole = /\.parquet$/i.test(file.name) || file.size <= SAMPLE;
  if (whole && file.size > WHOLE) {
    showNothing();
    said.textContent = "This file is too large to be previewed: give the mapping as text.";
    return;
  }
  const body = new FormData();
  for (const name of ["csrfmiddlewaretoken", "project", "layout", "mapping_text", "source", "task_type", "criterion", "k", "on_error", "design", "per_prompt", "anchors"]) {
    body.set(name, form.elements[name].value);
  }
  if (form.elements.labels.checked) body.set("labels", "on");
  body.set("name", file.name);
  body.set("sample", whole ? file : file.slice(0, SAMPLE), file.name);
  if (whole) body.set("whole", "on");
  asking?.abort();
  asking = new AbortController();
  said.textContent = "Reading…";
  try {
    const response = await fetch(desk.dataset.url, { method: "POST", body, signal: asking.signal });
    if (response.redirected) throw new Error("your login has ended");
    if (![200, 400].includes(response.status)) throw new Error(`the server answered ${response.status}`);
    show(await response.json(), mappingText.value);
  } catch (error) {
    if (error.name === "AbortError") return;
    said.textContent = `The file could not be looked at: ${error.message}.`;
  }
}

// --- what came back ----------------------------------------------------------------------------------------------

function showNothing() {
  for (const name of ["mapping", "errors", "pairs-part", "rows-part"]) part(name).hidden = true;
}

function show(told, text) {
  columns = told.columns ?? columns;
  choices = told.columns ? [...columns, ...told.nested] : choices;
  values = told.values ?? values;
  const open = told.columns && (!told.layout || told.layout === "mapping");
  if (open) showMapping(told, text);
  part("mapping").hidden = !open && !(text && told.problem);
  part("said").textContent = summary(told, Boolean(open && !text));
  part("said").classList.toggle("desk-problem", Boolean(told.problem && !(open && !text)));
  showErrors(told);
  showPairs(told);
  showRows(told);
}

function summary(told, unmapped) {
  if (unmapped) return "No layout has these columns. Choose below which column means what.";
  if (told.problem) return told.problem;
  const more = told.layout === "answers" ? " Of the whole table, the design may choose others." : "";
  const count = (number, one, more) => `${number.toLocaleString("en")} ${number === 1 ? one : more}`;
  const refused = told.errors_found ? `; ${count(told.errors_found, "row", "rows")} cannot be taken` : "";
  return `Read as ${told.layout}: the first ${count(told.rows_read, "row comes", "rows come")} to ${count(told.pairs_found, "pair", "pairs")}${refused}.${more}`;
}

function showErrors({ errors = [], errors_found: found = 0 }) {
  part("errors").hidden = !errors.length;
  const rows = errors.map(({ row, field, problem }) =>
    element("tr", {}, element("td", { text: row }), element("td", { text: field }), element("td", { text: problem })),
  );
  if (found > errors.length) {
    rows.push(element("tr", {}, element("td", { colspan: 3, text: `… and ${found - errors.length} more.` })));
  }
  part("error-rows").replaceChildren(...rows);
  showBeside(errors);
}

/** Each field of the mapping says what is wrong with the column chosen for it, where the eye is while choosing. */
function showBeside(errors) {
  const told = new Map();
  for (const error of errors) {
    const name = fieldOf(error.field);
    if (name) told.set(name, [...(told.get(name) ?? []), error]);
  }
  for (const [name, { kind, wrong }] of controls) {
    const those = told.get(name) ?? [];
    wrong.hidden = !those.length;
    wrong.textContent = those.length ? `Row ${those[0].row}: ${those[0].problem}` : "";
    if (those.length > 1) wrong.append(` And ${those.length - 1} more.`);
    if (those.length) kind.setAttribute("aria-describedby", wrong.id);
    else kind.removeAttribute("aria-describedby");
    kind.setAttribute("aria-invalid", String(Boolean(those.length)));
  }
}

/** The field that an error is about: by the column that it names, else by the place in the mapping. */
function fieldOf(told) {
  const bare = told.replace(/^criterion\.labels\[\d+\]\./, "").replace(/\[\d+\](\..*)?$/, "");
  const named = [told, bare, `${bare}.text`].find((name) => controls.has(name));
  const inText = (text) => text.includes(`{${told}}`);
  const chosen = [...controls].find(([, { kind, fixed }]) => kind.value === `=${told}` || (kind.value === "template" && inText(fixed.value)));
  return chosen?.[0] ?? named;
}

function showPairs({ pairs = [], layout }) {
  part("pairs-part").hidden = !pairs.length;
  part("pairs").replaceChildren(...pairs.map((pair) => drawPair(pair, layout === "answers" ? "Pair" : "Row")));
}

function drawPair(pair, counted) {
  const media = (path) => element("p", { class: "desk-medium", text: path });
  const prompt = element("div", { class: "desk-prompt" });
  for (const { role, text } of pair.turns) {
    prompt.append(element("p", {}, element("strong", { text: role }), " ", element("span", { text })));
  }
  prompt.append(...pair.media.map(media));
  const sides = element("div", { class: "responses" });
  pair.responses.forEach((side, number) => {
    const title = `Response ${number + 1}${side.model ? `: ${side.model}` : ""}`;
    const drawn = element("div", { class: "desk-side" }, element("strong", { text: title }), element("p", { text: side.text }));
    if (side.media) drawn.append(media(side.media));
    sides.append(drawn);
  });
  const asked = element("ul", {});
  for (const { text, labels } of pair.criteria) {
    const said = labels.map(({ annotator, verdict, rationale }) => `${verdict} (${annotator}${rationale ? `: ${rationale}` : ""})`);
    asked.append(element("li", { text: said.length ? `${text} — ${said.join(", ")}` : text }));
  }
  if (!pair.criteria.length) asked.append(element("li", { text: "No criterion: annotators write their own." }));
  const name = `${counted} ${pair.row}: ${pair.source} / ${pair.id}`;
  return element("article", { class: "desk-pair", "aria-label": name }, element("h4", { text: name }), prompt, sides, asked);
}

function showRows({ rows = [] }) {
  part("rows-part").hidden = !rows.length;
  const head = element("tr", {}, element("th", { scope: "col", text: "Row" }));
  for (const column of columns) head.append(element("th", { scope: "col", text: column }));
  const body = rows.map(({ row, cells }) =>
    element("tr", {}, element("th", { scope: "row", text: row }), ...columns.map((column) => element("td", { text: cells[column] ?? "" }))),
  );
  part("rows").replaceChildren(element("thead", {}, head), element("tbody", {}, ...body));
}

// --- the mapping --------------------------------------------------------------------------------------------------

function showMapping(told, text) {
  const earlier = told.earlier ?? [];
  part("earlier-row").hidden = !earlier.length;
  part("earlier").replaceChildren(
    element("option", { value: "", text: "—" }),
    ...earlier.map(({ label, mapping }) => element("option", { value: JSON.stringify(mapping), text: label })),
  );
  const names = JSON.stringify(choices);
  if (part("fields").dataset.columns !== names) {
    part("fields").dataset.columns = names;
    drawFields();
    known = "";
  }
  if (!text) {
    guess();
    if (FIELDS.every(({ name, needed }) => !needed || controls.get(name).kind.value)) write();
    else known = "";
    byHand(false);
  } else if (text !== known) {
    byHand(!take(told.mapping));
    known = text;
  }
  drawMeanings();
}

function byHand(is) {
  part("by-hand").hidden = !is;
  part("fields").hidden = is;
}

function drawFields() {
  controls.clear();
  const rows = FIELDS.map(({ name, label, needed }) => {
    const id = `desk-${name.replace(".", "-")}`;
    const kind = element("select", { id, required: Boolean(needed) });
    kind.append(
      element("option", { value: "", text: "—" }),
      ...choices.map((column) => element("option", { value: `=${column}`, text: column })),
      element("option", { value: "value", text: "the same text in every row …" }),
      element("option", { value: "template", text: "a text with {column} in it …" }),
    );
    const fixed = element("input", { type: "text", "aria-label": `${label}: the text`, hidden: true });
    kind.addEventListener("change", () => {
      fixed.hidden = !["value", "template"].includes(kind.value);
      if (!fixed.hidden) fixed.focus();
      if (name === "verdict") meanings = {};
      changed();
    });
    fixed.addEventListener("input", changed);
    controls.set(name, { kind, fixed });
    const wrong = element("p", { class: "desk-wrong", id: `${id}-wrong`, hidden: true });
    controls.get(name).wrong = wrong;
    return element("div", { class: "desk-row" }, element("label", { for: id, text: needed ? `${label} (needed)` : label }), kind, fixed, wrong);
  });
  rows.splice(FIELDS.findIndex(({ name }) => name === "verdict") + 1, 0, element("div", { class: "desk-meanings", id: "desk-meanings" }));
  part("fields").replaceChildren(...rows);
}

function set(name, kind, text = "") {
  const control = controls.get(name);
  control.kind.value = kind;
  control.fixed.value = text;
  control.fixed.hidden = !["value", "template"].includes(kind);
}

function guess() {
  for (const { name, guess: pattern } of FIELDS) {
    const column = pattern && choices.find((one) => pattern.test(one));
    set(name, column === undefined ? "" : `=${column}`);
  }
  meanings = {};
}

function changed() {
  drawMeanings();
  write();
}

function write() {
  known = JSON.stringify(mapping(), null, 2);
  mappingText.value = known;
  later();
}

/** A value as the mapping writes it; undefined if nothing is chosen. */
function valueOf(name) {
  const { kind, fixed } = controls.get(name);
  if (kind.value === "value") return fixed.value ? { value: fixed.value } : undefined;
  if (kind.value === "template") return fixed.value || undefined;
  if (!kind.value) return undefined;
  const column = kind.value.slice(1);
  return /[{}]/.test(column) ? { column } : column;
}

function mapping() {
  const made = {};
  for (const name of ["id", "prompt", "group"]) {
    if (valueOf(name) !== undefined) made[name] = valueOf(name);
  }
  if (valueOf("media") !== undefined) made.media = [valueOf("media")];
  for (const side of ["response1", "response2"]) {
    const parts = {};
    for (const what of ["text", "media", "model"]) {
      const value = valueOf(`${side}.${what}`);
      if (value !== undefined) parts[what] = value;
    }
    if (Object.keys(parts).length) made[side] = parts;
  }
  const criterion = valueOf("criterion");
  if (criterion !== undefined) made.criterion = criterion;
  const verdict = valueOf("verdict");
  if (verdict !== undefined) {
    made.criterion ??= { value: form.elements.criterion.value || "Which response is better overall?" };
    const label = { annotator: valueOf("annotator") ?? { value: NOBODY }, verdict };
    if (valueOf("rationale") !== undefined) label.rationale = valueOf("rationale");
    made.labels = [label];
    made.verdicts = Object.fromEntries(verdictValues().map((value) => [value, meaningOf(value) || null]));
    if (!Object.keys(made.verdicts).length) delete made.verdicts;
  }
  return made;
}

function verdictValues() {
  const kind = controls.get("verdict").kind.value;
  const seen = kind.startsWith("=") ? (values[kind.slice(1)] ?? []) : [];
  return [...new Set([...seen, ...Object.keys(meanings)])];
}

function meaningOf(value) {
  if (value in meanings) return meanings[value] ?? "";
  return Object.keys(USUAL).find((verdict) => USUAL[verdict].test(value.trim())) ?? "";
}

function drawMeanings() {
  const place = document.querySelector("#desk-meanings");
  const shown = JSON.stringify(verdictValues());
  if (place.dataset.shown === shown) {
    for (const select of place.querySelectorAll("select")) select.value = meaningOf(select.dataset.value);
    return;
  }
  place.dataset.shown = shown;
  place.replaceChildren(
    ...verdictValues().map((value, number) => {
      const id = `desk-meaning-${number}`;
      const select = element("select", { id, "data-value": value });
      select.append(...VERDICTS.map(([verdict, text]) => element("option", { value: verdict, text })));
      select.value = meaningOf(value);
      select.addEventListener("change", () => {
        meanings[value] = select.value;
        write();
      });
      return element("div", { class: "desk-row" }, element("label", { for: id, text: `“${value}” means` }), select);
    }),
  );
}

/** Set the controls from a mapping; false if it says more than they can. */
function take(given) {
  if (!given) return false;
  const { id, prompt, group, media, response1, response2, criterion, labels, verdicts, ...more } = given;
  if (Object.keys(more).length || (media && media.length > 1) || (labels && labels.length > 1)) return false;
  const label = typeof labels?.[0] === "string" ? { verdict: labels[0], annotator: { value: labels[0] } } : (labels?.[0] ?? {});
  const { verdict, annotator, rationale, ...rest } = label;
  if (Object.keys(rest).length) return false;
  const flat = { id, prompt, group, media: Array.isArray(media) ? media[0] : media, criterion, verdict, annotator, rationale };
  for (const [name, side] of Object.entries({ response1, response2 })) {
    const parts = side && typeof side === "object" && ["text", "media", "model"].some((key) => key in side) ? side : { text: side };
    for (const what of ["text", "media", "model"]) flat[`${name}.${what}`] = parts[what];
  }
  if (annotator?.value === NOBODY) flat.annotator = undefined;
  const chosen = Object.entries(flat).map(([name, value]) => [name, choice(value)]);
  if (chosen.some(([, one]) => one === null)) return false;
  for (const [name, one] of chosen) set(name, ...one);
  meanings = verdicts ?? {};
  return true;
}

function choice(value) {
  if (value === undefined || value === null) return [""];
  if (typeof value === "string") return /\{[^{}]+\}/.test(value) ? ["template", value] : choices.includes(value) ? [`=${value}`] : null;
  if (typeof value !== "object") return null;
  const keys = Object.keys(value).join();
  if (keys === "value") return ["value", String(value.value)];
  return keys === "column" && choices.includes(value.column) ? [`=${value.column}`] : null;
}

// --- the form -----------------------------------------------------------------------------------------------------

/** Only what the chosen design asks for is asked; what is hidden says nothing. */
function showDesign() {
  const design = form.elements.design.value;
  const asked = { per_prompt: ["balanced", "random", "anchors"], anchors: ["anchors"] };
  for (const [name, designs] of Object.entries(asked)) {
    const field = form.elements[name];
    const row = field.closest(".form-row");
    row.hidden = !designs.includes(design) && !row.classList.contains("errors");
    if (row.hidden) field.value = "";
  }
}

if (form && desk) {
  form.addEventListener("change", ({ target }) => {
    if (!desk.contains(target)) later();
  });
  mappingText.addEventListener("input", later);
  form.elements.design.addEventListener("change", showDesign);
  showDesign();
  part("earlier").addEventListener("change", ({ target }) => {
    if (!target.value) return;
    mappingText.value = JSON.stringify(JSON.parse(target.value), null, 2);
    known = "";
    later();
  });
  part("afresh").addEventListener("click", () => {
    mappingText.value = "";
    known = "";
    ask();
  });
  if (form.elements.uploads.files.length) later();
}
