// What this computer keeps until the server has it: IndexedDB, written through to the disk (durability strict).

import { openDB } from "idb";

/**
 * One answer waiting to be sent.
 * @typedef {{seq?: number, owner: string, kind: "submit"|"skip", claim: string, body: object, draft: object|null,
 *   title: string, attempts: number, refused: null|{status: number, code: string, detail: string}, made: number}} Entry
 */

const STRICT = { durability: "strict" };
const KEEP_DRAFTS = 30 * 24 * 3600 * 1000; // ms

/** Whose it is: entries belong to the user and the project that made them. */
export const ownerOf = (user, project) => `${user}/${project}`;

export async function openStore() {
  const db = await openDB("evenhand", 2, {
    upgrade(db, from) {
      if (from < 1) {
        db.createObjectStore("outbox", { keyPath: "seq", autoIncrement: true }).createIndex("owner", "owner");
        db.createObjectStore("drafts", { keyPath: ["owner", "claim"] }).createIndex("made", "made");
        db.createObjectStore("asks", { keyPath: "owner" });
      }
      if (from < 2) {
        db.createObjectStore("claims", { keyPath: ["owner", "id"] }).createIndex("owner", "owner");
        db.createObjectStore("projects", { keyPath: "owner" });
      }
    },
    blocking: (_current, _blocked, event) => event.target.close(),
  });
  return new Store(db);
}

export class Store {
  constructor(db) {
    this.db = db;
  }

  /** Puts an entry into the outbox and ends its draft, both or neither. @param {Entry} entry */
  async post(entry) {
    const tx = this.db.transaction(["outbox", "drafts"], "readwrite", STRICT);
    tx.objectStore("outbox").add(entry);
    tx.objectStore("drafts").delete([entry.owner, entry.claim]);
    await tx.done;
  }

  /** Entries of an owner, the oldest first. @returns {Promise<Entry[]>} */
  entries(owner) {
    return this.db.getAllFromIndex("outbox", "owner", owner);
  }

  /** All who have entries here. @returns {Promise<string[]>} */
  async owners() {
    return [...new Set((await this.db.getAll("outbox")).map((entry) => entry.owner))];
  }

  /** Writes a change of an entry if it is still there, and returns it as it is now. */
  async change(seq, changes) {
    const tx = this.db.transaction("outbox", "readwrite", STRICT);
    const entry = await tx.store.get(seq);
    const changed = entry && { ...entry, ...changes };
    if (changed) tx.store.put(changed);
    await tx.done;
    return changed;
  }

  async remove(seq) {
    const tx = this.db.transaction("outbox", "readwrite", STRICT);
    tx.store.delete(seq);
    await tx.done;
  }

  /** Takes an entry back out, with its draft restored, if no attempt was made to send it or it was refused. */
  async takeBack(owner, claim) {
    const tx = this.db.transaction(["outbox", "drafts"], "readwrite", STRICT);
    const entries = await tx.objectStore("outbox").index("owner").getAll(owner);
    const entry = entries.findLast((one) => one.claim === claim && (one.attempts === 0 || one.refused));
    if (entry) {
      tx.objectStore("outbox").delete(entry.seq);
      if (entry.draft) tx.objectStore("drafts").put(entry.draft);
    }
    await tx.done;
    return entry ?? null;
  }

  async putDraft(draft) {
    const tx = this.db.transaction("drafts", "readwrite", STRICT);
    tx.store.put(draft);
    await tx.done;
  }

  draft(owner, claim) {
    return this.db.get("drafts", [owner, claim]);
  }

  async forgetDraft(owner, claim) {
    await this.db.delete("drafts", [owner, claim]);
  }

  /** Drafts of pairs that went elsewhere long ago. */
  async dropOldDrafts() {
    const tx = this.db.transaction("drafts", "readwrite");
    const old = IDBKeyRange.upperBound(Date.now() - KEEP_DRAFTS);
    for await (const cursor of tx.store.index("made").iterate(old)) cursor.delete();
    await tx.done;
  }

  /** The id of the claim to ask for next: kept until the server has answered, so that asking again asks for the same. */
  async ask(owner, fresh) {
    const tx = this.db.transaction("asks", "readwrite", STRICT);
    const kept = await tx.store.get(owner);
    if (!kept) tx.store.put({ owner, id: fresh });
    await tx.done;
    return kept?.id ?? fresh;
  }

  async asked(owner) {
    await this.db.delete("asks", owner);
  }

  // What is kept to go on without a network

  /** The project as the API describes it. */
  async keepProject(owner, project) {
    await this.db.put("projects", { owner, project });
  }

  /** @returns {Promise<any>} */
  async project(owner) {
    return (await this.db.get("projects", owner))?.project ?? null;
  }

  /** A claim as the API gave it, with the moment it was `received`. */
  async keepClaim(owner, claim) {
    const tx = this.db.transaction("claims", "readwrite", STRICT);
    const before = await tx.store.get([owner, claim.id]);
    tx.store.put({ owner, id: claim.id, at: before?.at ?? Date.now(), claim });
    await tx.done;
  }

  /** In the order in which they were kept. @returns {Promise<any[]>} */
  async claims(owner) {
    const rows = await this.db.getAllFromIndex("claims", "owner", owner);
    return rows.sort((one, other) => one.at - other.at).map(({ claim }) => claim);
  }

  async dropClaim(owner, id) {
    await this.db.delete("claims", [owner, id]);
  }

  /** All who have something kept. @returns {Promise<string[]>} */
  async keepers() {
    return [...new Set([...(await this.db.getAllKeys("projects")), ...(await this.db.getAllKeys("claims")).map(([owner]) => owner)])];
  }

  /** Drops all that an owner has kept; answers and drafts stay. */
  async dropKept(owner) {
    const tx = this.db.transaction(["claims", "projects"], "readwrite", STRICT);
    for (const key of await tx.objectStore("claims").index("owner").getAllKeys(owner)) tx.objectStore("claims").delete(key);
    tx.objectStore("projects").delete(owner);
    await tx.done;
  }
}
