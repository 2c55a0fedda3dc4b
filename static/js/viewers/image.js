// An image that zooms and pans together with the one on the other side.
//
// The link holds what both show: a factor (of the fitted size, or of one image pixel a screen pixel) and the point of
// the image that stands in the middle, in parts of its width and height. So sides of unequal size stay on one place.

import { h, key } from "../dom.js";
import { picture } from "../pictures.js";

const MOST = 32; // screen pixels an image pixel
const STEP = 1.25;
const CRISP = 3; // from here on pixels are shown as they are

class Link extends EventTarget {
  unit = "fit"; // "fit": factor 1 fills the pane; "pixel": factor 1 shows one image pixel as one screen pixel
  factor = 1;
  x = 0.5;
  y = 0.5;
  /** @type {Set<Pane>} */
  panes = new Set();

  set(changes) {
    Object.assign(this, changes);
    this.x = Math.min(1, Math.max(0, this.x));
    this.y = Math.min(1, Math.max(0, this.y));
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

  /** The pane that speaks for both: one that is on screen. */
  get #shown() {
    return [...this.panes].find((pane) => pane.width) ?? null;
  }

  zoom(by, pane = this.#shown, at = null) {
    if (!pane?.width) return;
    const from = pane.scale;
    const lowest = Math.min(pane.fitted, 1 / devicePixelRatio);
    const to = Math.min(MOST / devicePixelRatio, Math.max(lowest, from * by));
    const change = to / from;
    if (this.unit === "fit" && this.factor * change <= 1.0001 && by < 1 && to <= pane.fitted * 1.0001) return this.fit();
    // The point under the pointer stays where it is.
    const [dx, dy] = at ?? [0, 0];
    const shift = 1 / from - 1 / to;
    this.set({
      factor: this.factor * change,
      x: this.x + (dx * shift) / pane.image.naturalWidth,
      y: this.y + (dy * shift) / pane.image.naturalHeight,
    });
  }

  /** Moves what is seen by screen pixels. */
  pan(dx, dy, pane = this.#shown) {
    if (!pane?.width) return;
    this.set({
      x: this.x - dx / (pane.scale * pane.image.naturalWidth),
      y: this.y - dy / (pane.scale * pane.image.naturalHeight),
    });
  }

  /** Percent of one image pixel a screen pixel. */
  get percent() {
    const pane = this.#shown;
    return pane ? Math.round(pane.scale * devicePixelRatio * 100) : 100;
  }
}

class Pane {
  width = 0;
  height = 0;

  constructor(element, image, label, link) {
    this.image = image;
    this.link = link;
    this.pointers = new Map();
    image.alt = label;
    this.view = h("div", {
      class: "view image",
      tabindex: "0",
      role: "group",
      "aria-label": `${label}. Arrows move it, plus and minus zoom, both sides together.`,
      on: {
        wheel: (event) => this.#wheel(event),
        pointerdown: (event) => this.#down(event),
        pointermove: (event) => this.#move(event),
        pointerup: (event) => this.#up(event),
        pointercancel: (event) => this.#up(event),
        dblclick: () => (link.isFitted ? link.actual() : link.fit()),
      },
    });
    this.view.append(image);
    element.replaceChildren(this.view);
    link.panes.add(this);
    this.sizes = new ResizeObserver(() => this.measure());
    this.sizes.observe(this.view);
    this.measure();
  }

  measure() {
    this.width = this.view.clientWidth;
    this.height = this.view.clientHeight;
    this.draw();
    this.link.dispatchEvent(new Event("change"));
  }

  get fitted() {
    const { naturalWidth, naturalHeight } = this.image;
    return Math.min(this.width / naturalWidth, this.height / naturalHeight);
  }

  get scale() {
    return this.link.factor * (this.link.unit === "fit" ? this.fitted : 1 / devicePixelRatio);
  }

  draw() {
    const { image, link, scale } = this;
    if (!this.width || !image.naturalWidth) return;
    const place = (part, size, room) => {
      const drawn = size * scale;
      if (drawn <= room) return (room - drawn) / 2;
      return Math.min(0, Math.max(room - drawn, room / 2 - part * drawn));
    };
    const x = place(link.x, image.naturalWidth, this.width);
    const y = place(link.y, image.naturalHeight, this.height);
    image.style.transform = `translate(${x}px, ${y}px) scale(${scale})`;
    image.classList.toggle("crisp", scale * devicePixelRatio >= CRISP);
  }

  #fromMiddle(event) {
    const box = this.view.getBoundingClientRect();
    return [event.clientX - box.left - box.width / 2, event.clientY - box.top - box.height / 2];
  }

  #wheel(event) {
    event.preventDefault();
    const lines = event.deltaMode === WheelEvent.DOM_DELTA_LINE ? 16 : 1;
    this.link.zoom(Math.exp((-event.deltaY * lines) / 400), this, this.#fromMiddle(event));
  }

  #down(event) {
    if (event.button !== 0) return;
    this.view.setPointerCapture(event.pointerId);
    this.pointers.set(event.pointerId, [event.clientX, event.clientY]);
    this.view.classList.add("moving");
  }

  #move(event) {
    const before = this.pointers.get(event.pointerId);
    if (!before) return;
    const now = [event.clientX, event.clientY];
    if (this.pointers.size === 2) {
      const other = [...this.pointers].find(([id]) => id !== event.pointerId)[1];
      const far = (point) => Math.hypot(point[0] - other[0], point[1] - other[1]) || 1;
      const box = this.view.getBoundingClientRect();
      const middle = [(now[0] + other[0]) / 2 - box.left - box.width / 2, (now[1] + other[1]) / 2 - box.top - box.height / 2];
      this.link.zoom(far(now) / far(before), this, middle);
    }
    this.link.pan((now[0] - before[0]) / this.pointers.size, (now[1] - before[1]) / this.pointers.size, this);
    this.pointers.set(event.pointerId, now);
  }

  #up(event) {
    this.pointers.delete(event.pointerId);
    if (!this.pointers.size) this.view.classList.remove("moving");
  }

  destroy() {
    this.sizes.disconnect();
    this.link.panes.delete(this);
  }
}

export const createLink = () => new Link();

/** @param {HTMLElement} element @param {{medium: {url: string}, label: string, link: Link}} data */
export function mount(element, { medium, label, link }) {
  let pane = null;
  let gone = false;
  const view = h("div", { class: "view" });
  element.replaceChildren(view);
  const load = async () => {
    const { image, ready } = picture(medium.url);
    try {
      await ready;
    } catch {
      if (gone) return;
      const again = h("button", { type: "button", on: { click: load } }, "Try again");
      view.replaceChildren(
        h("div", { class: "failed" }, h("p", {}, "This image did not load."), again, h("p", {}, "If it stays broken: Media broken", key("M"))),
      );
      return;
    }
    if (!gone) pane = new Pane(element, image, label, link);
  };
  return {
    ready: load(),
    destroy() {
      gone = true;
      pane?.destroy();
    },
  };
}

/** The tools of what is linked: one bar for both sides. @param {Link} link */
export function tools(link) {
  const step = 60;
  return {
    items: [
      { key: "F", label: "Fit", run: () => link.fit() },
      { key: "Z", label: "1:1", run: () => link.actual() },
      { key: "-", label: "Out", run: () => link.zoom(1 / STEP) },
      { key: "+", label: "In", run: () => link.zoom(STEP) },
    ],
    keys: {
      "=": () => link.zoom(STEP),
      ArrowLeft: () => link.pan(step, 0),
      ArrowRight: () => link.pan(-step, 0),
      ArrowUp: () => link.pan(0, step),
      ArrowDown: () => link.pan(0, -step),
    },
    text: () => `${link.percent}%, linked`,
    changes: link,
    moves: () => !link.isFitted, // a swipe moves the image then, and does not flip the sides
  };
}
