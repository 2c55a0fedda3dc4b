// The claims in hand: the one on screen and those fetched ahead.

import { ApiError, call, Unreachable } from "./api.js";
import { forget, prefetch } from "./viewers.js";
import { uuid } from "./uuid.js";

const LOOK_AGAIN = 30_000; // ms until an empty queue is asked again
const RETRY = 4000;

/** Events: "change", "login" (401), "ended" (ids of claims that the server holds for us no more). */
export class Hand extends EventTarget {
  /** @type {any[]} the first one is on screen */
  claims = [];
  /** Why there is no more: "" | "empty" | "not_open" | "paused" | "enough" | "not_for_you" | "consent" | "quiz" | "full" | "unreachable" | an error's own words. */
  state = "";
  /** The server's words for that. */
  told = "";
  #filling = null;
  #again = false; // somebody asked while the server was being asked: its answer may be older than their reason
  #timer = 0;
  #stopped = false;
  #begun = false;
  #told = false; // whether the server has said what we hold: before that, asking would find the hand full of it
  #done = new Set(); // ids of claims that left the hand or were sent: what was known before does not bring them back
  #lasts = new Set(); // ids of claims that are the last of training or quiz: before they are answered nothing follows
  #fetched = new Set(); // ids of claims whose media are fetched ahead
  /** Server time less ours, in ms: the server's clock decides leases. */
  #ahead = 0;

  /**
   * @param {{store: Store, outbox: Outbox, kept: import("./kept.js").Kept, owner: string, slug: string, size: number}} of
   *   `size`: claims held where nothing is taken offline
   */
  constructor({ store, outbox, kept, owner, slug, size }) {
    super();
    Object.assign(this, { store, outbox, kept, owner, slug, size });
    outbox.addEventListener("sent", ({ detail: { entry } }) => this.#done.add(entry.claim));
  }

  get current() {
    return this.claims[0] ?? null;
  }

  get now() {
    return Date.now() + this.#ahead;
  }

  /** What the server counts as in hand: not what is looked at again, nor training that was answered and stays for its feedback. */
  get held() {
    return this.claims.filter((claim) => !claim.revising && !claim.answered);
  }

  /** ms until the claim's lease ends; negative once it has. */
  left(claim) {
    return Date.parse(claim.expires_at) - this.now;
  }

  /** Takes up what is held: what is kept here, then what the server says, where it can be reached or nothing is kept. */
  async resume() {
    // What was sent this instant is still being cleared away.
    for (const claim of this.kept.claims) if (!this.#done.has(claim.id)) this.add(claim);
    try {
      await this.#ask();
    } catch (error) {
      if (!(error instanceof Unreachable || (error instanceof ApiError && error.passing)) || !this.kept.claims.length) throw error;
    }
    this.#begun = true;
  }

  /** Takes up what the server says we hold, the oldest first, and tells what it holds for us no more. */
  async #ask() {
    const before = this.held.map(({ id }) => id);
    const { held } = await call("GET", `projects/${this.slug}/claims/`);
    this.#told = true;
    for (const claim of held) if (!this.#done.has(claim.id)) this.add(claim);
    const ids = new Set(held.map(({ id }) => id));
    this.#end(before.filter((id) => !ids.has(id) && !this.#done.has(id)));
  }

  #end(ids) {
    if (ids.length) this.dispatchEvent(new CustomEvent("ended", { detail: ids }));
  }

  /** Asks for claims until the hand is full or there are none. One at a time, however often it is called. */
  fill() {
    clearTimeout(this.#timer);
    if (this.#stopped || !this.#begun) return Promise.resolve();
    this.#again = Boolean(this.#filling);
    this.#filling ??= this.#fill().finally(() => {
      this.#filling = null;
      if (this.#again) return this.fill();
    });
    return this.#filling;
  }

  async #fill() {
    let state = "";
    let resumed = false;
    // What the server has not heard of yet it would give us back: it is asked once it knows all.
    if (!this.#told && !this.outbox.waiting.length) {
      await this.#ask().catch((error) => {
        state = this.#why(error);
      });
    }
    // What waits to be sent is still in hand for the server.
    while (!state && !this.#atLast && this.held.length + this.outbox.waiting.length < this.size) {
      try {
        const id = await this.store.ask(this.owner, uuid());
        const claim = await call("POST", `projects/${this.slug}/claims/`, { id });
        await this.store.asked(this.owner);
        if (claim) this.add(claim);
        else state = "empty";
      } catch (error) {
        state = this.#why(error);
        if (error.code === "claim_taken") {
          await this.store.asked(this.owner);
        } else if (state === "full" && !resumed && !this.outbox.waiting.length) {
          // The server counts claims that this page has not: another tab's, or of an answer that never came back.
          resumed = true;
          const before = this.claims.length;
          await this.#ask().catch(() => {});
          if (this.claims.length > before) state = "";
        }
      }
    }
    this.state = state;
    // Who is paused holds nothing any more: what is not begun leaves the page.
    if (state === "paused" && this.held.length && !this.outbox.waiting.length) await this.#ask().catch(() => {});
    if (state && !this.#stopped) this.#timer = setTimeout(() => this.fill(), state === "unreachable" ? RETRY : LOOK_AGAIN);
    this.dispatchEvent(new Event("change"));
  }

  get #atLast() {
    return this.held.some(({ id }) => this.#lasts.has(id)) || this.outbox.waiting.some(({ claim }) => this.#lasts.has(claim));
  }

  #why(error) {
    if (error instanceof Unreachable) return "unreachable";
    if (!(error instanceof ApiError)) throw error;
    if (error.status === 401) this.dispatchEvent(new Event("login"));
    if (error.passing || error.status === 401) return "unreachable";
    this.told = error.message;
    const known = { hand_full: "full", not_open: "not_open", paused: "paused", enough: "enough", not_for_you: "not_for_you", consent_needed: "consent", not_qualified: "quiz", claim_taken: "" };
    return known[error.code] ?? error.message;
  }

  /** Takes a claim in, at the end or as the one on screen. What is answered here already is not taken. */
  add(claim, { first = false } = {}) {
    if (this.#stopped || !claim || (claim.outcome && !claim.feedback) || this.outbox.holds(claim.id)) return;
    claim.answered = Boolean(claim.feedback);
    if (claim.stage && claim.stage.n === claim.stage.of) this.#lasts.add(claim.id);
    claim.received ??= Date.now();
    this.#ahead = Date.parse(claim.server_time) - claim.received; // right for one from the disk as well
    this.#done.delete(claim.id);
    this.claims = this.claims.filter((one) => one.id !== claim.id || (Object.assign(one, claim), !first));
    if (this.claims.some((one) => one.id === claim.id)) return;
    if (first) this.claims.unshift(claim);
    else this.claims.push(claim);
    this.#fetchAhead();
    this.dispatchEvent(new Event("change"));
  }

  /** The media of the first few: of claims that were taken offline there may be many more. */
  #fetchAhead() {
    for (const claim of this.claims.slice(0, this.size)) {
      if (this.#fetched.has(claim.id)) continue;
      this.#fetched.add(claim.id);
      prefetch(claim);
    }
  }

  /** Another tab has the hand now. */
  stop() {
    this.#stopped = true;
    this.claims = [];
    clearTimeout(this.#timer);
  }

  remove(id) {
    this.#done.add(id);
    const gone = this.claims.find((claim) => claim.id === id);
    if (!gone) return;
    this.claims = this.claims.filter((claim) => claim !== gone);
    this.#fetched.delete(id);
    forget(gone);
    this.#fetchAhead();
  }

  /** Extends the leases that need it; tells of claims that have ended. */
  async beat(lease) {
    this.#end(await this.extend(this.held.filter((one) => this.left(one) < lease * 0.75)));
  }

  /** Extends the leases of these claims. Returns the ids of those that have ended. */
  async extend(claims) {
    const ended = [];
    for (const claim of claims) {
      try {
        claim.expires_at = (await call("POST", `claims/${claim.id}/heartbeat/`, {})).expires_at;
      } catch (error) {
        if (error instanceof ApiError && [404, 409].includes(error.status)) ended.push(claim.id);
        else if (error instanceof ApiError && error.status === 401) this.dispatchEvent(new Event("login"));
      }
    }
    return ended;
  }
}
