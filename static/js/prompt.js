// The prompt: one line that opens, because the responses own the screen. Its media have tools of their own.

import { h, key } from "./dom.js";
import { grouped } from "./keys.js";
import { asTyped, render } from "./markdown.js";
import { mountAlone } from "./solo.js";
import { inContext, t } from "./tongue.js";
import { loadViewer } from "./viewers.js";

const NAMES = { image: t("Prompt: image"), video: t("Prompt: video"), audio: t("Prompt: sound"), mesh: t("Prompt: 3D model") };
/** Where there are several of a kind. @type {Record<string, (n: number) => string>} */
const NUMBERED = {
  image: (n) => t("Prompt: image {n}", { n }),
  video: (n) => t("Prompt: video {n}", { n }),
  audio: (n) => t("Prompt: sound {n}", { n }),
  mesh: (n) => t("Prompt: 3D model {n}", { n }),
};
const ROLES = { user: inContext("who speaks", "user"), assistant: inContext("who speaks", "assistant"), system: inContext("who speaks", "system") };

/** What people wrote stands as they typed it; what a model answered earlier is read as its answers are. */
function words(role, text) {
  const said = role === "assistant" ? h("div", { class: "read" }) : h("p", { dir: "auto" });
  said.append(role === "assistant" ? render(text) : asTyped(text));
  return said;
}

export class PromptView {
  #mounted = [];
  /** @type {Map<number, {figure: HTMLElement, link: any}>} by their place among the prompt's media */
  #figured = new Map();
  #shows = 0; // counts what is shown: a viewer that comes late for an earlier prompt is not mounted

  /** @param {HTMLElement} element the section @param {Keys} keys */
  constructor(element, keys) {
    this.element = element;
    this.keys = keys;
    this.asked = element.querySelector(".asked");
    this.media = element.querySelector(".media");
    this.toggle = element.querySelector(".open-all");
    this.toggle.addEventListener("click", () => this.flip());
    new ResizeObserver(() => this.#measure()).observe(this.asked);
  }

  /**
   * @param {{turns: {role: string, text: string}[], media: any[]}} prompt
   * @param {{elsewhere?: any, quiet?: boolean}} [how] `elsewhere`: a medium that is shown beside the responses; `quiet`:
   *   nothing is heard until one asks for it
   */
  show({ turns, media }, { elsewhere = null, quiet = false } = {}) {
    this.clear();
    const shown = media.filter((medium) => medium !== elsewhere);
    this.several = turns.length > 1;
    this.hasMedia = shown.length > 0;
    const last = turns.at(-1);
    // The newest turn is what is answered: folded it alone stands there, opened it is in sight.
    const texts = turns.map(({ role, text }) =>
      h("div", { class: "turn", dataset: { role } }, this.several && h("span", { class: "role" }, ROLES[role] ?? role), words(role, text)),
    );
    this.asked.replaceChildren(...texts);
    this.media.replaceChildren(...this.#figures(shown, media, quiet));
    this.asked.title = this.several ? last.text : "";
    this.element.classList.remove("large");
    this.#open(this.hasMedia || this.several);
  }

  clear() {
    this.#shows += 1;
    for (const viewer of this.#mounted) viewer.destroy();
    this.#mounted = [];
    this.#figured.clear();
    this.media.replaceChildren();
    this.keys.bind("prompt", null);
  }

  /** What plays one of the prompt's media, while it is on screen. @param {number} index */
  playing(index) {
    const { figure, link } = this.#figured.get(index) ?? {};
    return figure?.clientHeight ? link : null;
  }

  #figures(shown, all, quiet) {
    const kinds = shown.map(({ modality }) => modality);
    const figures = shown.map((medium, index) => {
      const kind = kinds[index];
      const count = (some) => some.filter((one) => one === kind).length;
      const label = count(kinds) > 1 ? NUMBERED[kind](count(kinds.slice(0, index + 1))) : NAMES[kind];
      const figure = h("div", { class: `figure ${medium.modality}`, role: "group", "aria-label": label });
      return { figure, medium, label, place: all.indexOf(medium) };
    });
    this.#mount(figures, this.#shows, quiet);
    return figures.map(({ figure }) => figure);
  }

  async #mount(figures, round, quiet) {
    const modules = await Promise.all(figures.map(({ medium }) => loadViewer(medium.modality).catch(() => null)));
    if (round !== this.#shows) return;
    let led = false;
    for (const [index, { figure, medium, label, place }] of figures.entries()) {
      if (!modules[index]) {
        figure.replaceChildren(h("p", {}, t("{label}: this page could not load its viewer. Reload the page.", { label })));
        continue;
      }
      const side = `p${place}`;
      const viewer = mountAlone(figure, modules[index], { medium, label, side }, { keys: this.keys, name: `prompt ${side}`, quiet, extra: [this.#larger(label)] });
      this.#mounted.push(viewer);
      this.#figured.set(place, { figure, link: viewer.link });
      if (led || !viewer.keys) continue;
      led = true; // the first one's keys act wherever the focus is, unless the pair has use for them
      this.keys.bind("prompt", grouped(viewer.keys, "Prompt"), { yields: true });
    }
  }

  /** One medium looked at closely, in place of the responses, for as long as one does. */
  #larger(label) {
    const words = h("span", {}, t("Larger"));
    const enlarge = ({ currentTarget }) => {
      const large = this.element.classList.toggle("large");
      currentTarget.closest(".figure").classList.toggle("close", large);
      currentTarget.setAttribute("aria-pressed", String(large));
      words.textContent = large ? t("Smaller") : t("Larger");
    };
    return h("button", { type: "button", class: "larger", "aria-pressed": "false", title: t("{label}, larger", { label }), on: { click: enlarge } }, words);
  }

  flip() {
    if (this.toggle.hidden) return;
    this.media.querySelector(".close .larger")?.click();
    this.#open(!this.element.classList.contains("open"));
  }

  #open(open) {
    this.element.classList.toggle("open", open);
    this.toggle.setAttribute("aria-expanded", String(open));
    this.toggle.replaceChildren(open ? t("Less") : t("All of it"), key("P"));
    const newest = this.asked.querySelector(".turn:last-child");
    this.asked.scrollTop = 0;
    if (open && newest) this.asked.scrollTop = newest.getBoundingClientRect().top - this.asked.getBoundingClientRect().top;
    this.#measure();
  }

  /** The button stands there only if there is more to see. */
  #measure() {
    const open = this.element.classList.contains("open");
    const lines = [...this.asked.querySelectorAll("p")];
    const hides = lines.some((line) => line.scrollHeight > line.clientHeight + 1);
    const long = open && this.asked.scrollHeight > 80;
    this.toggle.hidden = !(this.several || this.hasMedia || hides || long);
    if (this.asked.scrollHeight > this.asked.clientHeight + 1 && open) this.asked.tabIndex = 0;
    else this.asked.removeAttribute("tabindex");
  }
}
