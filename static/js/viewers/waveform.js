// A sound as one sees it: bars of its peaks, those played coloured. A click or a drag seeks.

import { h } from "../dom.js";
import { t } from "../tongue.js";

const BAR = 3; // px, and as wide as the gaps between them less one
const GAP = 2;

export class Waveform {
  /** @type {{seconds: number, pairs_per_second: number, data: number[]}|null} */
  peaks = null;
  /** What is drawn: `at`, `duration` in seconds, `gain` a factor, `heard`. */
  state = { at: 0, duration: 0, gain: 1, heard: true };

  /** @param {{label: string, seek: (part: number) => void}} how */
  constructor({ label, seek }) {
    this.canvas = /** @type {HTMLCanvasElement} */ (h("canvas", { role: "img", "aria-label": t("{label}: its waveform", { label }) }));
    this.element = h("div", { class: "wave", on: { pointerdown: (event) => this.#drag(event, seek) } }, this.canvas);
    this.sizes = new ResizeObserver(() => this.#measure());
    this.sizes.observe(this.element);
    // Colours are those of the page.
    this.themes = new MutationObserver(() => this.draw());
    this.themes.observe(document.documentElement, { attributeFilter: ["data-theme"] });
  }

  destroy() {
    this.sizes.disconnect();
    this.themes.disconnect();
  }

  /** The loudest there is, as a part of full scale. */
  get loudest() {
    return (this.peaks?.data ?? []).reduce((most, value) => Math.max(most, Math.abs(value)), 0) / 128;
  }

  #drag(event, seek) {
    if (event.button !== 0) return;
    const box = this.canvas.getBoundingClientRect();
    const to = ({ clientX }) => seek((clientX - box.left) / box.width);
    this.element.setPointerCapture(event.pointerId);
    const done = new AbortController();
    this.element.addEventListener("pointermove", to, { signal: done.signal });
    for (const type of ["pointerup", "pointercancel"]) this.element.addEventListener(type, () => done.abort(), { signal: done.signal });
    to(event);
  }

  #measure() {
    const { clientWidth, clientHeight } = this.canvas;
    this.canvas.width = Math.round(clientWidth * devicePixelRatio);
    this.canvas.height = Math.round(clientHeight * devicePixelRatio);
    this.bars = null;
    this.draw();
  }

  /** The greatest and least of each bar's stretch of time. */
  #sums(count) {
    const { duration } = this.state;
    const { data, pairs_per_second: density } = this.peaks;
    const pairs = data.length / 2;
    const each = (duration * density) / count;
    return Array.from({ length: count }, (_, n) => {
      const first = Math.floor(n * each);
      if (first >= pairs) return null; // the other side goes on, this one is over
      const last = Math.min(pairs, Math.max(first + 1, Math.floor((n + 1) * each)));
      let low = 0;
      let high = 0;
      for (let pair = first; pair < last; pair++) {
        low = Math.min(low, data[2 * pair]);
        high = Math.max(high, data[2 * pair + 1]);
      }
      return [low / 128, high / 128];
    });
  }

  /** @param {Partial<Waveform["state"]> & {scale?: number}} [changes] */
  draw(changes = {}) {
    if (changes.duration !== undefined && changes.duration !== this.state.duration) this.bars = null;
    Object.assign(this.state, changes);
    const { canvas, state, peaks } = this;
    const paint = canvas.getContext("2d");
    const ratio = devicePixelRatio;
    const { width, height } = canvas;
    paint.clearRect(0, 0, width, height);
    if (!peaks || !width || !state.duration) return;
    const step = (BAR + GAP) * ratio;
    this.bars ??= this.#sums(Math.max(1, Math.floor(width / step)));
    const style = getComputedStyle(canvas);
    const tone = style.getPropertyValue(state.heard ? "--tone" : "--edge");
    const rest = style.getPropertyValue("--cell");
    const part = state.at / state.duration;
    const middle = height / 2;
    const reach = (middle - ratio) * state.gain * (state.scale ?? 1);
    const stretch = width / this.bars.length;
    for (const [n, sums] of this.bars.entries()) {
      if (!sums) continue;
      const top = Math.max(ratio, sums[1] * reach);
      const bottom = Math.max(ratio, -sums[0] * reach);
      paint.fillStyle = (n + 0.5) / this.bars.length <= part ? tone : rest;
      paint.beginPath();
      paint.roundRect(n * stretch, middle - top, BAR * ratio, top + bottom, (BAR * ratio) / 2);
      paint.fill();
    }
    paint.fillStyle = style.getPropertyValue("--ink");
    paint.fillRect(Math.min(width - ratio, Math.round(part * width)), 0, Math.max(1, Math.round(ratio)), height);
  }
}
