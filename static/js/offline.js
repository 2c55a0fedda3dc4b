// Taking pairs offline: a dialog, and the fetching, which goes on while one judges.

import { ApiError, call, Unreachable } from "./api.js";
import { canKeep, NoRoom } from "./kept.js";
import { number, plural, t, time } from "./tongue.js";
import { uuid } from "./uuid.js";

const AT_ONCE = 5; // claims asked for by one request, so that little is reserved in vain by who stops
const WHY = { empty: t("There are no more pairs for you now."), full: t("You hold as many as this project lets you reserve."), not_open: t("This project is paused."), paused: t("You are paused here."), enough: t("That is enough for now."), consent_needed: t("This project asks for your consent first."), not_qualified: t("Training and quiz come first. They need the network.") };

const megabytes = (bytes) => number(bytes / 1e6, { maximumFractionDigits: 1 });

/** Events: "change"; "login" (401). */
export class Offline extends EventTarget {
  #running = /** @type {AbortController|null} */ (null);
  #wanted = 0;
  #bytes = 0;
  #said = "";

  /**
   * @param {{kept: import("./kept.js").Kept, hand: import("./hand.js").Hand, outbox: Outbox, project: any, slug: string,
   *   begun: (claim: any) => Promise<boolean>, announce: (text: string) => void}} page `begun`: has it a draft?
   */
  constructor(page) {
    super();
    this.page = page;
    this.button = /** @type {HTMLButtonElement} */ (document.getElementById("offline-open"));
    this.dialog = /** @type {HTMLDialogElement} */ (document.getElementById("offline"));
    const part = (name) => this.dialog.querySelector(name);
    this.number = part("input");
    this.bar = part("progress");
    this.told = part(".told");
    this.stopping = part(".stop");
    this.giving = part(".back");
    this.taking = part(".go");
    this.button.hidden = !page.project.offline_most || !canKeep();
    this.number.max = this.number.value = String(page.project.offline_most);
    this.stopping.addEventListener("click", () => this.#running?.abort());
    this.giving.addEventListener("click", () => this.giveBack());
    part("form").addEventListener("submit", (event) => {
      event.preventDefault();
      this.take(Math.min(Math.trunc(this.number.valueAsNumber), page.project.offline_most));
    });
    for (const source of [page.hand, page.outbox]) source.addEventListener("change", () => this.show());
    this.show();
  }

  /** Claims that are kept here and not answered yet. */
  get ready() {
    return this.page.kept.claims.filter(({ id }) => !this.page.outbox.holds(id));
  }

  ask() {
    if (this.button.hidden || this.dialog.open) return;
    this.#said = this.#running ? this.#said : "";
    this.show();
    this.dialog.showModal();
    (this.#running ? this.stopping : this.number).focus();
    this.number.select();
  }

  show() {
    const { hand } = this.page;
    const ready = this.ready.length;
    const running = Boolean(this.#running);
    this.button.querySelector("span").textContent = running ? t("Taking {n} of {all}", { n: ready, all: this.#wanted }) : ready ? t("{n} offline", { n: ready }) : t("Take offline");
    this.bar.hidden = this.stopping.hidden = !running;
    this.bar.max = Math.max(this.#wanted, 1);
    this.bar.value = ready;
    this.taking.disabled = this.number.disabled = running;
    this.giving.hidden = running || !(ready || hand.held.length > hand.size);
    this.told.textContent = running ? plural("{ready} of {n} pair, {megabytes} MB", "{ready} of {n} pairs, {megabytes} MB", this.#wanted, { ready, megabytes: megabytes(this.#bytes) }) : [this.#state, this.#said].filter(Boolean).join(" ");
  }

  get #state() {
    const { ready } = this;
    const { hand } = this.page;
    if (!ready.length) return "";
    const first = Math.min(...ready.map((claim) => hand.left(claim)));
    const until = time(Date.now() + first, { weekday: "short", hour: "2-digit", minute: "2-digit" });
    return plural("Ready to work offline: {n} pair, until {until}.", "Ready to work offline: {n} pairs, until {until}.", ready.length, { until });
  }

  #say(text) {
    this.#said = text;
    this.show();
    this.page.announce([this.#state, text].filter(Boolean).join(" "));
  }

  /** Reserves and fetches until so many pairs are ready. Whatever ends it, what is whole stays. @param {number} count */
  async take(count) {
    if (this.#running || !(count > 0)) return;
    const running = (this.#running = new AbortController());
    this.#wanted = count;
    this.#bytes = 0;
    this.show();
    let said;
    try {
      navigator.storage?.persist?.().catch(() => {}); // or the browser may make room by deleting what is kept
      await this.page.kept.open(this.page.project);
      said = await this.#takeAll(count, running.signal);
    } catch (error) {
      said = this.#why(error);
    }
    this.#running = null;
    this.#say(said);
    this.page.hand.fill();
  }

  #why(error) {
    if (error instanceof NoRoom) return t("This browser has no room for more.");
    if (error instanceof Unreachable) return t("The server does not answer.");
    if (!(error instanceof ApiError)) throw error;
    if (error.status === 401) this.dispatchEvent(new Event("login"));
    return error.message;
  }

  /** What is in hand is taken along first. @returns {Promise<string>} why it is not all, "" if it is */
  async #takeAll(count, signal) {
    const { hand, slug } = this.page;
    const ids = hand.held.slice(0, count).map(({ id }) => id);
    while (ids.length < count) ids.push(uuid());
    const failed = [];
    let said = "";
    for (let at = 0; at < count && !said && !signal.aborted; at += AT_ONCE) {
      const { claims, why } = await call("POST", `projects/${slug}/offline/`, { ids: ids.slice(at, at + AT_ONCE) });
      for (const claim of claims.filter(({ outcome }) => !outcome)) {
        try {
          if (!signal.aborted && !said) await this.#keep(claim, signal);
          else failed.push(claim);
        } catch (error) {
          failed.push(claim);
          // A medium that the server has not got is this pair's own trouble.
          if (!signal.aborted && !(error instanceof ApiError && error.status === 404)) said = this.#why(error);
        }
      }
      said ||= WHY[why] ?? "";
    }
    await this.#release(failed.filter(({ id }) => !hand.held.some((one) => one.id === id))).catch(() => {});
    return said || (failed.length && !signal.aborted ? plural("Of {n} pair not all could be fetched.", "Of {n} pairs not all could be fetched.", failed.length) : "");
  }

  async #keep(claim, signal) {
    claim.received = Date.now();
    await this.page.kept.keep(claim, {
      signal,
      told: (bytes) => {
        this.#bytes += bytes;
        this.show();
      },
    });
    this.page.hand.add(claim);
    this.show();
  }

  /** Gives back what is reserved, but for the pair on screen and those that are begun. */
  async giveBack() {
    const { hand, begun } = this.page;
    const given = [];
    for (const claim of hand.held) if (claim !== hand.current && !claim.draft && !(await begun(claim))) given.push(claim);
    try {
      await this.#release(given);
      this.#say(plural("{n} pair was given back.", "{n} pairs given back.", given.length));
    } catch (error) {
      this.#say([this.#why(error), t("What you do not judge goes back by itself when its time is over.")].join(" "));
    }
    hand.fill();
  }

  async #release(claims) {
    if (!claims.length) return;
    const { hand, kept, slug } = this.page;
    await call("POST", `projects/${slug}/give-back/`, { ids: claims.map(({ id }) => id) });
    for (const { id } of claims) {
      hand.remove(id);
      await kept.drop(id);
    }
  }
}
