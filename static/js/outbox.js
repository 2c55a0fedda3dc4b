// Sends what waits, oldest first, one tab at a time, until the server has taken each entry or refused it.

import { ApiError, call, Unreachable } from "./api.js";
import { exclusively } from "./locks.js";

const FIRST_WAIT = 1000; // ms
const LONGEST_WAIT = 60_000;

/**
 * Events: "change" (what waits has changed), "sent" {entry, answer}, "refused" {entry}, "login" (401, or it is
 * somebody else who is logged in).
 */
export class Outbox extends EventTarget {
  /** @type {Entry[]} */
  entries = [];
  /** Whether the last attempt found no server: "" | "offline" | "busy". */
  trouble = "";
  #timer = 0;
  #tries = 0;
  #running = null;
  #again = false;

  /**
   * @param {Store} store
   * @param {string} owner
   * @param {() => Promise<boolean>} isMe whether the one who is logged in is the owner still
   */
  constructor(store, owner, isMe) {
    super();
    this.store = store;
    this.owner = owner;
    this.isMe = isMe;
    this.channel = "BroadcastChannel" in window ? new BroadcastChannel(`evenhand outbox ${owner}`) : null;
    this.channel?.addEventListener("message", () => this.#look().then(() => this.#emit("elsewhere")));
    for (const type of ["online", "focus"]) addEventListener(type, () => this.kick());
    addEventListener("offline", () => this.#emit("change"));
    document.addEventListener("visibilitychange", () => document.hidden || this.kick());
  }

  get waiting() {
    return this.entries.filter((entry) => !entry.refused);
  }

  get refused() {
    return this.entries.filter((entry) => entry.refused);
  }

  /** Has the claim been answered here, whether the server knows or not? */
  holds(claim) {
    return this.entries.some((entry) => entry.claim === claim);
  }

  /** Keeps an entry; when this returns, closing the tab loses nothing. @param {Entry} entry */
  async post(entry) {
    await this.store.post(entry);
    await this.#look();
    this.kick();
  }

  /** Takes an entry back that the server does not have. */
  async takeBack(claim) {
    const entry = await this.store.takeBack(this.owner, claim);
    await this.#look();
    return entry;
  }

  async discard(entry) {
    await this.store.remove(entry.seq);
    await this.#look();
  }

  /** Try now, whatever the wait. Returns when this round has ended. */
  kick() {
    clearTimeout(this.#timer);
    this.#again = true;
    this.#running ??= this.#run().finally(() => {
      this.#running = null;
    });
    return this.#running;
  }

  async #run() {
    while (this.#again) {
      this.#again = false;
      await this.#look();
      if (!this.waiting.length) {
        this.#tries = 0;
        continue;
      }
      const wait = await exclusively(`evenhand outbox ${this.owner}`, () => this.#flush());
      await this.#look();
      if (wait !== null) this.#timer = setTimeout(() => this.kick(), wait);
    }
  }

  /** Sends until nothing waits or an attempt fails. @returns {Promise<number|null>} ms until the next try; null: none */
  async #flush() {
    for (;;) {
      const next = (await this.store.entries(this.owner)).find((entry) => !entry.refused);
      // Counted before it leaves: from here on only the server can say whether it has it.
      const entry = next && (await this.store.change(next.seq, { attempts: next.attempts + 1 }));
      if (!next) return null;
      if (!entry) continue;
      try {
        const answer = await call("POST", `claims/${entry.claim}/${entry.kind}/`, entry.body);
        await this.store.remove(entry.seq);
        this.trouble = "";
        this.#tries = 0;
        await this.#look(() => this.#emit("sent", { entry, answer }));
        this.channel?.postMessage("sent");
      } catch (error) {
        const wait = await this.#failed(entry, error);
        if (wait !== undefined) return wait;
      }
    }
  }

  /** @returns {Promise<number|null|undefined>} undefined: go on with the next entry */
  async #failed(entry, error) {
    if (error instanceof Unreachable || (error instanceof ApiError && error.passing)) {
      this.trouble = error instanceof Unreachable ? "offline" : "busy";
      const grown = Math.min(LONGEST_WAIT, FIRST_WAIT * 2 ** this.#tries++);
      return Math.max(grown * (0.5 + Math.random() / 2), (error.retryAfter ?? 0) * 1000);
    }
    if (!(error instanceof ApiError)) throw error;
    this.trouble = "";
    // Somebody else's session answers "not found" or "denied" for what is ours: then it waits for us.
    const mine = ![401, 403, 404].includes(error.status) || (error.status !== 401 && (await this.isMe().catch(() => null)));
    if (mine === null) return FIRST_WAIT; // nobody knows who is logged in: asked again
    if (!mine) {
      this.#emit("login");
      return null;
    }
    const { status, code, message: detail } = error;
    const refused = await this.store.change(entry.seq, { refused: { status, code, detail } });
    await this.#look();
    this.#emit("refused", { entry: refused });
    return undefined;
  }

  /** @param {() => void} [first] told at once with the new entries: nobody finds one gone and its answer not here */
  async #look(first) {
    this.entries = await this.store.entries(this.owner);
    first?.();
    this.#emit("change");
  }

  #emit(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }
}
