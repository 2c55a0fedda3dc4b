// The prompt: one line that opens, because the responses own the screen.

import { h, key } from "./dom.js";
import { picture } from "./pictures.js";

export class PromptView {
  /** @param {HTMLElement} element the section */
  constructor(element) {
    this.element = element;
    this.asked = element.querySelector(".asked");
    this.toggle = element.querySelector("button");
    this.toggle.addEventListener("click", () => this.flip());
    new ResizeObserver(() => this.#measure()).observe(this.asked);
  }

  /** @param {{turns: {role: string, text: string}[], media: any[]}} prompt */
  show({ turns, media }) {
    this.several = turns.length > 1;
    this.hasMedia = media.length > 0;
    const last = turns.at(-1);
    // Folded, the newest turn is the one that matters: it stands first then.
    const shown = turns.map(({ role, text }) =>
      h("div", { class: "turn", dataset: { role } }, this.several && h("span", { class: "role" }, role), h("p", { dir: "auto" }, text)),
    );
    this.asked.replaceChildren(...shown, ...(this.hasMedia ? [h("div", { class: "media" }, ...media.map(medium))] : []));
    this.asked.title = this.several ? last.text : "";
    this.asked.scrollTop = 0;
    this.#open(this.hasMedia || this.several);
  }

  flip() {
    if (this.toggle.hidden) return;
    this.#open(!this.element.classList.contains("open"));
  }

  #open(open) {
    this.element.classList.toggle("open", open);
    this.toggle.setAttribute("aria-expanded", String(open));
    this.toggle.replaceChildren(open ? "Less" : "All of it", key("P"));
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

function medium({ modality, url }, index) {
  const label = `Prompt ${modality === "mesh" ? "3D" : modality} ${index + 1}`;
  if (modality === "video") return h("div", { class: "playable" }, h("video", { src: url, controls: true, playsinline: true, preload: "metadata", "aria-label": label }));
  if (modality === "audio") return h("div", { class: "playable" }, h("audio", { src: url, controls: true, preload: "metadata", "aria-label": label }));
  if (modality !== "image") return h("p", {}, `${label}: this page has no viewer for it.`);
  const { image } = picture(url);
  image.alt = label;
  return h("div", {}, image);
}
