// The answers to one claim while they are being made: plain data that survives a reload.

import { NOTHING, same } from "./scale.js";
import { uuid } from "./uuid.js";

/**
 * @typedef {Found & {key: string, comparison: number|null, criterion: string, own: boolean,
 *   rationale: string, tags: string[], anchors: Anchor[], head: string|null, stored: string|null}} Row  `head`: the stored answer that a new one supersedes,
 *   `stored`: what it says
 */

const FIELDS = ["verdict", "strength", "tie_kind", "broken", "rationale", "tags", "anchors"];
const folded = (text) => text.trim().replace(/\s+/g, " ");
const pick = (from) => Object.fromEntries(FIELDS.filter((name) => from[name] !== undefined).map((name) => [name, from[name]]));
const said = (from) => JSON.stringify(pick(from));
const fresh = () => ({ ...NOTHING, rationale: "", tags: [], anchors: [] });

export class Draft {
  /**
   * @param {string} owner
   * @param {any} claim as the API gives it
   * @param {Point[]} points of the project's scale
   * @param {any} [saved] what toJSON once gave
   * @param {() => number} [now] the server's time, as far as it is known: clocks of two computers may be apart
   */
  constructor(owner, claim, points, saved = null, now = Date.now) {
    this.owner = owner;
    this.now = now;
    this.claim = claim.id;
    this.points = points;
    this.seconds = saved?.seconds ?? 0;
    this.writing = saved?.writing ?? "";
    this.viewing = saved?.viewing ?? {};
    /** @type {Row[]} */
    this.rows = claim.comparisons.map(({ id, criterion, own, answer }) => ({
      key: `c${id}`,
      comparison: id,
      criterion,
      own,
      ...fresh(),
      ...(answer && answer.verdict !== "retracted" ? pick(answer) : {}),
      head: answer?.id ?? null,
      stored: answer && answer.verdict !== "retracted" ? said(answer) : null,
    }));
    for (const row of saved?.rows ?? []) this.#restore(row);
    const open = saved && this.rows.find((row) => row.key === saved.open);
    this.open = (open ?? this.rows.find((row) => !this.judged(row)) ?? this.rows[0])?.key ?? "";
    this.touched = saved !== null;
  }

  #restore(saved) {
    const row =
      this.rows.find((one) => one.key === saved.key) ??
      this.rows.find((one) => folded(one.criterion).toLowerCase() === folded(saved.criterion).toLowerCase());
    if (row) Object.assign(row, pick(saved));
    else if (saved.comparison === null) this.rows.push({ ...fresh(), ...saved, head: null, stored: null });
  }

  get current() {
    return this.rows.find((row) => row.key === this.open) ?? null;
  }

  /** @param {Row} row */
  judged(row) {
    return ["cannot_tell", "not_applicable", "media_broken"].includes(row.verdict) || this.points.some((point) => same(point, row));
  }

  get judgedRows() {
    return this.rows.filter((row) => this.judged(row));
  }

  /** The next row without a verdict after the open one, round the end. */
  get nextUnjudged() {
    const at = this.rows.findIndex((row) => row.key === this.open);
    return [...this.rows.slice(at + 1), ...this.rows.slice(0, at + 1)].find((row) => !this.judged(row)) ?? null;
  }

  step(by) {
    if (!this.rows.length) return;
    const at = this.rows.findIndex((row) => row.key === this.open);
    this.open = this.rows[(at + by + this.rows.length) % this.rows.length].key;
  }

  /** Opens the row of a criterion, a new one if no row has it. Returns whether it is new. */
  write(text) {
    const criterion = folded(text);
    const known = this.rows.find((row) => folded(row.criterion).toLowerCase() === criterion.toLowerCase());
    if (!known) {
      const key = `n${uuid()}`;
      this.rows.push({ key, comparison: null, criterion, own: true, ...fresh(), head: null, stored: null });
    }
    this.open = (known ?? this.rows.at(-1)).key;
    this.writing = "";
    return !known;
  }

  /** @param {Row} row one that is not stored yet */
  remove(row) {
    this.rows = this.rows.filter((one) => one !== row);
    this.open = (this.nextUnjudged ?? this.rows.at(-1))?.key ?? "";
  }

  /** The answers for the server, under new ids: what it has already goes not again. A criterion of one's own goes by its text, which names it for good. */
  answers() {
    return this.judgedRows.filter((row) => said(row) !== row.stored).map((row) => ({
      id: uuid(),
      comparison: row.own ? null : row.comparison,
      criterion: row.own ? row.criterion : "",
      ...pick(row),
      supersedes: row.head,
    }));
  }

  toJSON() {
    const { owner, claim, rows, open, writing, seconds, viewing } = this;
    return { owner, claim, rows: rows.map((row) => ({ ...row })), open, writing, seconds, viewing: structuredClone(viewing), made: Date.now(), at: this.now() };
  }
}

/** The draft that was made last, of this computer's and the server's copy. */
export const newer = (ours, copy) => (ours && copy ? (copy.at > ours.at ? copy : ours) : (ours ?? copy));
