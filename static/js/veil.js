// A sensitive pair is covered until its annotator asks to see it. It is a state of the whole page: till then there is
// nothing to play, to turn or to judge, by mouse or by key, and skipping is one key away as ever.

import { t } from "./tongue.js";

const LEFT = ["page", "veil"]; // the layers of keys that act on a covered page

export class Veil {
  /**
   * @param {HTMLElement} work all that is covered, as its class "veiled" tells @param {Keys} keys
   * @param {() => void} lifted
   */
  constructor(work, keys, lifted) {
    this.work = work;
    this.keys = keys;
    this.lifted = lifted;
    this.element = work.querySelector("#veil");
    this.element.querySelector("button").addEventListener("click", () => this.lift());
  }

  get down() {
    return !this.element.hidden;
  }

  /** @param {boolean} down */
  set(down) {
    this.element.hidden = !down;
    this.work.classList.toggle("veiled", down);
    for (const body of this.work.querySelectorAll(".side > .body")) body.inert = down;
    this.keys.only(down ? LEFT : null);
    this.keys.bind("veil", down ? { V: { label: t("Show a sensitive pair"), run: () => this.lift() } } : null);
  }

  lift() {
    this.set(false);
    this.lifted();
  }
}
