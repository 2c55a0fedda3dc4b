// The two sides: equal panes, one bar of tools for what is linked, one pane at a time on a phone.

import { h, key } from "./dom.js";
import { grouped } from "./keys.js";
import { linkFrom, mountAlone } from "./solo.js";
import { ariaKey } from "./spelling.js";
import { t } from "./tongue.js";
import { kindOf, loadViewer, sourceOf } from "./viewers.js";

const SWIPE = 60; // px

export class Panes {
  #mounted = [];
  #tools = null;
  #links = {}; // side -> what it is seen through: one for both, unless they are of two kinds
  #shown = ["a", "b"];
  #large = this.#larger();

  /** @param {Keys} keys */
  constructor(keys) {
    this.keys = keys;
    this.sides = document.getElementById("sides");
    this.bar = document.getElementById("tools");
    this.flipBar = document.getElementById("flip");
    this.together = h("div", { class: "together", hidden: true }); // over both sides, for what shows both in one place
    this.sides.append(this.together);
    this.bodies = Object.fromEntries(["source", "a", "b"].map((side) => [side, document.getElementById(`body-${side}`)]));
    for (const button of this.flipBar.querySelectorAll("button")) button.addEventListener("click", () => this.turn(button.dataset.side));
    this.#swipes();
    document.addEventListener("fullscreenchange", () => document.fullscreenElement || this.#enlarge(false));
  }

  /** The zoom, clock or camera that a side is seen through, which the other side shares if it is of the same kind. */
  linkOf(side) {
    return this.#links[side] ?? null;
  }

  /** All of them, each once. */
  get links() {
    return new Set(Object.values(this.#links).filter(Boolean));
  }

  /** Fetches what a claim's responses need. Returns what shows them, at once. */
  async prepare(claim) {
    const kinds = { a: kindOf(claim.a), b: kindOf(claim.b) };
    const [text, a, b] = await Promise.all([viewer("text"), viewer(kinds.a), viewer(kinds.b)]);
    const modules = { text, a, b };
    return () => this.#show(claim, kinds, modules);
  }

  #show(claim, kinds, modules) {
    this.clear();
    const source = sourceOf(claim);
    this.#stand(source ? ["source", "a", "b"] : ["a", "b"], kinds);
    if (kinds.a === kinds.b) {
      const link = linkFrom(modules.a, claim.sensitive);
      this.#links = { a: link, b: link };
      if (source) this.#mount(this.#stage("source"), modules.a, { medium: source, label: t("Source"), side: "source", link });
      for (const side of ["a", "b"]) this.#mount(this.#stage(side), modules[side], { ...dataOf(claim, side), link });
      if (link && modules.a.together) this.#mounted.push(modules.a.together(this.together, link));
      this.#showTools(link && modules.a.tools?.(link, { pair: true, source: Boolean(source) }));
    } else {
      // Of two kinds: nothing is linked, and each has tools of its own.
      for (const side of ["a", "b"]) {
        const alone = mountAlone(this.#stage(side), modules[side], dataOf(claim, side), { keys: this.keys, name: `side ${side}`, quiet: claim.sensitive });
        this.#links[side] = alone.link;
        this.#mounted.push(alone);
      }
    }
    for (const side of ["a", "b"]) {
      if (kinds[side] === "text" || !claim[side].text.trim()) continue;
      const caption = h("div", { class: "caption" });
      this.bodies[side].append(caption);
      this.#mount(caption, modules.text, { ...dataOf(claim, side), label: t("Text of response {side}", { side: side.toUpperCase() }) });
    }
    this.turn(source ? "source" : "a");
  }

  /** Which panes there are. */
  #stand(shown, kinds) {
    this.#shown = shown;
    this.sides.classList.toggle("three", shown.length === 3);
    this.sides.classList.toggle("sounds", kinds.a === "audio" && kinds.b === "audio");
    for (const one of this.flipBar.querySelectorAll("[data-side=source]")) one.hidden = !shown.includes("source");
    this.bodies.source.closest(".side").hidden = !shown.includes("source");
  }

  #stage(side) {
    const stage = h("div", { class: "stage" });
    this.bodies[side].replaceChildren(stage);
    return stage;
  }

  #mount(stage, module, data) {
    this.#mounted.push(module.mount(stage, data));
  }

  /** Marks the side that the open criterion prefers. @param {""|"a"|"b"} side */
  choose(side) {
    for (const one of ["a", "b"]) this.bodies[one].closest(".side").classList.toggle("chosen", one === side);
  }

  /** One pane at a time: the next one, at the same place of the text. @param {string} [side] */
  turn(side = this.#shown[(this.#shown.indexOf(this.sides.dataset.shown) + 1) % this.#shown.length]) {
    const from = this.bodies[this.sides.dataset.shown]?.querySelector(".scroller");
    const top = from?.scrollTop ?? 0;
    this.linkOf(this.sides.dataset.shown)?.turning?.(this.sides.dataset.shown);
    this.sides.dataset.shown = side;
    for (const button of this.flipBar.querySelectorAll("button")) button.setAttribute("aria-pressed", String(button.dataset.side === side));
    if (this.flipBar.offsetParent === null) return; // side by side each scrolls on its own, and one hears whom one chose
    const to = this.bodies[side].querySelector(".scroller");
    if (to && to !== from) to.scrollTop = top;
    this.linkOf(side)?.turned?.(side);
  }

  clear() {
    for (const viewer of this.#mounted) viewer.destroy();
    this.#mounted = [];
    this.#links = {};
    this.#showTools(null);
    for (const body of Object.values(this.bodies)) body.replaceChildren();
    this.choose("");
  }

  #showTools(tools) {
    this.#tools = tools;
    this.bar.hidden = !tools;
    this.bar.replaceChildren(...(tools ? [...tools.content, this.#large] : []));
    const large = { Y: { label: t("Fill the screen, or not"), run: () => this.#enlarge() } };
    this.keys.bind("tools", tools && grouped({ ...tools.keys, ...large }, "Look"));
  }

  #larger() {
    const click = { click: () => this.#enlarge(), mousedown: (event) => event.preventDefault() };
    return h("button", { type: "button", title: t("Fill the screen, or not"), "aria-keyshortcuts": ariaKey("Y"), "aria-pressed": "false", on: click }, t("Full screen"), key("Y"));
  }

  /** Both sides and their tools fill the screen; the keys that judge still do. */
  #enlarge(large = this.#large.getAttribute("aria-pressed") !== "true") {
    this.#large.setAttribute("aria-pressed", String(large));
    this.sides.closest(".work").classList.toggle("large", large);
    if (large) document.documentElement.requestFullscreen?.().catch(() => {}); // refused: the window is filled
    else if (document.fullscreenElement) document.exitFullscreen();
  }

  #swipes() {
    let start = null;
    this.sides.addEventListener("touchstart", ({ touches }) => {
      start = touches.length === 1 && !this.#tools?.moves() ? touches[0] : null;
    }, { passive: true });
    this.sides.addEventListener("touchend", ({ changedTouches: [end] }) => {
      const across = start ? end.clientX - start.clientX : 0;
      if (Math.abs(across) > SWIPE && Math.abs(end.clientY - start.clientY) < SWIPE / 2) this.turn();
      start = null;
    }, { passive: true });
  }
}

const dataOf = (claim, side) => ({ text: claim[side].text, medium: claim[side].media, side, label: t("Response {side}", { side: side.toUpperCase() }) });

const viewer = (kind) => loadViewer(kind).catch((error) => missing(error));

/** In place of a viewer that could not be had. */
const missing = (error) => ({
  mount(element) {
    const lines = [error.message, t("Reload the page; if that does not help, mark the media as broken, or skip the pair.")];
    element.replaceChildren(h("div", { class: "view" }, h("div", { class: "failed" }, ...lines.map((line) => h("p", {}, line)))));
    return { ready: Promise.resolve(), destroy() {} };
  },
});
