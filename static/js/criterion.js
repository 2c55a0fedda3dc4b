// The field for a criterion of one's own: what is good advice, what the library has already, and the project's limits.

import { call } from "./api.js";
import { h, key } from "./dom.js";
import { plural, t } from "./tongue.js";

const PAUSE = 200; // ms of not typing after which the library is asked
const LEAST = 3; // characters
const AGAIN = [400, 1200]; // ms until it is asked again what is alike in meaning, which workers compute
const ADVICE = t("One quality, in words that somebody else can judge by: \u201cThe steps are in the right order.\u201d Not who wins, and not two things at once.");
const SIDES = t("The sides stand the other way round for others: name the quality, not A or B.");
// Criteria are written in any language, whatever the page is in.
const NAMES_A_SIDE = [
  /\b(?:response|answer|side|option|version|image|picture|video|sound|model)\s+[ab]\b|^\s*[ab]\s+(?:is|has|was|looks|sounds)\b/i,
  // Korean: a noun before the letter, or the letter with a particle that makes it the subject or what is compared with.
  /(?:응답|답변|대답|이미지|그림|사진|영상|비디오|동영상|소리|음성|모델|버전)\s*[ab](?![a-z])|(?<![a-z])[ab]\s?(?:가|는|를|의|도|쪽|보다)(?=\s|$)/i,
  // Chinese: a noun before or after the letter, or the letter before a verb, as the subject or what is compared with.
  /(?:回答|回复|答案|图片|图像|图|视频|音频|声音|模型|版本|选项)\s*[ab](?![a-z])|(?<![a-z])[ab]\s*(?:的|比|更|是|有|看起来|听起来|版|图|回答|较)|比\s*[ab](?![a-z])/i,
];

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
      "aria-label": t("A criterion of your own"),
      on: { input: () => this.#typed(), keydown: (event) => this.#key(event), focus: () => this.#ask(), blur: () => this.#offer([]) },
    });
    this.list = h("div", { class: "like", id: "like", role: "listbox", "aria-label": t("Criteria like this one"), hidden: true });
    this.advice = h("p", { class: "advice", id: "advice" });
    this.length = h("output", { class: "by", "aria-label": t("Characters") });
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

  /** @param {{authoring: string, authored_k: number, authored_most: number, authored_length: number, authored_guidance: string, authored_sharing: string}} terms */
  show(terms) {
    this.terms = terms;
    this.input.maxLength = terms.authored_length;
  }

  /** @param {number} own how many criteria of the pair are the annotator's own */
  count(own) {
    const { authoring, authored_most: most } = this.terms;
    this.input.disabled = own >= most;
    if (own >= most) this.input.placeholder = t("You have written {n}, as many as this project takes for a pair", { n: own });
    else if (authoring === "required" && !own) this.input.placeholder = t("Write a criterion of your own: this project asks for one a pair");
    else this.input.placeholder = t("Write a criterion of your own: what else makes one of them better?");
  }

  focus() {
    this.input.focus();
  }

  #told() {
    const { authored_guidance: guidance, authored_k: k, authored_length: most } = this.terms;
    const others = this.#others(k - 1);
    const sided = NAMES_A_SIDE.some((names) => names.test(this.value));
    this.advice.textContent = sided ? SIDES : [guidance || ADVICE, others].filter(Boolean).join(" ");
    this.advice.classList.toggle("warn", sided);
    this.length.textContent = this.value ? t("{n} of {all}", { n: this.value.length, all: most }) : "";
  }

  /** Whom else it is asked, by the project's policy. @param {number} more places that a comparison by it has for others */
  #others(more) {
    const { authored_sharing: sharing } = this.terms;
    if (sharing === "never") return t("Nobody else is asked it.");
    if (more < 1) return "";
    if (sharing === "review") return t("Others are asked it once a moderator has accepted it.");
    return plural("One other person is asked it too.", "{n} others are asked it too.", more);
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
    this.#timer = setTimeout(() => this.#look(number, AGAIN), PAUSE);
  }

  async #look(number, [wait, ...waits]) {
    // Without the library one writes on: the server knows an equal text by itself.
    const { criteria, pending } = await call("GET", `projects/${this.page.slug}/criteria/?like=${encodeURIComponent(this.value)}`).catch(() => ({ criteria: [], pending: false }));
    if (number !== this.#asked || document.activeElement !== this.input) return;
    const texts = criteria.map(({ text }) => text);
    // What somebody is choosing from stays as it is.
    if (this.#active < 0 && (texts.join() !== this.#found.join() || !texts.length)) this.#offer(texts);
    if (pending && wait) this.#timer = setTimeout(() => this.#look(number, waits), wait);
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
    if (fresh) this.page.announce(plural("One like it is in the library. Arrow down to choose.", "{n} like it are in the library. Arrow down to choose.", found.length));
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
