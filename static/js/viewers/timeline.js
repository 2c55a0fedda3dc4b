// One clock for all that plays together: where it is, how fast it goes, what it repeats. What plays extends it.

export const SPEEDS = [0.25, 0.5, 0.75, 1, 1.5, 2];

/** Events: "change" (how it plays), "time" (where it is). Times are seconds. */
export class Timeline extends EventTarget {
  duration = 0;
  playing = false;
  rate = 1;
  looping = false;
  from = 0; // what a loop repeats
  /** @type {number|null} null: the end */
  to = null;
  /** Whose sound is heard: "a", "b", a prompt's "p", or "" for none. */
  heard = "";
  quiet = false; // nothing is heard until one asks for it
  /** What playing waits for, in words. */
  waiting = "";
  #frame = 0;

  /** @returns {number} */
  get time() {
    throw new Error("What plays knows its time.");
  }

  get end() {
    return this.looping ? (this.to ?? this.duration) : this.duration;
  }

  get start() {
    return this.looping ? this.from : 0;
  }

  changed() {
    this.dispatchEvent(new Event("change"));
    this.moved();
  }

  moved() {
    this.dispatchEvent(new Event("time"));
  }

  toggle() {
    if (this.playing) this.pause();
    else this.play();
  }

  /** @param {number} by seconds */
  nudge(by) {
    this.seek(this.time + by);
  }

  /** @param {number} time */
  within(time) {
    return Math.min(Math.max(time, 0), this.duration);
  }

  setRate(rate) {
    this.rate = rate;
    this.changed();
  }

  /** One speed up or down. @param {1|-1} by */
  step(by) {
    const at = SPEEDS.indexOf(this.rate) + by;
    if (at in SPEEDS) this.setRate(SPEEDS[at]);
  }

  toggleLoop() {
    this.looping = !this.looping;
    this.from = 0;
    this.to = null;
    this.changed();
  }

  /** A loop begins here. */
  markIn() {
    this.looping = true;
    this.from = Math.min(this.time, this.duration - SHORTEST);
    if (this.to !== null && this.to < this.from + SHORTEST) this.to = null;
    this.changed();
  }

  /** A loop ends here. */
  markOut() {
    this.looping = true;
    this.to = Math.max(this.time, SHORTEST);
    if (this.from > this.to - SHORTEST) this.from = 0;
    this.changed();
  }

  /** Calls `tick` once a frame of the screen while it plays. @param {() => void} tick */
  follow(tick) {
    cancelAnimationFrame(this.#frame);
    const next = () => {
      if (!this.playing) return;
      this.#frame = requestAnimationFrame(next);
      tick();
    };
    this.#frame = requestAnimationFrame(next);
  }

  stopFollowing() {
    cancelAnimationFrame(this.#frame);
  }
}

const SHORTEST = 0.1; // seconds: of a loop
