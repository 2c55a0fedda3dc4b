// What is safe where, in three words; and what is said to those who do not see the page.

import { plural, t } from "./tongue.js";

/** @param {HTMLElement} element */
export class Status {
  #announcer = document.getElementById("announce");

  constructor(element) {
    this.element = element;
  }

  /**
   * @param {{outbox: Outbox, dirty: boolean, writing: boolean}} now `dirty`: the pair on screen has a
   *   draft; `writing`: it is not yet on the disk
   */
  show({ outbox, dirty, writing }) {
    const [kind, text] = this.#told(outbox, dirty, writing);
    if (this.element.textContent === text) return;
    this.element.dataset.kind = kind;
    this.element.textContent = text;
  }

  #told(outbox, dirty, writing) {
    const waiting = outbox.waiting.length;
    if (outbox.refused.length) return ["refused", plural("{n} answer refused", "{n} answers refused", outbox.refused.length)];
    if (!navigator.onLine || outbox.trouble === "offline") return ["offline", waiting ? t("Offline, {n} waiting", { n: waiting }) : t("Offline")];
    if (outbox.trouble === "busy" && waiting) return ["offline", t("Server busy, {n} waiting", { n: waiting })];
    if (writing) return ["local", t("Saving")];
    if (dirty || waiting) return ["local", t("Saved on this computer")];
    return ["saved", t("Saved")];
  }

  /** Says it to screen readers. @param {string} text */
  announce(text) {
    this.#announcer.textContent = "";
    requestAnimationFrame(() => {
      this.#announcer.textContent = text;
    });
  }
}
