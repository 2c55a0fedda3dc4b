// The criteria: one question at a time, judged ones folded to a line, one of one's own always a key away.

import { toldAnchor } from "./anchors.js";
import { CriterionEditor } from "./criterion.js";
import { h, key, printed } from "./dom.js";
import { broken, CANNOT_TELL, NOT_APPLICABLE, NOTHING, same, told } from "./scale.js";
import { inContext, t } from "./tongue.js";

const MOST_ANCHORS = 20; // of one answer, as the server takes them

export class Dock {
  #why = false; // the rationale of the open row is shown
  #asks = ""; // what the keys are lent to: "" | "broken" (which medium?) | "tags" (which ones?) | "evidence" (where?)
  #quoting = ""; // whose words are typed as evidence: "" | "a" | "b"

  /**
   * @param {HTMLElement} element
   * @param {{slug: string, keys: Keys, anchors: Anchors, changed: () => void, announce: (text: string) => void}} page
   */
  constructor(element, page) {
    this.element = element;
    this.page = page;
    this.editor = new CriterionEditor({
      slug: page.slug,
      announce: page.announce,
      typed: (text) => this.#typed(text),
      written: (text) => this.#written(text),
    });
  }

  /**
   * @param {Draft} draft
   * @param {{project: any, points: Point[], media: {a: boolean, b: boolean, prompt: boolean}}} terms
   */
  show(draft, { project, points, media }) {
    const { authoring, tags } = project;
    Object.assign(this, { draft, points, authoring, tags, media });
    this.#why = Boolean(draft.current?.rationale);
    for (const row of draft.rows) row.tags = row.tags.filter((tag) => tags.includes(tag)); // what is not offered any more is refused
    this.#stopAsking();
    this.editor.show(project);
    this.editor.value = draft.writing;
    this.#bind();
    this.render();
  }

  #bind() {
    const group = "Judge"; // a name, which the list of keys puts into words
    const verdicts = this.points.map((point, index) => [String(index + 1), { label: point.name, group, run: () => this.choose(point) }]);
    this.page.keys.bind("dock", {
      ...Object.fromEntries(verdicts),
      0: { label: t("Cannot tell"), group, run: () => this.choose(CANNOT_TELL) },
      9: { label: t("Not applicable"), group, run: () => this.choose(NOT_APPLICABLE) },
      ...(this.tags.length ? { "/": { label: t("Tags"), group, run: () => this.askTags() } } : {}),
      ...(this.page.anchors.possible ? { A: { label: t("Evidence: the place that shows it"), group, run: () => this.askEvidence() } } : {}),
      ...(this.#canBreak ? { M: { label: t("Media broken"), group, run: () => this.askBroken() } } : {}),
      Backspace: { label: t("Clear the verdict"), shown: "\u232b", group, run: () => this.choose(NOTHING) },
      R: { label: t("Why: your reasons"), group, run: () => this.openWhy() },
      J: { label: t("Next criterion"), group, run: () => this.step(1) },
      K: { label: t("Criterion before"), group, run: () => this.step(-1) },
      ...(this.authoring === "off" ? {} : { N: { label: t("A criterion of your own"), group, run: () => this.editor.focus() } }),
      Escape: { label: t("Leave a field"), shown: "Esc", group, run: () => this.#leave() },
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
    this.#stopAsking();
    const next = verdict ? this.draft.nextUnjudged : null;
    const words = verdict ? told(row, this.points)[0] : t("Cleared");
    if (next) this.#open(next.key);
    this.page.announce(next ? t("{verdict}. Next: {criterion}", { verdict: words, criterion: next.criterion }) : t("{verdict}.", { verdict: words }));
    this.#changed();
  }

  askBroken() {
    this.#asks = "broken";
    this.render();
    const slots = ["a", "b", "prompt"].filter((slot) => this.media[slot]);
    const letters = { a: "A", b: "B", prompt: "P" };
    this.page.keys.bind("asked", {
      ...Object.fromEntries(slots.map((slot) => [letters[slot], { label: told(broken(slot), [])[0], hidden: true, run: () => this.choose(broken(slot)) }])),
      Escape: { label: t("Not broken"), hidden: true, run: () => this.#leave() },
    });
    this.page.announce(t("Which is broken?"));
  }

  /** Numbers choose tags until Esc. */
  askTags() {
    if (!this.draft.current) return;
    this.#asks = "tags";
    this.render();
    const numbered = this.tags.slice(0, 9).map((tag, index) => [String(index + 1), { label: tag, hidden: true, run: () => this.turnTag(tag) }]);
    const leave = { label: t("Enough tags"), hidden: true, run: () => this.#leave() };
    this.page.keys.bind("asked", { ...Object.fromEntries(numbered), Escape: leave, "/": leave });
    const tags = this.tags.slice(0, 9).map((tag, index) => `${index + 1} ${tag}`).join(", ");
    this.page.announce(t("Tags by their numbers: {tags}. Escape ends it.", { tags }));
  }

  turnTag(tag) {
    const row = this.draft.current;
    const had = row.tags.includes(tag);
    row.tags = had ? row.tags.filter((one) => one !== tag) : [...row.tags, tag];
    this.page.announce(had ? t("Without the tag {tag}.", { tag }) : t("Tagged {tag}.", { tag }));
    this.#changed();
  }

  /** A place for the criterion in hand: what is selected, or what is pointed at next. */
  askEvidence() {
    if (!this.draft.current || !this.page.anchors.possible) return;
    const selected = this.page.anchors.selected();
    if (selected) return this.#anchored(selected);
    this.#asks = "evidence";
    this.page.anchors.begin((anchor) => this.#anchored(anchor), this.#missed);
    const on = (side) => ({ label: t("Evidence on {side}", { side: side.toUpperCase() }), hidden: true, run: () => this.#point(side) });
    this.page.keys.bind("asked", { A: on("a"), B: on("b"), Escape: { label: t("No evidence"), hidden: true, run: () => this.#leave() } });
    this.page.announce(t("Evidence on which side? A or B."));
    this.render();
  }

  #missed = () => this.page.announce(t("Nothing of the model is there."));

  /** By keys alone: words are typed, a box is moved, a model turned under a cross, a range lasts from one press to the next. */
  #point(side) {
    const { anchors } = this.page;
    const kind = anchors.kindOf(side);
    if (kind === "text") {
      this.#quoting = side;
      this.render();
      this.element.querySelector(".quoting input")?.focus();
    } else if (kind === "box") {
      anchors.frame(side, (anchor) => (anchor ? this.#anchored(anchor) : this.#leave()));
    } else if (kind === "point") {
      anchors.cross(side, (anchor) => (anchor ? this.#anchored(anchor) : this.#leave()), this.#missed);
    } else if (kind === "time") {
      const anchor = anchors.looped(side) ?? anchors.ranged(side);
      if (anchor) return this.#anchored(anchor);
      this.page.announce(t("From {time}. Press {side} again where it ends.", { time: anchors.begun, side: side.toUpperCase() }));
      this.render();
    }
  }

  #anchored(anchor) {
    const row = this.draft.current;
    this.#stopAsking();
    if (row.anchors.length >= MOST_ANCHORS) this.page.announce(t("At most {n} places for one verdict.", { n: MOST_ANCHORS }));
    else row.anchors = [...row.anchors, anchor];
    this.page.announce(t("Evidence: {place}.", { place: toldAnchor(anchor) }));
    this.#changed();
  }

  #stopAsking() {
    this.#asks = this.#quoting = "";
    this.page.anchors.end();
    this.page.keys.bind("asked", null);
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
    if (!this.editor.value.trim()) return false;
    this.#add(this.editor.value);
    return true;
  }

  #add(text) {
    const fresh = this.draft.write(text);
    this.editor.value = "";
    this.#open(this.draft.open);
    this.page.announce(fresh ? t("Criterion added. Judge it.") : t("This criterion is there already."));
    this.#changed();
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

  #typed(text) {
    this.draft.writing = text;
    this.page.changed();
  }

  #written(text) {
    if (text.trim()) this.#add(text);
    else this.draft.writing = "";
  }

  #changed() {
    this.render();
    this.page.changed();
  }

  render() {
    const inside = this.element.contains(document.activeElement) && document.activeElement !== this.editor.input;
    const held = document.activeElement.dataset.held ?? "";
    const rows = this.draft.rows.map((row) => (row.key === this.draft.open ? this.#now(row) : this.#line(row)));
    const write = this.editor.element;
    // Moving the field would take the focus from who types in it.
    for (const old of [...this.element.children]) if (old !== write) old.remove();
    if (this.authoring === "off") write.remove();
    else if (!write.isConnected) this.element.append(write);
    this.editor.count(this.draft.rows.filter((row) => row.own).length);
    this.element.prepend(...rows);
    this.page.anchors.draw(this.draft.current?.anchors ?? []);
    this.element.querySelector(".now")?.scrollIntoView({ block: "nearest" });
    const again = [...this.element.querySelectorAll("[data-held]")].find((one) => one.dataset.held === held);
    if (inside) (again ?? this.element.querySelector(".now [role=radio][tabindex='0']") ?? this.element.querySelector("button"))?.focus();
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
      h("span", {}, row.own && h("span", { class: "by" }, t("yours"), " "), row.rationale && h("span", { class: "by" }, t("with reasons"), " "), row.anchors.length > 0 && h("span", { class: "by" }, t("with evidence"), " "), row.tags.length > 0 && h("span", { class: "by" }, `${row.tags.join(", ")} `), h("span", { class: `result ${tone}` }, words)),
    );
  }

  #now(row) {
    const { draft, points } = this;
    const id = "question";
    const at = draft.rows.indexOf(row) + 1;
    const stepper = h(
      "div",
      { class: "stepper" },
      h("button", { type: "button", disabled: draft.rows.length < 2, "aria-label": t("Criterion before"), on: { click: () => this.step(-1) } }, "\u2039"),
      h("span", {}, t("{at} of {all}, {judged} judged", { at, all: draft.rows.length, judged: draft.judgedRows.length })),
      h("button", { type: "button", disabled: draft.rows.length < 2, "aria-label": t("Next criterion"), on: { click: () => this.step(1) } }, "\u203a"),
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
      h("div", { class: "question" }, h("p", { id, dir: "auto" }, row.criterion), row.own && h("span", { class: "by" }, t("yours"))),
      scale,
      this.#asks === "broken" ? this.#which() : this.#asks === "evidence" ? this.#where() : this.#under(row),
      row.anchors.length > 0 && this.#places(row),
      this.tags.length > 0 && this.#tagged(row),
      this.#why && this.#reasons(row),
    );
  }

  #under(row) {
    const pressed = (verdict) => String(row.verdict === verdict);
    return h(
      "div",
      { class: "under" },
      h("button", { type: "button", "aria-expanded": String(this.#why), on: { click: () => this.openWhy() } }, t("Why"), key("R")),
      // Pressing it must not let go of the selected text, which is what it takes.
      this.page.anchors.possible && h("button", { type: "button", on: { mousedown: (event) => event.preventDefault(), click: () => this.askEvidence() } }, t("Evidence"), key("A")),
      h("button", { type: "button", "aria-pressed": pressed("cannot_tell"), on: { click: () => this.choose(CANNOT_TELL) } }, t("Cannot tell"), key("0")),
      h("button", { type: "button", "aria-pressed": pressed("not_applicable"), on: { click: () => this.choose(NOT_APPLICABLE) } }, t("Not applicable"), key("9")),
      this.#canBreak &&
        h("button", { type: "button", "aria-pressed": pressed("media_broken"), on: { click: () => this.askBroken() } }, row.broken ? told(row, this.points)[0] : t("Media broken"), key("M")),
      row.verdict && h("button", { type: "button", on: { click: () => this.choose(NOTHING) } }, inContext("the verdict", "Clear"), key("Backspace", "\u232b")),
      row.own && row.comparison === null && h("button", { type: "button", on: { click: () => this.#remove(row) } }, t("Remove")),
    );
  }

  #which() {
    const names = { a: ["A", "A"], b: ["B", "B"], prompt: [t("The prompt"), "P"] };
    const slots = Object.keys(names).filter((slot) => this.media[slot]);
    return h(
      "div",
      { class: "under", role: "group", "aria-label": t("Which is broken?") },
      h("span", {}, t("Which is broken?")),
      ...slots.map((slot) => h("button", { type: "button", on: { click: () => this.choose(broken(slot)) } }, names[slot][0], printed(names[slot][1]))),
      h("button", { type: "button", on: { click: () => this.#leave() } }, t("None"), key("Esc")),
    );
  }

  #where() {
    const { anchors } = this.page;
    const sides = ["a", "b"].filter((side) => anchors.kindOf(side));
    const hints = {
      text: t("Select words in a response, or type some of:"),
      box: t("Draw a box on an image, or move one by keys on:"),
      point: t("Click a point of a model, or turn one under a cross by keys:"),
      time: anchors.begun ? t("From {time}: go on to the end, then again:", { time: anchors.begun }) : t("From where the clock stands now, in:"),
    };
    const typed = (event) => {
      event.preventDefault();
      const anchor = anchors.found(this.#quoting, event.target.elements.quote.value);
      if (anchor) this.#anchored(anchor);
      else this.page.announce(t("These words do not stand there."));
      event.target.querySelector(".missing")?.toggleAttribute("hidden", Boolean(anchor));
    };
    const leave = (event) => {
      if (event.key === "Escape") this.#leave();
    };
    const side = this.#quoting.toUpperCase();
    const field = () =>
      h(
        "form",
        { class: "quoting", on: { submit: typed, keydown: leave } },
        h("input", { name: "quote", autocomplete: "off", dir: "auto", "aria-label": t("Words of response {side}", { side }), placeholder: t("Words of {side}, then Enter", { side }) }),
        h("span", { class: "missing", hidden: true }, t("Not there.")),
      );
    const buttons = () => sides.map((one) => h("button", { type: "button", on: { click: () => this.#point(one) } }, one.toUpperCase(), printed(one.toUpperCase())));
    return h(
      "div",
      { class: "under", role: "group", "aria-label": t("Evidence") },
      ...(side ? [field()] : [h("span", {}, [...new Set(sides.map((one) => hints[anchors.kindOf(one)]))].join(" ")), ...buttons()]),
      h("button", { type: "button", on: { click: () => this.#leave() } }, t("None"), key("Esc")),
    );
  }

  #places(row) {
    const drop = (anchor) => {
      row.anchors = row.anchors.filter((one) => one !== anchor);
      this.page.announce(t("Evidence removed."));
      this.#changed();
    };
    return h(
      "div",
      { class: "places", role: "group", "aria-label": t("Evidence given") },
      ...row.anchors.map((anchor) =>
        h(
          "span",
          { class: `place ${anchor.side}` },
          h("button", { type: "button", title: t("Show it"), on: { click: () => this.page.anchors.reveal(anchor) } }, toldAnchor(anchor)),
          h("button", { type: "button", "aria-label": t("Remove {place}", { place: toldAnchor(anchor) }), on: { click: () => drop(anchor) } }, "\u00d7"),
        ),
      ),
    );
  }

  #tagged(row) {
    const numbers = this.#asks === "tags";
    return h(
      "div",
      { class: "tags", role: "group", "aria-label": t("Tags") },
      ...this.tags.map((tag, index) =>
        h("button", { type: "button", "aria-pressed": String(row.tags.includes(tag)), dataset: { held: `tag ${tag}` }, on: { click: () => this.turnTag(tag) } }, tag, numbers && index < 9 && printed(String(index + 1))),
      ),
      !numbers && h("button", { type: "button", class: "ask", "aria-label": t("Choose tags by their numbers"), on: { click: () => this.askTags() } }, key("/")),
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
      h("span", { class: "sr" }, t("Why: your reasons")),
      h("textarea", { rows: 2, maxlength: 10000, dir: "auto", placeholder: t("Why? Esc leaves the field."), value: row.rationale, on: { input: typed, keydown: leave } }),
    );
  }

  #remove(row) {
    this.draft.remove(row);
    this.#open(this.draft.open);
    this.page.announce(t("Criterion removed."));
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
