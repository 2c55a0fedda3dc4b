// The field for a criterion of one's own: what is good advice, what the library has already, and the project's limits.

import { call } from "./api.js";
import { h, key } from "./dom.js";

const PAUSE = 200; // ms of not typing after which the library is asked
const LEAST = 3; // characters
const ADVICE = "One quality, in words that somebody else can judge by: \u201cThe steps are in the right order.\u201d Not who wins, and not two things at once.";
const SIDES = "The sides stand the other way round for others: name the quality, not A or B.";
const NAMES_A_SIDE = /\b(?:response|answer|side|option|version|image|picture|video|sound|model)\s+[ab]\b|^\s*[ab]\s+(?:is|has|was|looks|sounds)\b/i;

export class CriterionEditor {
  #timer = 0;
  #asked = 0; // number of the last question to the library
  #active = -1;
  /** @type {string[]} */ #found = [];

  /** @param {{slug: string, typed: (text: string) => void, written: (text: string) => void, announce: (text: string) => void}} page */
  constructor(page) {
    this.page = page;
    this.input = h("input", {
      autocomplete: "off",
      dir: "auto",
      role: "combobox",
      "aria-autocomplete": "list",
      "aria-expanded": "false",
      "aria-controls": "like",
      "aria-describedby": "advice",
      "aria-label": "A criterion of your own",
      on: { input: () => this.#typed(), keydown: (event) => this.#key(event), focus: () => this.#ask(), blur: () => this.#offer([]) },
    });
    this.list = h("div", { class: "like", id: "like", role: "listbox", "aria-label": "Criteria like this one", hidden: true });
    this.advice = h("p", { class: "advice", id: "advice" });
    this.length = h("output", { class: "by", "aria-label": "Characters" });
    this.element = h("form", { class: "write", on: { submit: (event) => this.#submitted(event) } }, this.list, this.advice, h("div", { class: "field" }, this.input, this.length, key("N")));
  }

  get value() {
    return this.input.value;
  }

  set value(text) {
    this.input.value = text;
    this.#told();
    this.#offer([]);
  }

  /** @param {{authoring: string, authored_k: number, authored_most: number, authored_length: number, authored_guidance: string}} terms */
  show(terms) {
    this.terms = terms;
    this.input.maxLength = terms.authored_length;
  }

  /** @param {number} own how many criteria of the pair are the annotator's own */
  count(own) {
    const { authoring, authored_most: most } = this.terms;
    this.input.disabled = own >= most;
    if (own >= most) this.input.placeholder = `You have written ${own}, as many as this project takes for a pair`;
    else if (authoring === "required" && !own) this.input.placeholder = "Write a criterion of your own: this project asks for one a pair";
    else this.input.placeholder = "Write a criterion of your own: what else makes one of them better?";
  }

  focus() {
    this.input.focus();
  }

  #told() {
    const { authored_guidance: guidance, authored_k: k, authored_length: most } = this.terms;
    const others = k > 1 ? ` ${k === 2 ? "One other person is" : `${k - 1} others are`} asked it too.` : "";
    const sided = NAMES_A_SIDE.test(this.value);
    this.advice.textContent = sided ? SIDES : (guidance || ADVICE) + others;
    this.advice.classList.toggle("warn", sided);
    this.length.textContent = this.value ? `${this.value.length} of ${most}` : "";
  }

  #typed() {
    this.#told();
    this.page.typed(this.value);
    this.#ask();
  }

  #ask() {
    this.#told();
    clearTimeout(this.#timer);
    const number = ++this.#asked;
    if (this.value.trim().length < LEAST) return this.#offer([]);
    this.#timer = setTimeout(async () => {
      // Without the library one writes on: the server knows an equal text by itself.
      const { criteria } = await call("GET", `projects/${this.page.slug}/criteria/?like=${encodeURIComponent(this.value)}`).catch(() => ({ criteria: [] }));
      if (number === this.#asked && document.activeElement === this.input) this.#offer(criteria.map(({ text }) => text));
    }, PAUSE);
  }

  #offer(found) {
    clearTimeout(this.#timer);
    const fresh = found.length && found.join() !== this.#found.join();
    this.#found = found;
    this.#active = -1;
    this.list.hidden = !found.length;
    this.input.setAttribute("aria-expanded", String(found.length > 0));
    this.list.replaceChildren(
      ...found.map((text, index) =>
        h(
          "div",
          {
            role: "option",
            id: `like-${index}`,
            "aria-selected": "false",
            dir: "auto",
            // Before the field loses the focus, and with it this list.
            on: { pointerdown: (event) => event.preventDefault(), click: () => this.#choose(text) },
          },
          text,
        ),
      ),
    );
    this.#mark();
    if (fresh) this.page.announce(`${found.length === 1 ? "One like it is" : `${found.length} like it are`} in the library. Arrow down to choose.`);
  }

  #mark() {
    for (const [index, option] of [...this.list.children].entries()) option.setAttribute("aria-selected", String(index === this.#active));
    if (this.#active < 0) this.input.removeAttribute("aria-activedescendant");
    else this.input.setAttribute("aria-activedescendant", `like-${this.#active}`);
  }

  #key(event) {
    const by = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (by && this.#found.length) {
      event.preventDefault();
      // One place more than there are options: the field itself.
      const places = this.#found.length + 1;
      this.#active = ((this.#active + 1 + by + places) % places) - 1;
      this.#mark();
    } else if (event.key === "Escape") {
      this.input.blur();
    }
  }

  #submitted(event) {
    event.preventDefault();
    if (event.isComposing) return;
    this.#choose(this.#found[this.#active] ?? this.value);
  }

  #choose(text) {
    this.#asked++;
    this.page.written(text);
    this.input.blur();
  }
}
