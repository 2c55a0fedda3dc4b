// A picture in a view: its image and, where that has fewer pixels than are shown and the picture has tiles, those.

import { h } from "../dom.js";

const CRISP = 3; // screen pixels an image pixel: from here on pixels are shown as they are
const MORE = 1.005; // times the pixels of the image: from here on it is enlarged

/**
 * @typedef {{image: HTMLImageElement, size: {width: number, height: number}, tiled?: ((image: HTMLImageElement, redraw: () => void) => import("./tiles.js").TiledView)|null}} Picture
 * `size` in true pixels, of which the image may have fewer; `tiled` makes a view of its tiles
 */

export class Layer {
  /** Of what is shown: "" its own pixels or fewer, "copy" an enlarged image, "coming" tiles that are on their way. @type {""|"copy"|"coming"} */
  lacks = "";

  /** @param {Picture} picture @param {() => void} redraw asks for draw() */
  constructor({ image, size, tiled = null }, redraw) {
    this.image = image;
    this.size = size;
    this.tiles = tiled?.(image, redraw) ?? null;
    this.element = h("div", { class: "layer" }, image, this.tiles?.canvas);
  }

  /** Draws it around a point at a size, whole: of another shape than the frame, it is as large as fits. */
  draw({ x, y, width, height }) {
    const { image, size, tiles } = this;
    const { naturalWidth, naturalHeight } = image;
    if (!naturalWidth) return;
    const scale = Math.min(width / size.width, height / size.height);
    const [wide, high] = [size.width * scale, size.height * scale];
    // On whole pixels of the screen: at 1:1 each shows one of the image.
    const [left, top] = [x - wide / 2, y - high / 2].map((place) => Math.round(place * devicePixelRatio) / devicePixelRatio);
    image.style.transform = `translate(${left}px, ${top}px) scale(${wide / naturalWidth}, ${high / naturalHeight})`;
    const drawn = (wide / naturalWidth) * devicePixelRatio; // screen pixels an image pixel
    image.classList.toggle("crisp", drawn >= CRISP);
    const enlarged = drawn > MORE && size.width > naturalWidth;
    if (!tiles || !enlarged) {
      tiles?.rest();
      this.lacks = enlarged ? "copy" : "";
    } else {
      this.lacks = tiles.draw({ left, top, width: wide, height: high }) ? "" : "coming";
    }
  }

  /** Shows another image of the same picture: moving, or not. @param {HTMLImageElement} image */
  replace(image) {
    this.image.replaceWith(image);
    this.image = image;
  }

  /** Nothing of it is seen. */
  rest() {
    this.tiles?.rest();
  }

  destroy() {
    this.tiles?.destroy();
  }
}
