// Sounds that play as one, of which one is heard. Both run all the time, so that to change over is to turn one down
// and the other up: no gap, no other place.
//
// Decoded as a whole where that fits into memory: then they start on the same sample. Long ones, and all at another speed,
// play as media elements in step (ensemble.js), which keep the pitch. The louder of two is turned down to the other's
// loudness, never one up.

import { Ensemble } from "./ensemble.js";
import { Timeline } from "./timeline.js";

export const LONG = 300; // seconds: decoded, five minutes are 115 MB
const RAMP = 0.01; // seconds: short enough to be at once, long enough not to click
const SOON = 0.02; // seconds from asking to sounding

/** Whether a sound is too long to lie in memory. */
export const isLong = ({ duration = 0 }) => duration > LONG;

export class Sounds extends Timeline {
  matched = true;
  pitches = false; // whether spectrograms are shown
  /** @type {Map<string, {medium: any, broke: () => void, buffer: AudioBuffer|null, loudest: number, gain: GainNode|null, source: AudioBufferSourceNode|null}>} */
  #sides = new Map();
  /** @type {AudioContext|null} made when one first asks to hear something: earlier, browsers refuse it */
  #context = null;
  #at = 0; // the time while it does not play
  #began = 0; // the context's time at which #at sounded
  /** @type {Ensemble|null} in place of the buffers */
  #elements = null;
  #unfollow = new AbortController();
  #suited = Promise.resolve(); // changes of speed follow each other

  get size() {
    return this.#sides.size;
  }

  get sides() {
    return [...this.#sides.keys()];
  }

  /**
   * Loads a side, or loads it again. Rejects where that fails; `broke` is told of what fails later.
   * @param {string} side @param {{url: string, duration?: number, sample_rate?: number, loudness?: number|null}} medium
   * @param {() => Promise<AudioBuffer>} decoded
   * @param {() => void} broke
   */
  async load(side, medium, decoded, broke) {
    const known = this.#sides.get(side);
    this.#sides.set(side, { medium, broke, buffer: known?.buffer ?? null, loudest: known?.loudest ?? 0, gain: null, source: null });
    if (!this.heard && !this.quiet) this.heard = side;
    this.duration = Math.max(this.duration, medium.duration ?? 0);
    this.changed();
    await Promise.resolve(); // until the other side has said how long it is
    if (!this.#long) {
      const buffer = this.#sides.get(side)?.buffer ?? (await decoded());
      const one = this.#sides.get(side);
      if (!one) return;
      one.buffer = buffer;
      this.duration = Math.max(...[...this.#sides.values()].map(({ buffer, medium }) => buffer?.duration ?? medium.duration ?? 0));
      this.changed();
    }
    if (this.#long || this.#elements) await this.#asElement(side, medium);
  }

  /** Too long to lie in memory, one of them. */
  get #long() {
    return [...this.#sides.values()].some(({ medium }) => isLong(medium));
  }

  /** Resolves once it can play. */
  #asElement(side, { url, duration }) {
    this.#elements ??= this.#follower();
    this.#elements.remove(side); // one that broke
    return new Promise((resolve, reject) => {
      const element = new Audio(url);
      let loaded = false;
      element.addEventListener("loadedmetadata", () => resolve((loaded = true)), { once: true });
      const failed = () => (loaded ? this.#sides.get(side)?.broke() : reject(new Error("The sound does not load.")));
      this.#elements.add(side, element, { seconds: duration, sounds: true, failed });
      this.#mix();
    });
  }

  #follower() {
    const elements = new Ensemble();
    this.#unfollow = new AbortController();
    const { signal } = this.#unfollow;
    elements.addEventListener("time", () => this.moved(), { signal });
    const take = () => {
      this.playing = elements.playing;
      this.waiting = elements.waiting;
      this.duration = elements.duration || this.duration;
      super.changed();
    };
    elements.addEventListener("change", take, { signal });
    return elements;
  }

  /** At another speed the elements play, which keep the pitch; at its own the buffers, which keep the sample. @param {number} rate */
  setRate(rate) {
    super.setRate(rate);
    this.#suited = this.#suited.then(() => this.#suit());
    return this.#suited;
  }

  async #suit() {
    const elements = this.rate !== 1 || this.#long;
    if (elements !== Boolean(this.#elements)) {
      const [at, played] = [this.time, this.playing];
      this.pause();
      if (elements) await Promise.all([...this.#sides].map(([side, { medium, broke }]) => this.#asElement(side, medium).catch(broke)));
      else this.#dropElements();
      this.seek(at);
      if (played) await this.play();
    }
    this.#elements?.setRate(this.rate);
    this.changed();
  }

  #dropElements() {
    this.#unfollow.abort();
    for (const side of this.#sides.keys()) this.#elements?.remove(side);
    this.#elements = null;
    this.playing = false;
    this.waiting = "";
  }

  /** Not of what is too long to lie in memory. */
  get canShowPitches() {
    return !this.#long;
  }

  setPitches(pitches) {
    this.pitches = pitches;
    this.changed();
  }

  /** The samples of a side, or null while they are not there, or never are. @param {string} side */
  samples(side) {
    return this.#sides.get(side)?.buffer ?? null;
  }

  remove(side) {
    this.pause();
    this.#elements?.remove(side);
    this.#sides.delete(side);
    if (this.#sides.size) return;
    this.#context?.close();
    this.#context = null;
  }

  // How loud

  /** Peaks are drawn to one scale on both sides. @param {string} side @param {number} loudest part of full scale */
  seen(side, loudest) {
    const one = this.#sides.get(side);
    if (one) one.loudest = loudest;
    this.changed();
  }

  get scale() {
    const most = Math.max(...[...this.#sides].map(([side, { loudest }]) => loudest * this.gainOf(side)));
    return most > 0 ? 1 / most : 1;
  }

  get canMatch() {
    return this.#sides.size > 1 && [...this.#sides.values()].every(({ medium }) => Number.isFinite(medium.loudness));
  }

  setMatched(matched) {
    this.matched = matched;
    this.#mix();
    this.changed();
  }

  /** The factor by which a side is turned down. @param {string} side */
  gainOf(side) {
    if (!this.matched || !this.canMatch) return 1;
    const softest = Math.min(...[...this.#sides.values()].map(({ medium }) => medium.loudness));
    return 10 ** ((softest - this.#sides.get(side).medium.loudness) / 20);
  }

  /** @param {string} side */
  hear(side) {
    this.heard = side;
    this.#mix();
    this.changed();
  }

  /** One side alone is on screen now: it is the one to hear, unless none is. @param {string} side */
  turned(side) {
    if (this.heard && this.#sides.has(side)) this.hear(side);
  }

  #mix() {
    for (const [side, { gain }] of this.#sides) {
      if (!gain) continue;
      const now = this.#context.currentTime;
      gain.gain.cancelScheduledValues(now);
      gain.gain.setValueAtTime(gain.gain.value, now);
      gain.gain.linearRampToValueAtTime(side === this.heard ? this.gainOf(side) : 0, now + RAMP);
    }
    this.#elements?.hear(this.heard);
    this.#elements?.level((side) => this.gainOf(side));
  }

  // Where it is

  get time() {
    if (this.#elements) return this.#elements.time;
    if (!this.playing) return this.#at;
    const since = Math.max(0, this.#context.currentTime - this.#began);
    const time = this.#at + since;
    if (!this.looping || time < this.end) return Math.min(time, this.duration);
    return this.start + ((time - this.start) % (this.end - this.start));
  }

  seek(time) {
    const to = this.within(time);
    if (this.#elements) return this.#elements.seek(to);
    this.#at = to;
    if (this.playing) this.#sound();
    this.moved();
  }

  async play() {
    if (this.#elements) return this.#elements.play();
    if (this.playing || !this.#ready) return;
    this.#context ??= new AudioContext({ latencyHint: "interactive" });
    this.playing = true;
    if (this.#at >= this.end - 0.01 || this.#at < this.start) this.#at = this.start;
    await this.#context.resume();
    if (!this.playing) return;
    this.#sound();
    this.changed();
    this.follow(() => this.#tick());
  }

  get #ready() {
    return this.#sides.size > 0 && [...this.#sides.values()].some(({ buffer }) => buffer);
  }

  pause() {
    if (this.#elements) return this.#elements.pause();
    if (!this.playing) return;
    this.#at = this.time;
    this.playing = false;
    this.#hush();
    this.stopFollowing();
    this.changed();
  }

  changed() {
    // A loop that changes while it sounds: go on from here with the new one.
    if (this.playing && !this.#elements && this.#loops !== this.#loopNow) {
      this.#at = this.time;
      this.#sound();
    }
    if (this.#elements) Object.assign(this.#elements, { looping: this.looping, from: this.from, to: this.to });
    super.changed();
  }

  get #loopNow() {
    return this.looping ? `${this.start} ${this.end}` : "";
  }

  #loops = "";

  /** Starts all sides from here, on one sample of the context's clock. */
  #sound() {
    this.#hush();
    const context = this.#context;
    if (this.#at >= this.end || this.#at < this.start) this.#at = this.start;
    const when = context.currentTime + SOON;
    for (const [side, one] of this.#sides) {
      if (!one.buffer) continue;
      one.gain = context.createGain();
      one.gain.gain.setValueAtTime(0, context.currentTime);
      one.gain.gain.setValueAtTime(0, when);
      one.gain.gain.linearRampToValueAtTime(side === this.heard ? this.gainOf(side) : 0, when + RAMP);
      one.gain.connect(context.destination);
      one.source = context.createBufferSource();
      one.source.buffer = this.#padded(one);
      one.source.connect(one.gain);
      one.source.loop = this.looping;
      one.source.loopStart = this.start;
      one.source.loopEnd = this.end;
      one.source.start(when, this.#at);
    }
    this.#began = when;
    this.#loops = this.#loopNow;
  }

  /** As long as the longest, with silence: so that all repeat the same stretch. */
  #padded(one) {
    const { buffer } = one;
    const length = Math.ceil(this.duration * buffer.sampleRate);
    if (buffer.length >= length) return buffer;
    const longer = new AudioBuffer({ length, numberOfChannels: buffer.numberOfChannels, sampleRate: buffer.sampleRate });
    for (let channel = 0; channel < buffer.numberOfChannels; channel++) longer.copyToChannel(buffer.getChannelData(channel), channel);
    one.buffer = longer;
    return longer;
  }

  #hush() {
    for (const one of this.#sides.values()) {
      if (!one.source) continue;
      const { source, gain } = one;
      const now = this.#context.currentTime;
      gain.gain.cancelScheduledValues(now);
      gain.gain.setValueAtTime(gain.gain.value, now);
      gain.gain.linearRampToValueAtTime(0, now + RAMP);
      source.stop(now + RAMP);
      source.addEventListener("ended", () => gain.disconnect());
      one.source = one.gain = null;
    }
  }

  #tick() {
    if (!this.looping && this.time >= this.duration) {
      this.pause();
      return;
    }
    this.moved();
  }
}
