// A picture larger than its image: tiles of its own pixels, and of halves of them, fetched as they come into view.

import { h } from "../dom.js";
import { read, readJson, sibling } from "../media.js";

const KEPT = 96; // tiles of one picture, of 1 MiB each; those in view are kept however many they are
const AT_ONCE = 3; // of one picture: an answer that is sent meanwhile is not kept waiting
const WAIT = 1000; // ms after a failure, then twice as long, and so on
const LONGEST = 30_000;
const ENOUGH = 0.99; // of the pixels of the screen: from here on a level is fine enough
const WHOLE = 0.01; // so near a whole number of screen pixels a pixel, none is mixed with another
const CRISP = 3; // screen pixels a pixel: from here on pixels are shown as they are

/** What all views of one picture share. */
export class Tiles {
  /** The finest first; null until it is known. @type {{width: number, height: number, columns: number, rows: number, first: number}[]|null} */
  levels = null;
  side = 0;
  #offsets = []; // by number: where a tile begins and ends in the file
  #kept = new Map(); // number -> ImageBitmap, what was drawn last at the end
  #fetching = new Map(); // number -> AbortController
  #wanted = new Map(); // view -> numbers, the dearest first
  #failures = 0;
  #timer = 0;
  #left = new AbortController();

  /** @param {string} url of the picture's "web" */
  constructor(url) {
    this.url = url;
    this.#load();
  }

  async #load() {
    try {
      const { tile, levels } = await readJson(sibling(this.url, "levels"), this.#left.signal);
      this.side = tile;
      this.levels = levels.map(({ width, height, offsets }) => {
        const first = this.#offsets.length;
        for (const [n, end] of offsets.slice(1).entries()) this.#offsets.push([offsets[n], end]);
        return { width, height, columns: Math.ceil(width / tile), rows: Math.ceil(height / tile), first };
      });
      this.#failures = 0;
      this.#tell();
    } catch {
      this.#later(() => this.#load());
    }
  }

  /** How many tiles are held. */
  get kept() {
    return this.#kept.size;
  }

  /** A tile, if it is there. @param {number} number @returns {ImageBitmap|null} */
  take(number) {
    const tile = this.#kept.get(number);
    if (!tile) return null;
    this.#kept.delete(number);
    this.#kept.set(number, tile);
    return tile;
  }

  /** What a view shows now: nothing else is fetched for it. @param {TiledView} view @param {number[]} numbers the dearest first */
  want(view, numbers) {
    this.#wanted.set(view, numbers);
    this.#settle();
  }

  /** @param {TiledView} view */
  leave(view) {
    this.#wanted.delete(view);
    this.#settle();
  }

  /** Fetches what is in view, ends what no longer is, and lets go of what was in view long ago. */
  #settle() {
    const wanted = new Set([...this.#wanted.values()].flat());
    for (const [number, leave] of this.#fetching) {
      if (wanted.has(number)) continue;
      this.#fetching.delete(number);
      leave.abort();
    }
    for (const number of wanted) {
      if (this.#timer || this.#fetching.size >= AT_ONCE) break;
      if (!this.#kept.has(number) && !this.#fetching.has(number)) this.#fetch(number);
    }
    for (const [number, tile] of this.#kept) {
      if (this.#kept.size <= KEPT) break;
      if (wanted.has(number)) continue;
      this.#kept.delete(number);
      tile.close();
    }
  }

  async #fetch(number) {
    const leave = new AbortController();
    this.#fetching.set(number, leave);
    try {
      const tile = await this.#tile(number, leave.signal);
      if (leave.signal.aborted) return tile.close();
      this.#fetching.delete(number);
      this.#kept.set(number, tile);
      this.#failures = 0;
      this.#settle();
      this.#tell();
    } catch {
      if (leave.signal.aborted) return;
      this.#fetching.delete(number);
      this.#later(() => this.#settle());
    }
  }

  async #tile(number, signal) {
    const [start, end] = this.#offsets[number];
    // A browser's cache lets only one at a time read of a file, and keeps no part of one that has no validator.
    const response = await read(sibling(this.url, "tiles"), signal, { headers: { Range: `bytes=${start}-${end - 1}` }, cache: "no-store" });
    if (response.status !== 206) {
      response.body?.cancel();
      throw new Error("The server gave the whole file.");
    }
    return createImageBitmap(new Blob([await response.arrayBuffer()], { type: "image/webp" }));
  }

  #later(again) {
    if (this.#left.signal.aborted || this.#timer) return;
    this.#failures += 1;
    this.#timer = setTimeout(() => {
      this.#timer = 0;
      again();
    }, Math.min(LONGEST, WAIT * 2 ** (this.#failures - 1)));
  }

  #tell() {
    for (const view of this.#wanted.keys()) view.changed();
  }

  /** Lets go of everything; no view may draw it any more. */
  close() {
    this.#left.abort();
    clearTimeout(this.#timer);
    this.#timer = 0;
    this.#wanted.clear();
    this.#settle();
    for (const tile of this.#kept.values()) tile.close();
    this.#kept.clear();
  }
}

/** One view of a picture: a canvas as large as what it stands in. */
export class TiledView {
  #soon = 0;
  /** @type {{inlineSize: number, blockSize: number}|null} */ #box = null;

  /** @param {Tiles} tiles @param {HTMLImageElement} image drawn where a tile is not there yet @param {() => void} redraw asks for draw() */
  constructor(tiles, image, redraw) {
    Object.assign(this, { tiles, image, redraw });
    this.canvas = h("canvas", { "aria-hidden": "true", hidden: true });
    this.context = this.canvas.getContext("2d");
    // As large as its box in pixels of the screen, which CSS pixels need not be multiples of.
    this.sizes = new ResizeObserver(([{ devicePixelContentBoxSize: [box] }]) => {
      if (!box.inlineSize) return; // hidden
      this.#box = box;
      this.redraw();
    });
    this.sizes.observe(this.canvas, { box: "device-pixel-content-box" });
    tiles.want(this, []);
  }

  /** A tile came. */
  changed() {
    this.#soon ||= requestAnimationFrame(() => {
      this.#soon = 0;
      this.redraw();
    });
  }

  /**
   * @param {{left: number, top: number, width: number, height: number}} place of the whole picture, in CSS pixels of the canvas
   * @returns {boolean} whether all that is in view is there
   */
  draw({ left, top, width, height }) {
    const { canvas, context, tiles } = this;
    canvas.hidden = !tiles.levels;
    if (canvas.hidden || !this.#box) return false;
    const { inlineSize, blockSize } = this.#box;
    if (canvas.width !== inlineSize) canvas.width = inlineSize;
    if (canvas.height !== blockSize) canvas.height = blockSize;
    const [x, y, w, hh] = [left, top, width, height].map((length) => length * devicePixelRatio);
    const level = tiles.levels.findLast((one) => one.width >= w * ENOUGH) ?? tiles.levels[0];
    const factor = w / level.width;
    const shown = this.#inView(level, { x: Math.round(x), y: Math.round(y), across: factor, down: hh / level.height });
    tiles.want(this, shown.map(({ number }) => number));
    context.clearRect(0, 0, canvas.width, canvas.height);
    let lacks = 0;
    for (const { number, tile, at } of shown) {
      const found = tiles.take(number);
      context.imageSmoothingEnabled = !found || (factor < CRISP && Math.abs(factor - Math.round(factor)) > WHOLE);
      if (found) context.drawImage(found, ...at);
      else this.#drawBase(level, tile, at);
      lacks += found ? 0 : 1;
    }
    Object.assign(canvas.dataset, { lacks, kept: tiles.kept });
    return !lacks;
  }

  /** The tiles of a level that are seen, the middle first: their places in the level, and on the canvas. */
  #inView(level, { x, y, across, down }) {
    const { canvas } = this;
    const { side } = this.tiles;
    const range = (from, room, step, count) => [Math.max(0, Math.floor(-from / step)), Math.min(count, Math.ceil((room - from) / step))];
    const [left, right] = range(x, canvas.width, side * across, level.columns);
    const [top, bottom] = range(y, canvas.height, side * down, level.rows);
    const found = [];
    for (let row = top; row < bottom; row++)
      for (let column = left; column < right; column++) {
        const tile = [column * side, row * side, Math.min(level.width, (column + 1) * side), Math.min(level.height, (row + 1) * side)];
        // Edges lie between pixels of the screen: neighbours meet there without a seam.
        const [x0, y0, x1, y1] = [x + Math.round(tile[0] * across), y + Math.round(tile[1] * down), x + Math.round(tile[2] * across), y + Math.round(tile[3] * down)];
        const far = Math.hypot((x0 + x1 - canvas.width) / 2, (y0 + y1 - canvas.height) / 2);
        found.push({ number: level.first + row * level.columns + column, tile, at: [x0, y0, x1 - x0, y1 - y0], far });
      }
    return found.sort((one, other) => one.far - other.far);
  }

  #drawBase(level, [x0, y0, x1, y1], at) {
    const { image } = this;
    const [across, down] = [image.naturalWidth / level.width, image.naturalHeight / level.height];
    this.context.drawImage(image, x0 * across, y0 * down, (x1 - x0) * across, (y1 - y0) * down, ...at);
  }

  /** Nothing of it is seen now, or the image is enough. */
  rest() {
    if (this.canvas.hidden) return;
    this.canvas.hidden = true;
    this.canvas.width = this.canvas.height = 0;
    this.tiles.want(this, []);
  }

  destroy() {
    cancelAnimationFrame(this.#soon);
    this.sizes.disconnect();
    this.tiles.leave(this);
  }
}
