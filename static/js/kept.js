// What is kept on this computer to judge without a network: claims and the project's description (store.js), the files
// that the claims show, and the page itself with its modules (worker.js). It goes once the server has the answers, and
// when its owner logs out or somebody else logs in.

import { ApiError, Unreachable } from "./api.js";
import { filesOf } from "./media.js";
import { ownerOf } from "./store.js";

const WORKER = "/sw.js";
const SCOPE = "/judge/";
const CACHES = "evenhand-"; // all that is ours
const KEPT = "evenhand-kept-"; // pages and media, by user
// As media come from the server (webapp/pages/media.py).
const HEADERS = { "Accept-Ranges": "bytes", "Content-Security-Policy": "default-src 'none'; sandbox", "X-Content-Type-Options": "nosniff" };

/** There is no room for it. */
export class NoRoom extends Error {}

/** Only pages that came over HTTPS or from this computer may be kept, as browsers have it. */
export const canKeep = () => "serviceWorker" in navigator && "caches" in window;

export class Kept {
  /** @type {any[]} claims whose files are all here, the first taken first */
  claims = [];

  /** @param {import("./store.js").Store} store @param {string} user @param {string} slug */
  constructor(store, user, slug) {
    Object.assign(this, { store, user, owner: ownerOf(user, slug) });
  }

  async look() {
    this.claims = await this.store.claims(this.owner);
  }

  has(id) {
    return this.claims.some((claim) => claim.id === id);
  }

  /**
   * Keeps page and project: from here on the page opens without a network.
   * @throws {NoRoom|ApiError|Unreachable}
   */
  async open(project) {
    const worker = await newestWorker();
    const { port1, port2 } = new MessageChannel();
    const answered = new Promise((resolve) => {
      port1.onmessage = ({ data }) => resolve(data);
    });
    worker.postMessage({ user: this.user, page: location.pathname }, [port2]);
    const problem = await answered;
    port1.close();
    if (problem === "quota") throw new NoRoom();
    if (problem === "logged_out") throw new ApiError(401);
    if (problem) throw new Unreachable(problem);
    await navigator.serviceWorker.ready;
    await this.store.keepProject(this.owner, project);
  }

  /**
   * Keeps a claim with all that it shows. It counts once it is whole.
   * @param {any} claim @param {{signal: AbortSignal, told: (bytes: number) => void}} how `told`: bytes that came
   * @throws {NoRoom|ApiError|Unreachable} also where `signal` ended it
   */
  async keep(claim, { signal, told }) {
    const cache = await caches.open(KEPT + this.user);
    for (const url of filesOf(claim)) if (!(await cache.match(url))) await fetchInto(cache, url, signal, told);
    try {
      await this.store.keepClaim(this.owner, claim);
    } catch (error) {
      throw error.name === "QuotaExceededError" ? new NoRoom() : error;
    }
    await this.look();
  }

  /** Lets go of a claim. With the last one goes all the rest, unless answers still wait to be sent from here. */
  async drop(id) {
    await this.store.dropClaim(this.owner, id);
    if (canKeep()) {
      const cache = await caches.open(KEPT + this.user);
      for (const request of await cache.keys()) if (new URL(request.url).pathname.startsWith(`/media/${id}/`)) await cache.delete(request);
    }
    await this.look();
    if (!this.claims.length && !(await this.store.entries(this.owner)).length) await this.#close();
  }

  async #close() {
    await this.store.dropKept(this.owner);
    if ((await this.store.keepers()).length) {
      if (canKeep()) await (await caches.open(KEPT + this.user)).delete(`${SCOPE}${this.owner.slice(this.user.length + 1)}/`);
    } else await dropCaches();
  }
}

/** Drops what others than this user have kept; "" for nobody: what anybody has. */
export async function forgetOthers(store, user) {
  const others = (await store.keepers()).filter((owner) => !user || !owner.startsWith(`${user}/`));
  for (const owner of others) await store.dropKept(owner);
  if (!canKeep()) return;
  if (!(await store.keepers()).length) return dropCaches();
  for (const name of await caches.keys()) if (name.startsWith(KEPT) && name !== KEPT + user) await caches.delete(name);
}

async function dropCaches() {
  if (!canKeep()) return;
  await (await navigator.serviceWorker.getRegistration(SCOPE))?.unregister();
  for (const name of await caches.keys()) if (name.startsWith(CACHES)) await caches.delete(name);
}

/** The worker of the newest version that could be installed. */
async function newestWorker() {
  const registration = await navigator.serviceWorker.register(WORKER, { scope: SCOPE }).catch((error) => {
    throw new Unreachable(error.message);
  });
  await registration.update().catch(() => {}); // an older one will do
  const { installing } = registration;
  if (installing) await new Promise((resolve) => installing.addEventListener("statechange", resolve, { once: true }));
  const worker = registration.waiting ?? registration.active ?? registration.installing;
  if (!worker) throw new Unreachable("The browser did not keep the page.");
  return worker;
}

/** Fetches a file into the cache under its own address, wherever it came from: links into an object store die. */
async function fetchInto(cache, url, signal, told) {
  let answer;
  try {
    answer = await fetch(url, { signal });
  } catch (error) {
    throw new Unreachable(error.message);
  }
  if (answer.redirected && new URL(answer.url).origin === location.origin) throw new ApiError(401); // to the login page
  if (!answer.ok) throw new ApiError(answer.status);
  const count = new TransformStream({
    transform(chunk, out) {
      told(chunk.byteLength);
      out.enqueue(chunk);
    },
  });
  const headers = { ...HEADERS, "Content-Type": answer.headers.get("Content-Type") ?? "" };
  try {
    await cache.put(url, new Response(answer.body.pipeThrough(count), { headers }));
  } catch (error) {
    throw error.name === "QuotaExceededError" ? new NoRoom() : new Unreachable(error.message);
  }
}
