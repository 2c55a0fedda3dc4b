// Two images laid over each other in the place of both sides: a wipe between them, one after the other, or their difference.

import { h } from "../dom.js";
import { t } from "../tongue.js";
import { Surface } from "./surface.js";

const BEAT = 700; // ms that each is shown

export class Overlay {
  /** @type {Surface|null} */
  #surface = null;
  #shown = ""; // which couple
  #timer = 0;

  /** @param {HTMLElement} element covers both sides, hidden until it is wanted @param {import("./zoom.js").Zoom} link */
  constructor(element, link) {
    this.element = element;
    this.link = link;
    this.left = new AbortController();
    this.stage = h("div", { class: "stage" });
    this.names = [h("b", {}), h("b", {})];
    this.line = h("i", { class: "cut" });
    element.replaceChildren(this.stage, ...this.names, this.line);
    this.line.addEventListener("pointerdown", (event) => this.#drag(event), { signal: this.left.signal });
    link.addEventListener("change", () => this.#draw(), { signal: this.left.signal });
  }

  #draw() {
    const { link, element } = this;
    const couple = link.manner ? link.couple : [];
    const open = couple.length === 2 && couple.every(Boolean);
    element.hidden = !open;
    if (!open) return this.#close();
    element.dataset.manner = link.manner;
    this.#show(couple);
    const [under, over] = this.#surface.layers.map(({ element: layer }) => layer);
    const { manner, cut, front } = link;
    under.style.clipPath = over.style.clipPath = "";
    under.style.visibility = over.style.visibility = "";
    if (manner === "wipe") this.#wipe(under, over, cut);
    if (manner === "blink") [under, over][1 - front].style.visibility = "hidden";
    this.#surface.view.style.filter = manner === "difference" && link.gain > 1 ? `brightness(${link.gain})` : "";
    this.names.forEach((name, n) => {
      name.hidden = manner === "blink" && n !== front;
      name.textContent = nameOf(couple[n]);
      name.className = couple[n].side;
    });
    this.#beat();
  }

  #show(couple) {
    const sides = couple.map(({ side, pictures: [{ image }] }) => `${side} ${image.src}`).join(" "); // one that plays is another
    if (this.#surface && this.#shown === sides) return this.#surface.draw();
    this.#surface?.destroy();
    this.#shown = sides;
    const pictures = couple.map(({ pictures: [one] }) => ({ ...one, image: Object.assign(one.image.cloneNode(), { alt: one.image.alt }) }));
    this.#surface = new Surface(this.stage, { pictures, label: t("{one} and {other}, one over the other", { one: nameOf(couple[0]), other: nameOf(couple[1]) }), link: this.link });
  }

  /** Cuts each picture off at the line, which stands on the screen however they are zoomed. */
  #wipe(under, over, cut) {
    under.style.clipPath = `inset(0 ${(1 - cut) * 100}% 0 0)`;
    over.style.clipPath = `inset(0 0 0 ${cut * 100}%)`;
    this.line.style.left = `${cut * 100}%`;
  }

  #drag(event) {
    const box = this.element.getBoundingClientRect();
    const done = new AbortController();
    const to = ({ clientX }) => this.link.set({ cut: (clientX - box.left) / box.width });
    this.line.setPointerCapture(event.pointerId);
    this.line.addEventListener("pointermove", to, { signal: done.signal });
    for (const type of ["pointerup", "pointercancel"]) this.line.addEventListener(type, () => done.abort(), { signal: done.signal });
  }

  /** Changes by itself, unless somebody asked for less motion: then by its key alone. */
  #beat() {
    const beats = this.link.manner === "blink" && !matchMedia("(prefers-reduced-motion: reduce)").matches;
    if (!beats) clearInterval(this.#timer);
    else if (!this.#timer) this.#timer = setInterval(() => this.link.set({ front: 1 - this.link.front }), BEAT);
    if (!beats) this.#timer = 0;
  }

  #close() {
    clearInterval(this.#timer);
    this.#timer = 0;
    this.#surface?.destroy();
    this.#surface = null;
    this.stage.replaceChildren();
  }

  destroy() {
    this.left.abort();
    this.#close();
    this.element.hidden = true;
    this.element.replaceChildren();
  }
}

const nameOf = ({ side }) => (side === "source" ? t("Source") : side.toUpperCase());
