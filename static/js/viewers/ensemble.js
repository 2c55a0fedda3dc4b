// Media elements that play as one: started, sought and halted together, and kept in step.
//
// One of them leads: the one that is heard, or the one that lasts longest. The others follow: one that is off by more
// than a few milliseconds plays a little faster or slower until it is not, one that is far off is sought again.
// When one waits for data, all wait. One that has ended holds its last frame while the others go on.

import { t } from "../tongue.js";
import { Timeline } from "./timeline.js";

const INSIDE = 0.001; // seconds into a frame: sought there, no rounding shows the frame before
const STEADY = 0.004; // seconds: off by less is in step
const FAR = 0.4; // seconds: beyond, seek instead of hurrying
const HURRY = 0.25; // the most that a follower's speed changes, of the speed
const RETRY = 10_000; // ms: a second failure within is final

/** One element with what it needs to keep in step. */
class Part {
  /** @type {number[]|null} when each frame is shown, once known */
  frames = null;
  offs = [];
  failedAt = -Infinity;

  constructor(side, element, { seconds, sounds, failed }) {
    Object.assign(this, { side, element, seconds, sounds, failed });
  }

  /** Seconds: as it was told before the element itself can tell. */
  get length() {
    return Number.isFinite(this.element.duration) ? this.element.duration : this.element.error ? 0 : (this.seconds ?? 0);
  }

  get lacksData() {
    return this.element.readyState < HTMLMediaElement.HAVE_FUTURE_DATA && !this.element.error;
  }

  /** Where it stands at a time of the clock: at the end it holds its last frame. @param {number} time */
  at(time) {
    const last = this.frames?.at(-1) ?? this.length;
    return Math.min(time + INSIDE, Math.max(last + INSIDE, 0), this.length || Infinity);
  }

  /** Whether it has nothing more to play at that time. */
  over(time) {
    return this.element.ended || time >= this.length - 0.02;
  }
}

export class Ensemble extends Timeline {
  /** @type {Map<string, Part>} by side */
  parts = new Map();
  #at = 0; // the time while it does not play
  #seeking = false;
  /** @type {number|null} where to go once the present seek is done */
  #wanted = null;
  #held = false; // it should play and waits for data

  /**
   * @param {string} side @param {HTMLMediaElement} element
   * @param {{seconds?: number, sounds: boolean, failed: () => void}} how how long it is, whether it has sound, and what to do when it cannot play
   */
  add(side, element, how) {
    const part = new Part(side, element, how);
    this.parts.set(side, part);
    element.muted = true;
    element.preload = "auto";
    if (how.sounds && !this.heard && !this.quiet) this.hear(side);
    const on = (type, listener) => element.addEventListener(type, listener);
    on("durationchange", () => this.#measure());
    this.#measure();
    on("waiting", () => this.#stall());
    on("canplay", () => this.#resume());
    on("error", () => this.#broke(part));
    return part;
  }

  remove(side) {
    const part = this.parts.get(side);
    if (!part) return;
    this.parts.delete(side);
    if (!this.parts.size) this.pause();
    part.element.removeAttribute("src");
    part.element.load(); // lets go of the connection
  }

  #measure() {
    this.duration = Math.max(0, ...this.#all.map((part) => part.length));
    this.changed();
  }

  get #all() {
    return [...this.parts.values()];
  }

  get time() {
    if (!this.playing || this.#seeking || this.#held) return this.#at;
    const lead = this.#lead;
    return lead ? Math.min(lead.element.currentTime, this.duration) : this.#at;
  }

  /** Who tells the time: not one that has ended. */
  get #lead() {
    const going = this.#all.filter((part) => !part.element.ended && !part.element.paused);
    const heard = going.find((part) => part.side === this.heard);
    return heard ?? going.reduce((most, part) => (part.length > (most?.length ?? 0) ? part : most), null);
  }

  get sounding() {
    return this.#all.filter((part) => part.sounds).map((part) => part.side);
  }

  hear(side) {
    this.heard = side;
    for (const part of this.#all) part.element.muted = part.side !== side;
    this.changed();
  }

  /** @param {(side: string) => number} of how loud a side is, 0 to 1 */
  level(of) {
    for (const part of this.#all) part.element.volume = of(part.side);
  }

  /** One side alone is on screen now: it is the one to hear, unless one chose to hear none. @param {string} side */
  turned(side) {
    if (this.heard && this.sounding.includes(side)) this.hear(side);
  }

  setRate(rate) {
    for (const { element } of this.#all) element.playbackRate = rate;
    super.setRate(rate);
  }

  async play() {
    if (this.playing || !this.duration) return;
    if (this.#at >= this.end - 0.02 || this.#at < this.start) this.#at = this.start;
    this.playing = true;
    this.changed();
    await this.#place(this.#at);
    this.#go();
  }

  pause() {
    if (!this.playing) return;
    this.#at = this.time;
    this.playing = false;
    this.#halt();
    this.stopFollowing();
    this.#place(this.#at); // all show the same moment, not each its own
    this.changed();
  }

  seek(time) {
    const to = this.within(time);
    this.#at = to;
    if (this.playing) this.#halt();
    this.moved();
    this.#place(to).then(() => this.#go());
  }

  #halt() {
    this.#held = false;
    for (const { element } of this.#all) element.pause();
    this.#tell(null);
  }

  /** Brings every part to a time. While it does, only the newest wish counts. @param {number} time */
  async #place(time) {
    if (this.#seeking) {
      this.#wanted = time;
      return this.#placing;
    }
    this.#seeking = true;
    this.#placing = this.#placeAll(time);
    return this.#placing;
  }

  #placing = Promise.resolve();

  async #placeAll(time) {
    for (let next = time; next !== null; ) {
      this.#wanted = null;
      await Promise.all(this.#all.map((part) => sought(part.element, part.at(next))));
      next = this.#wanted;
    }
    this.#seeking = false;
    this.moved();
  }

  /** Starts all that have something to play, at once; waits where one has no data yet. */
  #go() {
    if (!this.playing || this.#seeking) return;
    const going = this.#all.filter((part) => this.#at < part.length - 0.02);
    if (!going.length) return this.#finish();
    const late = going.find((part) => part.lacksData);
    this.#held = Boolean(late);
    this.#tell(late);
    if (late) return;
    for (const part of going) {
      part.offs = [];
      part.element.playbackRate = this.rate;
      // Refused or interrupted: what interrupted it says how it goes on.
      part.element.play().catch((error) => error.name === "NotAllowedError" && this.pause());
    }
    this.follow(() => this.#tick());
  }

  #tell(late) {
    const words = late ? (this.parts.size > 1 ? t("Waits for {side}", { side: late.side.toUpperCase() }) : t("Loading")) : "";
    if (words === this.waiting) return;
    this.waiting = words;
    this.changed();
  }

  #stall() {
    if (!this.playing || this.#seeking || this.#held) return;
    const late = this.#all.find((part) => !part.over(this.time) && part.lacksData);
    if (!late) return;
    this.#at = this.time;
    for (const { element } of this.#all) element.pause();
    this.#held = true;
    this.#tell(late);
  }

  async #resume() {
    if (!this.playing || !this.#held || this.#seeking) return;
    if (this.#all.some((part) => !part.over(this.#at) && part.lacksData)) return;
    await this.#place(this.#at);
    this.#go();
  }

  #tick() {
    if (this.#seeking || this.#held) return;
    const lead = this.#lead;
    const now = lead ? lead.element.currentTime : this.duration;
    if (this.looping && now >= this.end - 0.005) return this.seek(this.from);
    if (!lead) return this.#all.every((part) => part.over(this.duration)) ? this.#finish() : undefined;
    for (const part of this.#all) if (part !== lead && !part.element.paused && !part.element.ended) this.#correct(part, now);
    lead.element.playbackRate = this.rate;
    this.#at = now;
    this.moved();
  }

  /** @param {Part} part @param {number} now */
  #correct(part, now) {
    const off = part.element.currentTime - now;
    part.offs = [...part.offs.slice(-4), off];
    const middle = part.offs.toSorted((one, other) => one - other)[Math.floor(part.offs.length / 2)];
    if (Math.abs(middle) > FAR) return this.seek(now);
    const hurry = Math.abs(middle) < STEADY ? 0 : Math.max(-HURRY, Math.min(HURRY, -middle * 4));
    part.element.playbackRate = this.rate * (1 + hurry);
  }

  #finish() {
    if (this.looping) return this.seek(this.from);
    this.#at = this.duration;
    this.playing = false;
    this.#halt();
    this.stopFollowing();
    this.changed();
  }

  /** A link into a store lives for minutes: a part that fails later is fetched anew, once, where it stood. */
  async #broke(part) {
    if (!part.element.getAttribute("src")) return;
    const now = performance.now();
    const known = part.element.readyState > 0 || part.length > 0;
    if (!known || now - part.failedAt < RETRY) {
      this.#halt();
      this.playing = false;
      this.changed();
      part.failed();
      return;
    }
    part.failedAt = now;
    const at = this.time;
    part.element.load();
    await new Promise((resolve) => part.element.addEventListener("loadedmetadata", resolve, { once: true }));
    this.seek(at);
  }

  /** When the picture of any side changes, as far as that is known. @param {number} by 1 on, -1 back */
  stepFrame(by) {
    this.pause();
    const now = this.#at;
    const times = this.#all.flatMap((part) => part.frames ?? []);
    const reached = by > 0 ? times.filter((time) => time > now + INSIDE) : times.filter((time) => time < now - INSIDE);
    if (reached.length) this.seek(by > 0 ? Math.min(...reached) : Math.max(...reached));
  }
}

/** Resolves when the element shows that time, or cannot. @param {HTMLMediaElement} element @param {number} time */
function sought(element, time) {
  if (element.readyState < HTMLMediaElement.HAVE_METADATA || element.error) return Promise.resolve();
  if (Math.abs(element.currentTime - time) < 1e-6 && !element.seeking) return Promise.resolve();
  return new Promise((resolve) => {
    for (const type of ["seeked", "error", "emptied"]) element.addEventListener(type, resolve, { once: true });
    element.currentTime = time;
  });
}
