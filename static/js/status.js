// What is safe where, in three words; and what is said to those who do not see the page.

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
    if (outbox.refused.length) return ["refused", outbox.refused.length === 1 ? "1 answer refused" : `${outbox.refused.length} answers refused`];
    if (!navigator.onLine || outbox.trouble === "offline") return ["offline", waiting ? `Offline, ${waiting} waiting` : "Offline"];
    if (outbox.trouble === "busy" && waiting) return ["offline", `Server busy, ${waiting} waiting`];
    if (writing) return ["local", "Saving"];
    if (dirty || waiting) return ["local", "Saved on this computer"];
    return ["saved", "Saved"];
  }

  /** Says it to screen readers. @param {string} text */
  announce(text) {
    this.#announcer.textContent = "";
    requestAnimationFrame(() => {
      this.#announcer.textContent = text;
    });
  }
}
