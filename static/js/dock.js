// The criteria: one question at a time, judged ones folded to a line, one of one's own always a key away.

import { h, key } from "./dom.js";
import { broken, CANNOT_TELL, NOTHING, same, told } from "./scale.js";

const LONGEST = 500; // characters of a criterion, as the server has it

export class Dock {
  #why = false; // the rationale of the open row is shown
  #breaking = false; // asking which medium is broken

  /**
   * @param {HTMLElement} element
   * @param {{keys: Keys, changed: () => void, announce: (text: string) => void}} page
   */
  constructor(element, page) {
    this.element = element;
    this.page = page;
    this.input = h("input", {
      maxlength: LONGEST,
      autocomplete: "off",
      "aria-label": "A criterion of your own",
      on: {
        input: () => this.#typed(),
        keydown: (event) => event.key === "Escape" && this.input.blur(),
      },
    });
    this.write = h("form", { class: "write", on: { submit: (event) => this.#written(event) } }, this.input, key("N"));
  }

  /**
   * @param {Draft} draft
   * @param {{points: Point[], authoring: string, media: {a: boolean, b: boolean, prompt: boolean}}} terms
   */
  show(draft, { points, authoring, media }) {
    Object.assign(this, { draft, points, authoring, media });
    this.#why = Boolean(draft.current?.rationale);
    this.#breaking = false;
    this.input.value = draft.writing;
    this.input.placeholder =
      authoring === "required"
        ? "Write a criterion of your own: this project asks for one a pair"
        : "Write a criterion of your own: what else makes one of them better?";
    this.#bind();
    this.render();
  }

  #bind() {
    const group = "Judge";
    const verdicts = this.points.map((point, index) => [String(index + 1), { label: point.name, group, run: () => this.choose(point) }]);
    this.page.keys.bind("dock", {
      ...Object.fromEntries(verdicts),
      0: { label: "Cannot tell", group, run: () => this.choose(CANNOT_TELL) },
      ...(this.#canBreak ? { M: { label: "Media broken", group, run: () => this.askBroken() } } : {}),
      Backspace: { label: "Clear the verdict", shown: "\u232b", group, run: () => this.choose(NOTHING) },
      R: { label: "Why: your reasons", group, run: () => this.openWhy() },
      J: { label: "Next criterion", group, run: () => this.step(1) },
      K: { label: "Criterion before", group, run: () => this.step(-1) },
      ...(this.authoring === "off" ? {} : { N: { label: "A criterion of your own", group, run: () => this.input.focus() } }),
      Escape: { label: "Leave a field", shown: "Esc", group, run: () => this.#leave() },
    });
  }

  get #canBreak() {
    return Object.values(this.media).some(Boolean);
  }

  choose(found) {
    const row = this.draft.current;
    if (!row) return;
    const { verdict, strength, tie_kind, broken: side } = found;
    Object.assign(row, { verdict, strength, tie_kind, broken: side });
    this.#breaking = false;
    const next = verdict ? this.draft.nextUnjudged : null;
    const words = verdict ? told(row, this.points)[0] : "Cleared";
    if (next) this.#open(next.key);
    this.page.announce(next ? `${words}. Next: ${next.criterion}` : `${words}.`);
    this.#changed();
  }

  askBroken() {
    this.#breaking = true;
    this.render();
    const slots = ["a", "b", "prompt"].filter((slot) => this.media[slot]);
    const letters = { a: "A", b: "B", prompt: "P" };
    const run = (slot) => {
      this.#stopAsking();
      this.choose(broken(slot));
    };
    this.page.keys.bind("broken", {
      ...Object.fromEntries(slots.map((slot) => [letters[slot], { label: `Broken: ${slot}`, hidden: true, run: () => run(slot) }])),
      Escape: { label: "Not broken", hidden: true, run: () => this.#leave() },
    });
    this.page.announce("Which is broken?");
  }

  #stopAsking() {
    this.#breaking = false;
    this.page.keys.bind("broken", null);
  }

  openWhy() {
    if (!this.draft.current) return;
    this.#why = true;
    this.render();
    this.element.querySelector(".why textarea")?.focus();
  }

  step(by) {
    this.draft.step(by);
    this.#open(this.draft.open);
    this.page.announce(this.draft.current?.criterion ?? "");
    this.#changed();
  }

  /** What is typed as a criterion becomes one. Returns whether there was anything. */
  takeWriting() {
    if (!this.input.value.trim()) return false;
    const fresh = this.draft.write(this.input.value);
    this.input.value = "";
    this.#open(this.draft.open);
    this.page.announce(fresh ? "Criterion added. Judge it." : "This criterion is there already.");
    this.#changed();
    return true;
  }

  #leave() {
    this.#stopAsking();
    this.#why = Boolean(this.draft.current?.rationale);
    this.render();
  }

  #open(rowKey) {
    this.draft.open = rowKey;
    this.#stopAsking();
    this.#why = Boolean(this.draft.current?.rationale);
  }

  #typed() {
    this.draft.writing = this.input.value;
    this.page.changed();
  }

  #written(event) {
    event.preventDefault();
    if (!this.takeWriting()) this.draft.writing = "";
    this.input.blur();
  }

  #changed() {
    this.render();
    this.page.changed();
  }

  render() {
    const inside = this.element.contains(document.activeElement) && document.activeElement !== this.input;
    const rows = this.draft.rows.map((row) => (row.key === this.draft.open ? this.#now(row) : this.#line(row)));
    // Moving the field would take the focus from who types in it.
    for (const old of [...this.element.children]) if (old !== this.write) old.remove();
    if (this.authoring === "off") this.write.remove();
    else if (!this.write.isConnected) this.element.append(this.write);
    this.element.prepend(...rows);
    this.element.querySelector(".now")?.scrollIntoView({ block: "nearest" });
    if (inside) (this.element.querySelector(".now [role=radio][tabindex='0']") ?? this.element.querySelector("button"))?.focus();
  }

  #line(row) {
    const [words, tone] = told(row, this.points);
    const open = () => {
      this.#open(row.key);
      this.#changed();
    };
    return h(
      "button",
      { class: "line", type: "button", title: row.criterion, on: { click: open } },
      h("span", {}, row.criterion),
      h("span", {}, row.own && h("span", { class: "by" }, "yours "), row.rationale && h("span", { class: "by" }, "with reasons "), h("span", { class: `result ${tone}` }, words)),
    );
  }

  #now(row) {
    const { draft, points } = this;
    const id = "question";
    const at = draft.rows.indexOf(row) + 1;
    const stepper = h(
      "div",
      { class: "stepper" },
      h("button", { type: "button", disabled: draft.rows.length < 2, "aria-label": "Criterion before", on: { click: () => this.step(-1) } }, "\u2039"),
      h("span", {}, `${at} of ${draft.rows.length}, ${draft.judgedRows.length} judged`),
      h("button", { type: "button", disabled: draft.rows.length < 2, "aria-label": "Next criterion", on: { click: () => this.step(1) } }, "\u203a"),
    );
    const chosen = points.findIndex((point) => same(point, row));
    const radios = points.map((point, index) =>
      h(
        "button",
        {
          type: "button",
          class: point.tone,
          role: "radio",
          "aria-checked": String(index === chosen),
          "aria-label": point.name,
          tabindex: index === Math.max(chosen, 0) ? "0" : "-1",
          on: { click: () => this.choose(point) },
        },
        h("b", {}, point.label[0]),
        point.label[1],
        key(String(index + 1)),
      ),
    );
    const scale = h("div", { class: "scale", role: "radiogroup", "aria-labelledby": id, on: { keydown: (event) => this.#arrows(event, radios) } }, ...radios);
    return h(
      "section",
      { class: "now", "aria-labelledby": id },
      draft.rows.length > 1 && stepper,
      h("div", { class: "question" }, h("p", { id, dir: "auto" }, row.criterion), row.own && h("span", { class: "by" }, "yours")),
      scale,
      this.#breaking ? this.#which() : this.#under(row),
      this.#why && this.#reasons(row),
    );
  }

  #under(row) {
    const pressed = (verdict) => String(row.verdict === verdict);
    return h(
      "div",
      { class: "under" },
      h("button", { type: "button", "aria-expanded": String(this.#why), on: { click: () => this.openWhy() } }, "Why", key("R")),
      h("button", { type: "button", "aria-pressed": pressed("cannot_tell"), on: { click: () => this.choose(CANNOT_TELL) } }, "Cannot tell", key("0")),
      this.#canBreak &&
        h("button", { type: "button", "aria-pressed": pressed("media_broken"), on: { click: () => this.askBroken() } }, row.broken ? told(row, this.points)[0] : "Media broken", key("M")),
      row.verdict && h("button", { type: "button", on: { click: () => this.choose(NOTHING) } }, "Clear", key("\u232b")),
      row.own && row.comparison === null && h("button", { type: "button", on: { click: () => this.#remove(row) } }, "Remove"),
    );
  }

  #which() {
    const names = { a: ["A", "A"], b: ["B", "B"], prompt: ["The prompt", "P"] };
    const slots = Object.keys(names).filter((slot) => this.media[slot]);
    const choose = (slot) => {
      this.#stopAsking();
      this.choose(broken(slot));
    };
    return h(
      "div",
      { class: "under", role: "group", "aria-label": "Which is broken?" },
      h("span", {}, "Which is broken?"),
      ...slots.map((slot) => h("button", { type: "button", on: { click: () => choose(slot) } }, names[slot][0], key(names[slot][1]))),
      h("button", { type: "button", on: { click: () => this.#leave() } }, "None", key("Esc")),
    );
  }

  #reasons(row) {
    const typed = (event) => {
      row.rationale = event.target.value;
      this.page.changed();
    };
    const leave = (event) => {
      if (event.key !== "Escape" && !(event.key === "Enter" && (event.ctrlKey || event.metaKey))) return;
      event.preventDefault();
      event.target.blur();
      if (!row.rationale) this.#leave();
    };
    return h(
      "label",
      { class: "why" },
      h("span", { class: "sr" }, "Why: your reasons"),
      h("textarea", { rows: 2, maxlength: 10000, dir: "auto", placeholder: "Why? Esc leaves the field.", value: row.rationale, on: { input: typed, keydown: leave } }),
    );
  }

  #remove(row) {
    this.draft.remove(row);
    this.#open(this.draft.open);
    this.page.announce("Criterion removed.");
    this.#changed();
  }

  /** Arrows move along the scale; Space or the number chooses. */
  #arrows(event, radios) {
    const by = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
    if (!by) return;
    event.preventDefault();
    const to = (radios.indexOf(document.activeElement) + by + radios.length) % radios.length;
    for (const [index, radio] of radios.entries()) radio.tabIndex = index === to ? 0 : -1;
    radios[to].focus();
  }
}
