// An image that moves: its first frame until one plays it, and it from its beginning whenever one does.

import { read } from "../media.js";

export class Animation {
  #blob;
  #playing = ""; // address of what plays: a new one begins anew
  /** @type {HTMLImageElement} */ still;

  /** @param {string} url @param {string} label */
  static async of(url, label) {
    const made = new Animation();
    made.label = label;
    made.#blob = await (await read(url)).blob();
    const frame = await createImageBitmap(made.#blob);
    const canvas = new OffscreenCanvas(frame.width, frame.height);
    canvas.getContext("2d").drawImage(frame, 0, 0);
    made.still = await made.#image(URL.createObjectURL(await canvas.convertToBlob()));
    return made;
  }

  /** It from its beginning: it moves from the moment that it is put into the page. */
  async moving() {
    URL.revokeObjectURL(this.#playing);
    this.#playing = URL.createObjectURL(this.#blob);
    return this.#image(this.#playing);
  }

  async #image(url) {
    const image = Object.assign(new Image(), { src: url, alt: this.label });
    await image.decode();
    return image;
  }

  destroy() {
    URL.revokeObjectURL(this.#playing);
    URL.revokeObjectURL(this.still.src);
  }
}
