// A sound as its pitches over time: dark where it is loud, low below, high above. Both sides on one scale.

import { h } from "../dom.js";
import { t } from "../tongue.js";

const SIZE = 2048; // samples a window
const COLUMNS = 900; // the most there are
const ROWS = 128;
const LOWEST = 60; // Hz
const HIGHEST = 16_000;
const SOFTEST = -95; // dB of full scale: white
const LOUDEST = -25; // and ink
const SLICE = 12; // ms of work before the screen goes on
const TICKS = [100, 1000, 10_000];

const WINDOW = Float32Array.from({ length: SIZE }, (_, n) => 0.5 - 0.5 * Math.cos((2 * Math.PI * n) / SIZE));

export class Spectrogram {
  /** How loud each pitch is at each time, 0 to 255. @type {{levels: Uint8Array, columns: number}|null} */
  #heard = null;
  #at = 0;
  #left = new AbortController();

  /** @param {{label: string, seek: (part: number) => void, part: () => number}} how `part` tells how much of the way is played */
  constructor({ label, seek, part }) {
    this.part = part;
    this.canvas = /** @type {HTMLCanvasElement} */ (h("canvas", { role: "img", "aria-label": t("{label}: its spectrogram, {lowest} to {highest} hertz", { label, lowest: LOWEST, highest: HIGHEST }) }));
    this.line = h("i", {});
    const ticks = TICKS.map((hertz) => {
      const tick = h("span", {}, hertz < 1000 ? `${hertz} Hz` : `${hertz / 1000} kHz`);
      tick.style.bottom = `${placeOf(hertz) * 100}%`;
      return tick;
    });
    this.element = h("div", { class: "spectrogram", on: { pointerdown: (event) => this.#press(event, seek) } }, this.canvas, ...ticks, this.line);
    this.themes = new MutationObserver(() => this.#paint());
    this.themes.observe(document.documentElement, { attributeFilter: ["data-theme"] });
  }

  #press(event, seek) {
    const box = this.canvas.getBoundingClientRect();
    seek((event.clientX - box.left) / box.width);
  }

  /** @param {AudioBuffer} samples @param {number} duration of the clock, in seconds @param {number} gain */
  async show(samples, duration, gain) {
    const columns = Math.min(COLUMNS, Math.max(1, Math.floor((duration * samples.sampleRate) / (SIZE / 4))));
    this.#heard = { levels: new Uint8Array(columns * ROWS), columns };
    const mono = mixed(samples);
    const work = analyser(samples.sampleRate, 20 * Math.log10(gain || 1));
    const { signal } = this.#left;
    for (let until = performance.now() + SLICE, column = 0; column < columns && !signal.aborted; column++) {
      const middle = ((column + 0.5) / columns) * duration * samples.sampleRate;
      this.#heard.levels.set(work(mono, Math.round(middle - SIZE / 2)), column * ROWS);
      if (performance.now() < until) continue;
      await new Promise((resolve) => setTimeout(resolve));
      until = performance.now() + SLICE;
    }
    this.#paint();
  }

  #paint() {
    if (!this.#heard) return;
    const { levels, columns } = this.#heard;
    this.canvas.width = columns;
    this.canvas.height = ROWS;
    const paint = this.canvas.getContext("2d", { willReadFrequently: true });
    paint.fillStyle = getComputedStyle(this.canvas).getPropertyValue("--ink");
    paint.fillRect(0, 0, 1, 1);
    const [red, green, blue] = paint.getImageData(0, 0, 1, 1).data;
    const image = paint.createImageData(columns, ROWS);
    for (let column = 0; column < columns; column++)
      for (let row = 0; row < ROWS; row++) image.data.set([red, green, blue, levels[column * ROWS + row]], 4 * ((ROWS - 1 - row) * columns + column));
    paint.putImageData(image, 0, 0);
    this.place();
  }

  /** Where it plays. */
  place() {
    this.line.style.left = `${this.part() * 100}%`;
  }

  destroy() {
    this.#left.abort();
    this.themes.disconnect();
  }
}

/** How high a pitch stands, a part of the height: octaves are equally high. @param {number} hertz */
const placeOf = (hertz) => Math.log(hertz / LOWEST) / Math.log(HIGHEST / LOWEST);

/** @param {AudioBuffer} samples */
function mixed(samples) {
  const sum = new Float32Array(samples.length);
  for (let channel = 0; channel < samples.numberOfChannels; channel++) {
    const one = samples.getChannelData(channel);
    for (let n = 0; n < sum.length; n++) sum[n] += one[n] / samples.numberOfChannels;
  }
  return sum;
}

/** @param {number} rate @param {number} louder dB @returns {(samples: Float32Array, from: number) => Uint8Array} levels of each row around a place */
function analyser(rate, louder) {
  const real = new Float32Array(SIZE);
  const imaginary = new Float32Array(SIZE);
  const found = new Uint8Array(ROWS);
  const binOf = (row) => (LOWEST * (HIGHEST / LOWEST) ** (row / ROWS) * SIZE) / rate;
  return (samples, from) => {
    for (let n = 0; n < SIZE; n++) real[n] = (samples[from + n] ?? 0) * WINDOW[n];
    imaginary.fill(0);
    transform(real, imaginary);
    for (let row = 0; row < ROWS; row++) {
      const [first, last] = [Math.floor(binOf(row)), Math.max(Math.floor(binOf(row)), Math.ceil(binOf(row + 1)) - 1)];
      let power = 0;
      for (let bin = first; bin <= last && bin < SIZE / 2; bin++) power = Math.max(power, real[bin] ** 2 + imaginary[bin] ** 2);
      const level = 10 * Math.log10(power + 1e-20) - 20 * Math.log10(SIZE / 4) + louder;
      found[row] = 255 * Math.min(1, Math.max(0, (level - SOFTEST) / (LOUDEST - SOFTEST)));
    }
    return found;
  };
}

/** The fast Fourier transform, in place (Cooley and Tukey 1965). @param {Float32Array} real @param {Float32Array} imaginary */
function transform(real, imaginary) {
  const size = real.length;
  for (let n = 1, mirror = 0; n < size; n++) {
    let bit = size >> 1;
    for (; mirror & bit; bit >>= 1) mirror ^= bit;
    mirror ^= bit;
    if (n < mirror) {
      [real[n], real[mirror]] = [real[mirror], real[n]];
      [imaginary[n], imaginary[mirror]] = [imaginary[mirror], imaginary[n]];
    }
  }
  for (let length = 2; length <= size; length <<= 1) {
    const angle = (-2 * Math.PI) / length;
    const [stepReal, stepImaginary] = [Math.cos(angle), Math.sin(angle)];
    for (let start = 0; start < size; start += length) {
      let [turnReal, turnImaginary] = [1, 0];
      for (let n = start; n < start + length / 2; n++) {
        const other = n + length / 2;
        const productReal = real[other] * turnReal - imaginary[other] * turnImaginary;
        const productImaginary = real[other] * turnImaginary + imaginary[other] * turnReal;
        [real[other], imaginary[other]] = [real[n] - productReal, imaginary[n] - productImaginary];
        [real[n], imaginary[n]] = [real[n] + productReal, imaginary[n] + productImaginary];
        [turnReal, turnImaginary] = [turnReal * stepReal - turnImaginary * stepImaginary, turnReal * stepImaginary + turnImaginary * stepReal];
      }
    }
  }
}
