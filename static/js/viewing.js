// How both sides were looked at: how much of a text was scrolled to, of a video or sound played, how near an image was
// seen, from where a model. Nothing counts that is covered, hidden or on the other side of a narrow screen.

import { kindOf } from "./viewers.js";

const LOOK = 250; // ms between two looks
const MARKS = 100; // parts of a clip that are told apart
const SECTORS = 12; // directions of a model
const JUMP = 0.5; // seconds: a clock that moves further at once was sought, not played
const ALL = 0.995; // of a text: what rounding leaves

const SIDES = /** @type {const} */ (["a", "b"]);
const rounded = (share) => Math.round(share * 1000) / 1000;

export class Viewing {
  #claim = null;
  #stop = new AbortController();
  #timer = 0;
  #before = null; // where the clock was
  #fresh = false; // more was seen than anybody was told

  /** @param {Panes} panes */
  constructor(panes) {
    this.panes = panes;
    /** What was seen so far: plain data, kept in the draft. @type {Record<string, any>} */
    this.seen = {};
  }

  /** @param {any} claim @param {Record<string, any>} seen what an earlier look at the same pair left; it is added to */
  show(claim, seen) {
    this.clear();
    this.#claim = claim;
    this.seen = seen;
    for (const side of SIDES) seen[side] ??= { seen: 0, zoom: 0, marks: [], turns: [] };
    this.#stop = new AbortController();
    const look = () => this.look();
    const { signal } = this.#stop;
    for (const side of SIDES) this.panes.bodies[side].addEventListener("scroll", look, { capture: true, passive: true, signal });
    for (const type of ["time", "change"]) this.panes.link?.addEventListener(type, look, { signal });
    this.#timer = setInterval(look, LOOK);
  }

  clear() {
    this.#stop.abort();
    clearInterval(this.#timer);
    this.#claim = this.#before = null;
  }

  /** Whether more was seen since the last time this was asked. */
  takeFresh() {
    const fresh = this.#fresh;
    this.#fresh = false;
    return fresh;
  }

  /** Notes what is on screen now. */
  look() {
    if (!this.#claim || document.hidden) return;
    const { link } = this.panes;
    const now = link?.playing ? link.time : null;
    for (const side of SIDES) {
      const body = this.panes.bodies[side];
      if (body.inert || !body.clientHeight || document.querySelector("#work[hidden]")) continue;
      this.#see(this.seen[side], kindOf(this.#claim[side]), side, now);
    }
    this.#before = now;
  }

  #see(seen, kind, side, now) {
    const { link } = this.panes;
    if (kind === "text") {
      const scroller = this.panes.bodies[side].querySelector(".scroller");
      if (scroller?.clientHeight) this.#most(seen, "seen", (scroller.scrollTop + scroller.clientHeight) / scroller.scrollHeight);
    } else if (kind === "image") {
      const pane = [...(link?.panes ?? [])].find((one) => one.side === side);
      if (this.panes.bodies[side].querySelector("img")) this.#most(seen, "seen", 1);
      if (pane?.width) this.#most(seen, "zoom", pane.scale * devicePixelRatio);
    } else if (kind === "mesh") {
      if (!this.panes.bodies[side].querySelector("canvas, img")) return;
      this.#most(seen, "seen", 1);
      if (link?.camera) this.#mark(seen.turns, Math.floor((link.camera.turn / 360) * SECTORS) % SECTORS);
    } else {
      this.#play(seen, kind, side, now);
    }
  }

  #play(seen, kind, side, now) {
    if (now === null || (kind === "audio" && this.panes.link.heard !== side)) return;
    const length = this.#claim[side].media.duration || this.panes.link.duration;
    const passed = this.#before === null ? 0 : now - this.#before;
    const from = passed > 0 && passed < JUMP ? this.#before : now;
    const part = (time) => Math.floor((time / length) * MARKS);
    // The last frame of a clip is not over at its very end.
    for (let n = part(from); n <= part(now + 0.02); n++) if (n < MARKS) this.#mark(seen.marks, n);
    this.#most(seen, "seen", seen.marks.length / MARKS);
  }

  #most(seen, name, value) {
    const most = name === "seen" && value > ALL ? 1 : rounded(value);
    if (most <= seen[name]) return;
    seen[name] = most;
    this.#fresh = true;
  }

  #mark(marks, n) {
    if (!marks.includes(n)) marks.push(n);
  }

  /** What the server is told. */
  told() {
    this.look();
    const side = ({ seen, zoom, turns }) => ({ seen, ...(zoom ? { zoom } : {}), ...(turns.length ? { turned: rounded(turns.length / SECTORS) } : {}) });
    return { a: side(this.seen.a), b: side(this.seen.b), ...(this.seen.failed ? { failed: true } : {}) };
  }

  /** The sides of which less than a share was seen, and how much of each, in words; "" if none. @param {number} share */
  unseen(share) {
    this.look();
    if (this.seen.failed) return "";
    const verb = { text: "read", video: "played", audio: "played", image: "seen", mesh: "seen" };
    const lacking = SIDES.filter((side) => this.seen[side].seen < share);
    return lacking.map((side) => `Of ${side.toUpperCase()} ${Math.floor(this.seen[side].seen * 100)}% was ${verb[kindOf(this.#claim[side])]}.`).join(" ");
  }
}
