// The two sides: equal panes, one bar of tools for what is linked, one pane at a time on a phone.

import { h, key } from "./dom.js";
import { kindOf, loadViewer } from "./viewers.js";

const SWIPE = 60; // px

export class Panes {
  #mounted = [];
  #tools = null;
  #listen = new AbortController();

  /** @param {Keys} keys */
  constructor(keys) {
    this.keys = keys;
    this.sides = document.getElementById("sides");
    this.bar = document.getElementById("tools");
    this.veil = document.getElementById("veil");
    this.flipBar = document.getElementById("flip");
    this.bodies = { a: document.getElementById("body-a"), b: document.getElementById("body-b") };
    for (const button of this.flipBar.querySelectorAll("button")) button.addEventListener("click", () => this.turn(button.dataset.side));
    this.veil.querySelector("button").addEventListener("click", () => this.unveil());
    this.#swipes();
  }

  /** Fetches what a claim's responses need. Returns what shows them, at once. */
  async prepare(claim) {
    const kinds = { a: kindOf(claim.a), b: kindOf(claim.b) };
    const modules = { text: await viewer("text"), a: await viewer(kinds.a), b: await viewer(kinds.b) };
    return () => this.#show(claim, kinds, modules);
  }

  #show(claim, kinds, modules) {
    this.clear();
    // One link for both sides where both are of a kind; else each has its own.
    const links = {};
    links.a = modules.a.createLink?.() ?? null;
    links.b = kinds.a === kinds.b ? links.a : (modules.b.createLink?.() ?? null);
    for (const side of ["a", "b"]) {
      const data = { text: claim[side].text, medium: claim[side].media, label: `Response ${side.toUpperCase()}`, link: links[side] };
      const stage = h("div", { class: "stage" });
      const caption = kinds[side] !== "text" && data.text.trim() ? h("div", { class: "caption" }) : null;
      this.bodies[side].replaceChildren(stage, ...(caption ? [caption] : []));
      this.#mounted.push(modules[side].mount(stage, data));
      if (caption) this.#mounted.push(modules.text.mount(caption, { ...data, label: `Text of response ${side.toUpperCase()}` }));
    }
    const tooled = modules.a.tools ? "a" : "b";
    this.#showTools(modules[tooled].tools?.(links[tooled]) ?? null);
    this.turn("a");
    this.veil.hidden = !claim.sensitive;
    this.sides.classList.toggle("veiled", claim.sensitive);
    for (const body of Object.values(this.bodies)) body.inert = claim.sensitive;
    this.keys.bind("veil", claim.sensitive ? { V: { label: "Show a sensitive pair", run: () => this.unveil() } } : null);
  }

  unveil() {
    this.veil.hidden = true;
    for (const body of Object.values(this.bodies)) body.inert = false;
    this.keys.bind("veil", null);
  }

  /** Marks the side that the open criterion prefers. @param {""|"a"|"b"} side */
  choose(side) {
    for (const one of ["a", "b"]) this.bodies[one].closest(".side").classList.toggle("chosen", one === side);
  }

  /** One pane at a time: the other one, at the same place of the text. @param {string} [side] */
  turn(side = this.sides.dataset.shown === "a" ? "b" : "a") {
    const from = this.bodies[this.sides.dataset.shown]?.querySelector(".scroller");
    const top = from?.scrollTop ?? 0;
    this.sides.dataset.shown = side;
    const to = this.bodies[side].querySelector(".scroller");
    const alone = this.flipBar.offsetParent !== null; // side by side each scrolls on its own
    if (alone && to && to !== from) to.scrollTop = top;
    for (const button of this.flipBar.querySelectorAll("button")) button.setAttribute("aria-pressed", String(button.dataset.side === side));
  }

  clear() {
    for (const viewer of this.#mounted) viewer.destroy();
    this.#mounted = [];
    this.#showTools(null);
    for (const body of Object.values(this.bodies)) body.replaceChildren();
    this.choose("");
    this.veil.hidden = true;
  }

  #showTools(tools) {
    this.#listen.abort();
    this.#tools = tools;
    this.bar.hidden = !tools;
    this.keys.bind("tools", null);
    if (!tools) return;
    this.#listen = new AbortController();
    const output = h("output", {}, tools.text());
    const buttons = tools.items.map((item) => h("button", { type: "button", on: { click: item.run } }, item.label, key(item.key)));
    this.bar.replaceChildren(...buttons.slice(0, 2), output, ...buttons.slice(2));
    const group = "Look";
    const listed = tools.items.map((item) => [item.key, { label: item.label, run: item.run, group }]);
    const others = Object.entries(tools.keys).map(([name, run]) => [name, { label: "Move", run, group, hidden: !name.startsWith("Arrow"), shown: ARROWS[name] }]);
    this.keys.bind("tools", Object.fromEntries([...listed, ...others]));
    tools.changes.addEventListener("change", () => (output.textContent = tools.text()), { signal: this.#listen.signal });
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

const ARROWS = { ArrowLeft: "\u2190", ArrowRight: "\u2192", ArrowUp: "\u2191", ArrowDown: "\u2193" };

const viewer = (kind) => loadViewer(kind).catch((error) => missing(error));

/** In place of a viewer that could not be had. */
const missing = (error) => ({
  mount(element) {
    const lines = [error.message, "Reload the page; if that does not help, mark the media as broken, or skip the pair."];
    element.replaceChildren(h("div", { class: "view" }, h("div", { class: "failed" }, ...lines.map((line) => h("p", {}, line)))));
    return { ready: Promise.resolve(), destroy() {} };
  },
});
