// Evidence: places in the responses that a verdict rests on. They are taken from the panes and drawn over them; of the
// viewers only this is asked: texts are text in the page, the image of a side is the first one in its view, what plays
// has the link's clock, and the pane of a model, which the link has, picks points and tells where they are seen.

import { h } from "./dom.js";
import { Alignment, indexOfPoint, pointsBefore } from "./spans.js";
import { clock } from "./timecode.js";
import { percent, t } from "./tongue.js";
import { kindOf } from "./viewers.js";

/** @typedef {{side: "a"|"b", kind: "text"|"box"|"time"|"point", [more: string]: any}} Anchor */

const SIDES = /** @type {const} */ (["a", "b"]);
const STEP = 0.02; // of the image, a press of an arrow
const SMALLEST = 0.01;
const STILL = 4; // px: a pointer that moved farther turned the model
const QUOTED = 2000; // characters
const SETTLE = 100; // ms after which a text that changed is looked at again

/** A place in words. @param {Anchor} anchor */
export function toldAnchor(anchor) {
  const side = anchor.side.toUpperCase();
  if (anchor.kind === "text") return t("{side} “{quote}”", { side, quote: shorter(anchor.quote) });
  if (anchor.kind === "time") return `${side} ${clock(anchor.start)}\u2013${clock(anchor.end)}`;
  if (anchor.kind === "point") return t("{side} point at {place}", { side, place: ["x", "y", "z"].map((axis) => Number(anchor[axis].toPrecision(3))).join(", ") });
  return t("{side} box at {across}, {down}", { side, across: percent(anchor.x), down: percent(anchor.y) });
}

/** A quote as it is read, without its markup. */
function shorter(quote) {
  const plain = quote.replace(/\]\([^)]*\)|[*_`#[\]]/g, "").replace(/\s+/g, " ");
  return plain.length > 40 ? `${plain.slice(0, 38)}\u2026` : plain;
}
const within = (value, least, most) => Math.min(Math.max(value, least), most);
const rounded = (value) => Math.round(value * 1e4) / 1e4;

export class Anchors {
  #claim = null;
  /** @type {Anchor[]} */ #drawn = [];
  #layers = new Map(); // side -> what is drawn over its pane
  #alignments = new Map(); // side -> Alignment, until its text changes
  #stop = new AbortController();
  #settling = 0;
  #started = null; // side and time where a range began
  #taking = new AbortController();

  /** @param {Panes} panes */
  constructor(panes) {
    this.panes = panes;
    this.changes = new MutationObserver(() => {
      this.#alignments.clear();
      clearTimeout(this.#settling);
      this.#settling = setTimeout(() => this.#drawTexts(), SETTLE);
    });
  }

  show(claim) {
    this.clear();
    this.#claim = claim;
    this.#stop = new AbortController();
    for (const side of SIDES) {
      const body = this.panes.bodies[side];
      this.changes.observe(body, { childList: true, subtree: true, characterData: true });
      this.#layers.set(side, h("div", { class: `anchors-over ${side}`, "aria-hidden": "true" }));
    }
    const again = () => this.#drawBoxes();
    for (const link of this.panes.links) for (const type of ["change", "drawn"]) link.addEventListener(type, again, { signal: this.#stop.signal });
    addEventListener("resize", again, { signal: this.#stop.signal });
  }

  clear() {
    this.#stop.abort();
    this.changes.disconnect();
    clearTimeout(this.#settling);
    this.end();
    for (const layer of this.#layers.values()) layer.remove();
    this.#layers.clear();
    this.#alignments.clear();
    this.#drawn = [];
    for (const side of SIDES) CSS.highlights?.delete(`evidence-${side}`);
    this.#claim = null;
  }

  /** What a place on that side is: "text", "box", "time", "point", or "" where there can be none. */
  kindOf(side) {
    const kind = kindOf(this.#claim[side]);
    if (kind !== "text" && !this.panes.linkOf(side)) return ""; // its viewer could not be had
    return { text: "text", image: "box", video: "time", audio: "time", mesh: "point" }[kind];
  }

  get possible() {
    return SIDES.some((side) => this.kindOf(side));
  }

  // Taking

  /** The text that is selected in one of the responses. @returns {Anchor|null} */
  selected() {
    const selection = document.getSelection();
    if (!selection?.rangeCount || selection.isCollapsed) return null;
    const range = selection.getRangeAt(0);
    const side = SIDES.find((one) => this.panes.bodies[one].contains(range.commonAncestorContainer));
    const span = side && this.#align(side).spanOf(range);
    if (!span) return null;
    selection.removeAllRanges();
    return this.#text(side, span);
  }

  /** The words of a response that somebody typed. @returns {Anchor|null} */
  found(side, words) {
    const span = this.#align(side).find(words);
    return span && this.#text(side, span);
  }

  #text(side, span) {
    const { text } = this.#claim[side];
    const end = Math.min(span.end, span.start + QUOTED);
    const quote = text.slice(span.start, end);
    const start = pointsBefore(text, span.start);
    return { side, kind: "text", start, end: start + [...quote].length, quote };
  }

  /** The part of a clock that repeats, or null. @returns {Anchor|null} */
  looped(side) {
    const link = this.panes.linkOf(side);
    return link.looping ? this.#time(side, link.start, link.end) : null;
  }

  /** Begins a range now; the second time it ends it. @returns {Anchor|null} */
  ranged(side) {
    const now = this.panes.linkOf(side).time;
    if (this.#started?.side !== side) {
      this.#started = { side, at: now };
      return null;
    }
    const from = this.#started.at;
    this.#started = null;
    return this.#time(side, Math.min(from, now), Math.max(from, now));
  }

  #time(side, start, end) {
    const last = this.#claim[side].media.duration ?? end;
    return { side, kind: "time", start: rounded(Math.min(start, last)), end: rounded(Math.min(end, last)) };
  }

  /** Where the range that was begun starts, in words; "" if none was. */
  get begun() {
    return this.#started === null ? "" : clock(this.#started.at);
  }

  /**
   * Lets a box be drawn on the images and a point of a model be clicked, and takes text as it is selected.
   * @param {(anchor: Anchor) => void} taken @param {() => void} missed there is nothing of a model where one clicked
   */
  begin(taken, missed) {
    this.end();
    for (const side of SIDES) {
      const body = this.panes.bodies[side];
      if (this.kindOf(side) === "box") body.append(this.#sheet(side, taken));
    }
    this.#taking = new AbortController();
    for (const side of SIDES) if (this.kindOf(side) === "point") this.#clicks(side, taken, missed);
    const look = () => {
      const anchor = this.selected();
      if (anchor) taken(anchor);
    };
    for (const side of SIDES) this.panes.bodies[side].addEventListener("pointerup", () => setTimeout(look), { signal: this.#taking.signal });
  }

  end() {
    this.#taking.abort();
    this.#started = null;
    for (const side of SIDES) this.panes.bodies[side].querySelector(".anchors-sheet, .anchor-cross")?.remove();
    for (const side of SIDES) this.panes.bodies[side].classList.remove("pointing");
  }

  /** Takes the point of a model that is clicked; one may turn it still. */
  #clicks(side, taken, missed) {
    const body = this.panes.bodies[side];
    const { signal } = this.#taking;
    let from = null;
    body.classList.add("pointing");
    const down = ({ clientX, clientY }) => {
      from = [clientX, clientY];
    };
    const up = ({ clientX, clientY }) => {
      if (!from || Math.hypot(clientX - from[0], clientY - from[1]) > STILL) return;
      const view = this.#viewOf(side).getBoundingClientRect();
      this.#take(side, { x: (clientX - view.left) / view.width, y: (clientY - view.top) / view.height }, taken, missed);
    };
    body.addEventListener("pointerdown", down, { signal });
    body.addEventListener("pointerup", up, { signal });
  }

  #take(side, at, taken, missed) {
    const point = this.#paneOf(side)?.pick(at);
    if (point) taken({ side, kind: "point", ...point });
    else missed();
  }

  #viewOf(side) {
    return this.panes.bodies[side].querySelector(".view.model");
  }

  /** What shows the model of a side. */
  #paneOf(side) {
    return [...this.panes.linkOf(side).panes].find((pane) => pane.side === side);
  }

  /**
   * A cross in the middle of a model, under which the keys turn it: no pointer needed.
   * @param {(anchor: Anchor|null) => void} taken null: left @param {() => void} missed there is nothing under it
   */
  cross(side, taken, missed) {
    for (const one of SIDES) this.panes.bodies[one].querySelector(".anchor-cross")?.remove();
    const cross = h("div", {
      class: `anchor-cross ${side}`,
      tabindex: "0",
      role: "group",
      "aria-label": t("A cross on {side}. Arrows turn the model under it, plus and minus zoom, Enter takes the point, Escape leaves it.", { side: side.toUpperCase() }),
    });
    cross.addEventListener("keydown", (event) => {
      if (event.key === "Enter") this.#take(side, { x: 0.5, y: 0.5 }, taken, missed);
      else if (event.key === "Escape") taken(null);
      else return;
      event.preventDefault();
    });
    this.panes.turn(side);
    this.#viewOf(side).append(cross);
    cross.focus();
  }

  /** What catches the pointer while a box is drawn. */
  #sheet(side, taken) {
    const frame = h("div", { class: `anchor-box ${side}`, hidden: true });
    const sheet = h("div", { class: "anchors-sheet" }, frame);
    let from = null;
    sheet.addEventListener("pointerdown", (event) => {
      event.preventDefault();
      sheet.setPointerCapture(event.pointerId);
      from = this.#part(side, event);
    });
    sheet.addEventListener("pointermove", (event) => from && this.#lay(side, frame, between(from, this.#part(side, event))));
    sheet.addEventListener("pointerup", (event) => {
      const box = from && between(from, this.#part(side, event));
      from = null;
      if (box && Math.min(box.width, box.height) >= SMALLEST) taken({ side, kind: "box", ...box });
    });
    return sheet;
  }

  /** A frame on the image that the keys move: no dragging needed. @param {(anchor: Anchor|null) => void} taken null: left */
  frame(side, taken) {
    const body = this.panes.bodies[side];
    const sheet = body.querySelector(".anchors-sheet");
    const frame = h("div", {
      class: `anchor-box ${side}`,
      tabindex: "0",
      role: "group",
      "aria-label": t("A box on {side}. Arrows move it, Shift and arrows change its size, Enter keeps it, Escape leaves it.", { side: side.toUpperCase() }),
    });
    let box = { x: 0.35, y: 0.35, width: 0.3, height: 0.3 };
    frame.addEventListener("keydown", (event) => {
      const [right, down] = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key] ?? [0, 0];
      if (event.key === "Enter") taken({ side, kind: "box", ...box });
      else if (event.key === "Escape") taken(null);
      else if (!right && !down) return;
      event.preventDefault();
      box = event.shiftKey
        ? { ...box, width: rounded(within(box.width + right * STEP, STEP, 1 - box.x)), height: rounded(within(box.height + down * STEP, STEP, 1 - box.y)) }
        : { ...box, x: rounded(within(box.x + right * STEP, 0, 1 - box.width)), y: rounded(within(box.y + down * STEP, 0, 1 - box.height)) };
      this.#lay(side, frame, box);
    });
    sheet.replaceChildren(frame);
    this.#lay(side, frame, box);
    frame.focus();
  }

  /** Where the whole image of a side is drawn, within its pane. */
  #extent(side) {
    const body = this.panes.bodies[side];
    const image = body.querySelector(".view.image img");
    if (!image) return null;
    const [drawn, pane] = [image.getBoundingClientRect(), body.getBoundingClientRect()];
    return drawn.width ? { left: drawn.left - pane.left, top: drawn.top - pane.top, width: drawn.width, height: drawn.height, pane } : null;
  }

  /** The point of the image under the pointer, in parts. */
  #part(side, event) {
    const extent = this.#extent(side);
    if (!extent) return { x: 0, y: 0 };
    const { left, top, width, height, pane } = extent;
    return { x: within((event.clientX - pane.left - left) / width, 0, 1), y: within((event.clientY - pane.top - top) / height, 0, 1) };
  }

  #lay(side, frame, box) {
    const extent = this.#extent(side);
    frame.hidden = !extent;
    if (!extent) return;
    frame.style.left = `${extent.left + box.x * extent.width}px`;
    frame.style.top = `${extent.top + box.y * extent.height}px`;
    frame.style.width = `${box.width * extent.width}px`;
    frame.style.height = `${box.height * extent.height}px`;
  }

  // Drawing

  /** Shows the places of the criterion in hand. @param {Anchor[]} anchors */
  draw(anchors) {
    if (!this.#claim) return;
    this.#drawn = anchors;
    this.#drawTexts();
    this.#drawBoxes();
  }

  #drawTexts() {
    if (!this.#claim) return;
    for (const side of SIDES) {
      const ranges = this.#drawn.filter((one) => one.kind === "text" && one.side === side).map((one) => this.#rangeOf(one));
      CSS.highlights?.set(`evidence-${side}`, new Highlight(...ranges.filter(Boolean)));
    }
  }

  #drawBoxes() {
    if (!this.#claim) return;
    for (const side of SIDES) {
      const layer = this.#layers.get(side);
      const boxes = this.#drawn.filter((one) => one.kind === "box" && one.side === side);
      const ranges = this.#drawn.filter((one) => one.kind === "time" && one.side === side);
      const points = this.#drawn.filter((one) => one.kind === "point" && one.side === side);
      layer.replaceChildren(
        ...boxes.map((box) => {
          const frame = h("div", { class: `anchor-box ${side}` });
          this.#lay(side, frame, box);
          return frame;
        }),
        ...ranges.map((range) => {
          const mark = h("div", { class: `anchor-range ${side}` });
          const whole = this.panes.linkOf(side).duration || range.end || 1;
          const { left, width } = this.#stretch(side);
          mark.style.left = `${left + (range.start / whole) * width}px`;
          mark.style.width = `${((range.end - range.start) / whole) * width}px`;
          return mark;
        }),
        ...points.map((point) => this.#spot(side, point)).filter(Boolean),
      );
      if (!layer.childElementCount) layer.remove();
      else if (!layer.isConnected) this.panes.bodies[side].append(layer);
    }
  }

  /** From where to where time runs in a pane: along its waveform or spectrogram, else from edge to edge. */
  #stretch(side) {
    const body = this.panes.bodies[side];
    const [drawn, pane] = [(body.querySelector(".view.sound canvas") ?? body).getBoundingClientRect(), body.getBoundingClientRect()];
    return { left: drawn.left - pane.left, width: drawn.width };
  }

  #spot(side, point) {
    const seen = this.#paneOf(side)?.spot(point);
    if (!seen) return null;
    const [view, body] = [this.#viewOf(side).getBoundingClientRect(), this.panes.bodies[side].getBoundingClientRect()];
    const mark = h("div", { class: `anchor-point ${side}` });
    mark.style.left = `${view.left - body.left + seen.x * view.width}px`;
    mark.style.top = `${view.top - body.top + seen.y * view.height}px`;
    return mark;
  }

  /** Brings a place into sight. @param {Anchor} anchor */
  reveal(anchor) {
    this.panes.turn(anchor.side);
    if (anchor.kind === "point") this.#paneOf(anchor.side)?.look(anchor.camera);
    if (anchor.kind === "time") this.panes.linkOf(anchor.side).seek(anchor.start);
    if (anchor.kind === "text") this.#rangeOf(anchor)?.startContainer.parentElement?.scrollIntoView({ block: "center" });
  }

  #rangeOf({ side, start, end }) {
    const { text } = this.#claim[side];
    return this.#align(side).rangeOf({ start: indexOfPoint(text, start), end: indexOfPoint(text, end) });
  }

  #align(side) {
    if (!this.#alignments.has(side)) this.#alignments.set(side, new Alignment(this.#claim[side].text, this.panes.bodies[side]));
    return this.#alignments.get(side);
  }
}

/** The box between two corners. Both are rounded, not its size: it must not reach beyond the image. */
function between(one, other) {
  const [left, right] = [one.x, other.x].map(rounded).sort((a, b) => a - b);
  const [top, bottom] = [one.y, other.y].map(rounded).sort((a, b) => a - b);
  return { x: left, y: top, width: rounded(right - left), height: rounded(bottom - top) };
}
