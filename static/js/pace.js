// How fast a session goes, and when a break is due: who judges for an hour on end judges worse, and does not notice.

import { number, t } from "./tongue.js";

const STRETCH = 50 * 60; // seconds at work after which a break is due
const BREAK = 5 * 60; // seconds away that count as one
const AGAIN = 10 * 60; // seconds until it is said once more
const SOME = 3; // pairs before a pace means anything

export class Pace {
  #worked = 0; // seconds since the last break
  #away = 0; // seconds without a touch
  #told = 0; // of #worked, when a break was last due
  #pairs = 0;
  #seconds = 0; // at work in this session

  /** One second has passed. @param {number} seconds how much of it was work @returns {boolean} whether a break is due now */
  tick(seconds) {
    if (seconds) {
      this.#away = 0;
      this.#worked += seconds;
      this.#seconds += seconds;
    } else if (++this.#away >= BREAK) {
      this.#worked = this.#told = 0;
    }
    if (this.#worked < (this.#told ? this.#told + AGAIN : STRETCH)) return false;
    this.#told = this.#worked;
    return true;
  }

  judged() {
    this.#pairs++;
  }

  /** Of this session, in words; "" as long as it tells nothing. */
  get text() {
    if (this.#pairs < SOME || this.#seconds < this.#pairs) return "";
    const each = this.#seconds / this.#pairs;
    if (each < 90) return t("{n} now, {seconds} s each", { n: this.#pairs, seconds: Math.round(each) });
    const minutes = number(each / 60, { minimumFractionDigits: 1, maximumFractionDigits: 1 });
    return t("{n} now, {minutes} min each", { n: this.#pairs, minutes });
  }

  /** Minutes at work since the last break. */
  get minutes() {
    return Math.round(this.#worked / 60);
  }
}
