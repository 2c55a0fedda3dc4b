// How both sides were looked at: how much of a text was scrolled to, of a video or sound played, how near an image was
// seen, from where and how near a model; and how much of the prompt's videos and sounds was played. Nothing counts that is covered, hidden or on the other side of a narrow screen.

import { kindOf } from "./viewers.js";
import { percent, t } from "./tongue.js";

const LOOK = 250; // ms between two looks
const MARKS = 100; // parts of a clip that are told apart
const SECTORS = 12; // directions around a model
const HEIGHTS = 6; // above and below it
const JUMP = 0.25; // seconds: a clock that is further than it can have played by now was sought
const ROUNDED = 0.001; // by which a share may be told as less than it is
const ALL = 0.995; // of a text: what rounding leaves

const ENDS = ["text", "video", "audio"]; // what has an end to be seen
const CLIPS = ["video", "audio"];
const SIDES = /** @type {const} */ (["a", "b"]);
const readOf = (values) => t("Of {side} {percent} was read.", values);
const playedOf = (values) => t("Of {side} {percent} was played.", values);
const seenOf = (values) => t("Of {side} {percent} was seen.", values);
const UNSEEN = { text: readOf, video: playedOf, audio: playedOf, image: seenOf, mesh: seenOf };
const rounded = (share) => Math.round(share * 1000) / 1000;

export class Viewing {
  #claim = null;
  #stop = new AbortController();
  #timer = 0;
  #before = new Map(); // where each clock was at the last look, whether it went, and when that was
  #fresh = false; // more was seen than anybody was told

  /** @param {Panes} panes @param {PromptView} prompt */
  constructor(panes, prompt) {
    this.panes = panes;
    this.prompt = prompt;
    /** What was seen so far: plain data, kept in the draft. @type {Record<string, any>} */
    this.seen = {};
  }

  /** @param {any} claim @param {Record<string, any>} seen what an earlier look at the same pair left; it is added to */
  show(claim, seen) {
    this.clear();
    this.#claim = claim;
    this.seen = seen;
    for (const side of SIDES) seen[side] = { seen: 0, zoom: 0, marks: [], turns: [], lifts: [], ...seen[side] };
    seen.prompt ??= claim.prompt.media.map(({ modality }) => (CLIPS.includes(modality) ? { seen: 0, marks: [] } : null));
    this.#stop = new AbortController();
    const look = () => this.look();
    const { signal } = this.#stop;
    for (const side of SIDES) this.panes.bodies[side].addEventListener("scroll", look, { capture: true, passive: true, signal });
    for (const link of this.panes.links) for (const type of ["time", "change"]) link.addEventListener(type, look, { signal });
    this.#timer = setInterval(look, LOOK);
  }

  clear() {
    this.#stop.abort();
    clearInterval(this.#timer);
    this.#claim = null;
    this.#before.clear();
  }

  /** Whether more was seen since the last time this was asked. */
  takeFresh() {
    const fresh = this.#fresh;
    this.#fresh = false;
    return fresh;
  }

  /** Notes what is on screen now. */
  look() {
    if (!this.#claim || document.hidden || document.querySelector("#work[hidden]")) return;
    for (const side of SIDES) {
      const body = this.panes.bodies[side];
      const shown = !body.inert && body.clientHeight > 0;
      if (shown) this.#see(this.seen[side], kindOf(this.#claim[side]), side);
    }
    for (const [index, { modality, duration }] of this.#claim.prompt.media.entries()) {
      const seen = this.seen.prompt[index];
      const link = seen && this.prompt.playing(index);
      if (link) this.#play(seen, `p${index}`, { link, duration, audible: modality === "audio" });
    }
  }

  #see(seen, kind, side) {
    const link = this.panes.linkOf(side);
    const body = this.panes.bodies[side];
    if (kind === "text") {
      const scroller = body.querySelector(".scroller");
      if (scroller?.clientHeight) this.#most(seen, "seen", (scroller.scrollTop + scroller.clientHeight) / scroller.scrollHeight);
    } else if (kind === "image") {
      const pane = [...(link?.panes ?? [])].find((one) => one.side === side);
      if (body.querySelector(".view.image img")) this.#most(seen, "seen", 1);
      if (pane?.width) this.#most(seen, "zoom", pane.scale * devicePixelRatio);
    } else if (kind === "mesh") {
      if (!body.querySelector(".view.model[data-drawn]")) return; // the file itself, not its still
      this.#most(seen, "seen", 1);
      this.#most(seen, "zoom", link.nearness);
      this.#mark(seen.turns, Math.floor((link.camera.turn / 360) * SECTORS) % SECTORS);
      this.#mark(seen.lifts, Math.min(Math.floor(((link.camera.lift + 90) / 180) * HEIGHTS), HEIGHTS - 1));
    } else if (link) {
      this.#play(seen, side, { link, duration: this.#claim[side].media.duration, audible: kind === "audio" });
    }
  }

  /** What has played since the last look. `audible`: it counts where it is heard. */
  #play(seen, name, { link, duration, audible }) {
    const before = this.#before.get(name) ?? { time: 0, playing: false, at: -Infinity }; // all clips begin at their start
    const now = link.time;
    const at = performance.now();
    this.#before.set(name, { time: now, playing: link.playing, at });
    if ((audible && link.heard !== name) || !(link.playing || before.playing)) return;
    const length = duration || link.duration;
    // From where it stood at the last look, playing or not yet, and up to where it stopped since.
    const passed = now - before.time;
    const from = passed > 0 && passed < ((at - before.at) / 1000) * link.rate + JUMP ? before.time : now;
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
    if (marks.includes(n)) return;
    marks.push(n);
    this.#fresh = true;
  }

  /** What the server is told. */
  told() {
    this.look();
    const { prompt, failed } = this.seen;
    const played = prompt.map((one) => one && one.seen);
    return { a: this.#told("a"), b: this.#told("b"), ...(prompt.some(Boolean) ? { prompt: played } : {}), ...(failed ? { failed: true } : {}) };
  }

  #told(side) {
    const { seen, zoom, marks, turns, lifts } = this.seen[side];
    const kind = kindOf(this.#claim[side]);
    return {
      seen,
      ...(ENDS.includes(kind) ? { ended: kind === "text" ? seen === 1 : marks.includes(MARKS - 1) } : {}),
      ...(zoom ? { zoom } : {}),
      ...(turns.length ? { turned: rounded(turns.length / SECTORS), lifted: rounded(lifts.length / HEIGHTS) } : {}),
    };
  }

  /**
   * The sides of which less than a share was seen, and how much of each, in words; "" if none.
   * @param {number} share @param {number} turned of the directions around a 3D model
   */
  unseen(share, turned) {
    this.look();
    if (this.seen.failed) return "";
    const lacks = (side) => {
      const { seen, turns } = this.seen[side];
      const kind = kindOf(this.#claim[side]);
      if (seen < share) return UNSEEN[kind]({ side: side.toUpperCase(), percent: percent(Math.floor(seen * 100) / 100) });
      if (kind === "mesh" && turns.length / SECTORS < turned - ROUNDED) return t("{side} was seen from {n} of {all} directions.", { side: side.toUpperCase(), n: turns.length, all: SECTORS });
      return "";
    };
    return SIDES.map(lacks).filter(Boolean).join(" ");
  }
}
