// What images that are looked at together share: zoom, place, how they are compared, where the loupe stands.
//
// Factor and place are told in parts of the image, and all images fill the same frame whatever their pixels: so sides of
// unequal size show the same part at the same size.

const MOST = 32; // screen pixels an image pixel
const GAINS = [1, 4, 16];

/** How two images may be laid over each other. */
export const MANNERS = ["wipe", "blink", "difference"];

/** Events: "change". Whatever shows an image adds itself to `panes` and is asked to draw(). */
export class Zoom extends EventTarget {
  unit = "fit"; // "fit": factor 1 fills the pane; "pixel": factor 1 shows a pixel of the finest image as one of the screen
  factor = 1;
  x = 0.5;
  y = 0.5;
  /** "" side by side, or one of MANNERS. */
  manner = "";
  cut = 0.5; // where the wipe stands, a part of the width
  front = 0; // which of the two blinking shows
  gain = GAINS[1]; // of a difference
  sizes = false; // whether true sizes are told
  loupe = false;
  moves = false; // whether any image does
  playing = false;
  #plays = 0;
  spot = { x: 0.5, y: 0.5 }; // what the loupe shows, in parts
  #couple = 0;
  /** Surfaces, one a side. */
  panes = new Set();

  set(changes) {
    Object.assign(this, changes);
    this.x = within(this.x);
    this.y = within(this.y);
    this.cut = within(this.cut);
    for (const pane of this.panes) pane.draw();
    this.dispatchEvent(new Event("change"));
  }

  fit() {
    this.set({ unit: "fit", factor: 1, x: 0.5, y: 0.5 });
  }

  actual() {
    this.set({ unit: "pixel", factor: 1 });
  }

  get isFitted() {
    return this.unit === "fit" && this.factor === 1;
  }

  /** The pane that speaks for all: the first one on screen. */
  get #shown() {
    return [...this.panes].find((pane) => pane.width) ?? null;
  }

  /** By how much a pane enlarges what fills it. @param {number} pixel the scale at which its finest image has true pixels */
  scaleOver(fitted, pixel) {
    return this.factor * (this.unit === "fit" ? fitted : pixel);
  }

  /** @param {number} by @param {any} [pane] a Surface @param {[number, number]|null} [at] from the middle of the pane */
  zoom(by, pane = this.#shown, at = null) {
    if (!pane?.width) return;
    const from = pane.scale;
    const lowest = Math.min(pane.fitted, pane.pixel);
    const to = Math.min(MOST * pane.pixel, Math.max(lowest, from * by));
    const change = to / from;
    if (this.unit === "fit" && this.factor * change <= 1.0001 && by < 1 && to <= pane.fitted * 1.0001) return this.fit();
    // The point under the pointer stays where it is.
    const [dx, dy] = at ?? [0, 0];
    const shift = 1 / from - 1 / to;
    this.set({ factor: this.factor * change, x: this.x + (dx * shift) / pane.size.width, y: this.y + (dy * shift) / pane.size.height });
  }

  /** Moves what is seen by screen pixels. */
  pan(dx, dy, pane = this.#shown) {
    if (!pane?.width) return;
    this.set({ x: this.x - dx / (pane.scale * pane.size.width), y: this.y - dy / (pane.scale * pane.size.height) });
  }

  /** An arrow: moves the loupe if there is one, else what is seen. */
  arrow(right, down) {
    if (!this.loupe) return this.pan(-60 * right, -60 * down);
    const pane = this.#shown;
    if (!pane) return;
    const step = 24 / pane.scale;
    this.point({ x: this.spot.x + (right * step) / pane.size.width, y: this.spot.y + (down * step) / pane.size.height });
  }

  /** Plays all that move, from their beginning and together, or shows their first frames. @param {boolean} playing */
  async play(playing) {
    this.playing = playing;
    const round = ++this.#plays;
    const panes = [...this.panes].filter((pane) => pane.animation);
    const images = await Promise.all(panes.map(({ animation }) => (playing ? animation.moving() : animation.still)));
    if (round !== this.#plays) return;
    for (const [n, pane] of panes.entries()) pane.replace(images[n]);
    this.set({});
  }

  /** Where the loupe looks. */
  point({ x, y }) {
    this.set({ spot: { x: within(x), y: within(y) } });
  }

  /** Percent of one image pixel a screen pixel, of the finest image. */
  get percent() {
    const pane = this.#shown;
    return pane ? Math.round((pane.scale / pane.pixel) * 100) : 100;
  }

  // Laid over each other

  /** The two that are compared. */
  get couple() {
    const [source, a, b] = ["source", "a", "b"].map((side) => [...this.panes].find((pane) => pane.side === side));
    return [[a, b], [source, a], [source, b]][source ? this.#couple : 0];
  }

  nextCouple() {
    this.#couple = (this.#couple + 1) % 3;
    this.set({});
  }

  /** @param {string} manner again: side by side */
  toggle(manner) {
    this.set({ manner: this.manner === manner ? "" : manner, front: 0 });
  }

  nextGain() {
    this.set({ gain: GAINS[(GAINS.indexOf(this.gain) + 1) % GAINS.length] });
  }
}

const within = (part) => Math.min(1, Math.max(0, part));
