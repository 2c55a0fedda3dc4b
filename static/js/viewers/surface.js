// An area that shows images through a Zoom: one of a side, or two laid over each other. Moved by mouse, touch and wheel.

import { h } from "../dom.js";
import { percent, t } from "../tongue.js";
import { Layer } from "./layer.js";

const LOUPE = 4; // times what is seen without it
const PLAIN = 2; // screen pixels an image pixel: the least that the loupe shows

export class Surface {
  width = 0;
  height = 0;

  /**
   * @param {HTMLElement} element filled with the view
   * @param {{pictures: import("./layer.js").Picture[], label: string, link: import("./zoom.js").Zoom, side?: string, animation?: any}} of
   *   what is shown; those after the first are drawn as large as it
   */
  constructor(element, { pictures, label, link, side = "", animation = null }) {
    Object.assign(this, { pictures, label, link, side, animation, size: pictures[0].size });
    this.layers = pictures.map((picture) => new Layer(picture, () => this.draw()));
    this.magnified = []; // the same, in the loupe
    this.pointers = new Map();
    this.note = h("p", { class: "note" });
    this.loupe = h("div", { class: "loupe", "aria-hidden": "true", hidden: true });
    this.view = h(
      "div",
      {
        class: "view image",
        tabindex: "0",
        role: "group",
        "aria-label": t("{label}. Arrows move it, plus and minus zoom, both sides together.", { label }),
        on: {
          wheel: (event) => this.#wheel(event),
          pointerdown: (event) => this.#down(event),
          pointermove: (event) => this.#move(event),
          pointerup: (event) => this.#up(event),
          pointercancel: (event) => this.#up(event),
          dblclick: () => (link.isFitted ? link.actual() : link.fit()),
        },
      },
      ...this.layers.map(({ element }) => element),
      this.loupe,
      this.note,
    );
    element.replaceChildren(this.view);
    this.sizes = new ResizeObserver(() => {
      this.#measure();
      link.set({}); // a percentage, a wipe's line: told anew
    });
    this.sizes.observe(this.view);
    this.#measure();
  }

  /** Shows another image in the place of the first: the same picture, moving or not. @param {HTMLImageElement} image */
  replace(image) {
    this.pictures[0] = { ...this.pictures[0], image };
    this.layers[0].replace(image);
    for (const layer of this.magnified) layer.destroy();
    this.magnified = []; // made anew
    this.loupe.replaceChildren();
    this.draw();
  }

  #measure() {
    this.width = this.view.clientWidth;
    this.height = this.view.clientHeight;
    this.draw();
  }

  /** The scale that fills the pane. */
  get fitted() {
    return Math.min(this.width / this.size.width, this.height / this.size.height);
  }

  /** The scale that shows the finest image of all in its true pixels, and this one as large as that. */
  get pixel() {
    const finest = Math.max(...[...this.link.panes].map(({ size }) => Math.max(size.width, size.height)), 1);
    return finest / Math.max(this.size.width, this.size.height) / devicePixelRatio;
  }

  get scale() {
    return this.link.scaleOver(this.fitted, this.pixel);
  }

  /** Where the middle of the frame stands on screen and how large it is drawn. */
  get #frame() {
    const { link, scale, size } = this;
    const place = (part, length, room) => {
      const drawn = length * scale;
      return drawn <= room ? room / 2 : Math.min(drawn / 2, Math.max(room - drawn / 2, room / 2 - (part - 0.5) * drawn));
    };
    return { x: place(link.x, size.width, this.width), y: place(link.y, size.height, this.height), width: size.width * scale, height: size.height * scale };
  }

  draw() {
    if (!this.width) return [...this.layers, ...this.magnified].forEach((layer) => layer.rest());
    const frame = this.#frame;
    for (const layer of this.layers) layer.draw(frame);
    this.note.textContent = this.link.sizes && this.side ? this.#told() : "";
    this.#drawLoupe(frame);
  }

  /** How large the first picture is, and what is seen of it. */
  #told() {
    const { width, height } = this.size;
    const [{ image, lacks }] = this.layers;
    const size = `${width} \u00d7 ${height}`;
    const share = percent(this.scale * devicePixelRatio);
    if (lacks === "copy") return t("{size} pixels, shown at {percent}, from a copy of {copy}", { size, percent: share, copy: `${image.naturalWidth} \u00d7 ${image.naturalHeight}` });
    if (lacks === "coming") return t("{size} pixels, shown at {percent}, still sharpening", { size, percent: share });
    return t("{size} pixels, shown at {percent}", { size, percent: share });
  }

  #drawLoupe(frame) {
    const { loupe, link } = this;
    loupe.hidden = !link.loupe || !this.side;
    if (loupe.hidden) return this.magnified.forEach((layer) => layer.rest());
    if (!this.magnified.length) {
      this.magnified = this.pictures.map((picture) => new Layer({ ...picture, image: picture.image.cloneNode() }, () => this.draw()));
      loupe.append(...this.magnified.map(({ element }) => element));
    }
    const x = frame.x + (link.spot.x - 0.5) * frame.width;
    const y = frame.y + (link.spot.y - 0.5) * frame.height;
    const [room, border] = [loupe.clientWidth, loupe.clientLeft];
    loupe.style.transform = `translate(${Math.round(x - room / 2 - border)}px, ${Math.round(y - room / 2 - border)}px)`;
    const times = Math.max(LOUPE, (PLAIN * this.pixel) / this.scale);
    const [wide, high] = [frame.width * times, frame.height * times];
    const seen = { x: room / 2 - (link.spot.x - 0.5) * wide, y: room / 2 - (link.spot.y - 0.5) * high, width: wide, height: high };
    for (const layer of this.magnified) layer.draw(seen);
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
    if (event.button !== 0 || event.target.closest("input")) return;
    this.view.setPointerCapture(event.pointerId);
    this.pointers.set(event.pointerId, [event.clientX, event.clientY]);
    this.view.classList.add("moving");
  }

  #move(event) {
    if (this.link.loupe) this.#look(event);
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

  /** The loupe follows the pointer. */
  #look(event) {
    const box = this.view.getBoundingClientRect();
    const frame = this.#frame;
    this.link.point({ x: (event.clientX - box.left - frame.x) / frame.width + 0.5, y: (event.clientY - box.top - frame.y) / frame.height + 0.5 });
  }

  #up(event) {
    this.pointers.delete(event.pointerId);
    if (!this.pointers.size) this.view.classList.remove("moving");
  }

  destroy() {
    this.sizes.disconnect();
    for (const layer of [...this.layers, ...this.magnified]) layer.destroy();
  }
}
