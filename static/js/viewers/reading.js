// What two texts that are read beside each other share: how far one has scrolled, and whether differences are marked.

import { settled } from "../typeset.js";

const SWITCH = "evenhand-scroll-together";

/** Whether this browser can mark words. */
export const CAN_MARK = "highlights" in CSS;

/** Events: "change". */
export class Reading extends EventTarget {
  /** @type {Map<string, {scroller: HTMLElement, text: HTMLElement}>} */
  sides = new Map();
  differing = false;
  /** Places of differing words in reading order, by side. @type {Map<string, Range[]>} */
  marked = new Map();
  counts = { a: 0, b: 0 };
  #part = 0; // of the way, how far they have scrolled
  #moved = new Map(); // where a scroller was put, not scrolled

  get together() {
    try {
      return localStorage.getItem(SWITCH) !== "off";
    } catch {
      return true;
    }
  }

  set together(value) {
    try {
      localStorage.setItem(SWITCH, value ? "on" : "off");
    } catch {
      // storage is switched off: together, then
    }
    if (value) this.#follow([...this.sides.values()][0]?.scroller);
    this.dispatchEvent(new Event("change"));
  }

  add(side, scroller, text) {
    this.sides.set(side, { scroller, text });
    scroller.addEventListener("scroll", () => this.#follow(scroller), { passive: true });
  }

  remove(side) {
    this.sides.delete(side);
    CSS.highlights?.delete(`only-${side}`);
  }

  /** The others go as far as this one: in parts of the way, for one text may be longer. */
  #follow(scroller) {
    if (!scroller?.clientHeight) return;
    const put = this.#moved.get(scroller);
    this.#moved.delete(scroller);
    if (put !== undefined && Math.abs(put - scroller.scrollTop) < 2) return;
    this.#part = scroller.scrollTop / Math.max(1, scroller.scrollHeight - scroller.clientHeight);
    if (!this.together) return;
    for (const { scroller: other } of this.sides.values()) if (other !== scroller) this.#put(other);
  }

  #put(scroller) {
    if (!scroller.clientHeight) return;
    const top = Math.round(this.#part * (scroller.scrollHeight - scroller.clientHeight));
    if (Math.abs(scroller.scrollTop - top) < 1) return;
    this.#moved.set(scroller, top);
    scroller.scrollTop = top;
  }

  /** This side leaves the screen: what it scrolled counts, though no event has told of it yet. @param {string} side */
  turning(side) {
    this.#follow(this.sides.get(side)?.scroller);
  }

  /** One side alone is on screen now. @param {string} side */
  turned(side) {
    const shown = this.sides.get(side);
    if (this.together && shown) this.#put(shown.scroller);
  }

  async setDiffering(differing) {
    this.differing = differing;
    if (differing) await this.#mark();
    else for (const side of this.sides.keys()) CSS.highlights?.delete(`only-${side}`);
    this.dispatchEvent(new Event("change"));
  }

  async #mark() {
    const [{ difference }, { mark, wordsOf }] = await Promise.all([import("./difference.js"), import("./words.js"), settled()]);
    const [one, other] = ["a", "b"].map((side) => this.sides.get(side));
    if (!this.differing || !one || !other) return;
    const words = [wordsOf(one.text), wordsOf(other.text)];
    const marks = difference(...words.map((list) => list.map(({ word }) => word)));
    for (const [n, side] of ["a", "b"].entries()) {
      this.marked.set(side, mark(`only-${side}`, words[n], marks[n]));
      this.counts[side] = marks[n].reduce((sum, marked) => sum + marked, 0);
    }
  }

  /** To the next difference below the top of what is seen, on either side. */
  next() {
    const below = ["a", "b"].flatMap((side) => {
      const { scroller } = this.sides.get(side);
      if (!scroller.clientHeight) return [];
      const top = scroller.getBoundingClientRect().top + scroller.clientTop;
      const far = this.marked.get(side).map((range) => range.getBoundingClientRect().top - top).find((place) => place > GAP + 4);
      return far === undefined ? [] : [{ scroller, far }];
    });
    const nearest = below.toSorted((one, other) => one.far - other.far)[0];
    for (const { scroller } of this.together && nearest ? [nearest] : below) scroller.scrollTop += below.find((one) => one.scroller === scroller).far - GAP;
    if (!below.length) for (const { scroller } of this.sides.values()) scroller.scrollTop = 0;
  }
}

const GAP = 24; // px above a difference that is gone to
