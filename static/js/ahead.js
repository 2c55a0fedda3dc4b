// What is made before it is needed, by the address of its medium: whoever shows the medium takes it over.

/** @template T */
export class Ahead {
  /** @type {Map<string, T>} */
  #made = new Map();

  /** @param {(medium: any) => T} make @param {(made: T) => void} [drop] lets go of one that nobody took */
  constructor(make, drop = () => {}) {
    this.make = make;
    this.drop = drop;
  }

  /** @param {{url: string}} medium */
  want(medium) {
    if (!this.#made.has(medium.url)) this.#made.set(medium.url, this.make(medium));
    return this.#made.get(medium.url);
  }

  /** The one that was made, or a new one; it is the taker's then. @param {{url: string}} medium @returns {T} */
  take(medium) {
    const made = this.want(medium);
    this.#made.delete(medium.url);
    return made;
  }

  /** @param {{url: string}} medium */
  forget(medium) {
    const made = this.#made.get(medium.url);
    if (made === undefined) return;
    this.#made.delete(medium.url);
    this.drop(made);
  }
}
