// How long somebody has really been at it, and when to tell the server so.

const IDLE = 60_000; // ms without a touch after which time does not count
const TICK = 1000;

export class Clock {
  #last = Date.now(); // the last key, pointer or scroll
  #beaten = Date.now();

  /** @param {{lease: number, tick: (seconds: number) => void, beat: () => void}} page `lease` in ms */
  constructor({ lease, tick, beat }) {
    const touched = () => {
      this.#last = Date.now();
    };
    for (const type of ["keydown", "pointerdown", "pointermove", "wheel", "touchstart", "scroll"])
      addEventListener(type, touched, { passive: true, capture: true });
    let before = Date.now();
    setInterval(() => {
      const now = Date.now();
      const active = !document.hidden && now - this.#last < IDLE;
      tick(active ? Math.min(now - before, 2 * TICK) / 1000 : 0); // a computer that slept was not at work
      before = now;
      if (active && now - this.#beaten > lease / 8) {
        this.#beaten = now;
        beat();
      }
    }, TICK);
  }
}
