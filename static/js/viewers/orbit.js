// The camera that all models are seen through: it turns around what it looks at. Models are scaled to one size before,
// so the same camera shows the same view of each.
//
// Angles are degrees, lengths are of a model whose sphere has radius 1. The first view is that of the turntable sheet.

const FIELD = 30; // of the shorter side of a pane
export const START = { turn: 30, lift: 20, x: 0, y: 0, z: 0, away: 1.06 / Math.sin(((FIELD / 2) * Math.PI) / 180) };
const NEAREST = 0.3; // of the first distance
const FARTHEST = 3;
const SPIN = 30; // degrees a second
const SMOOTH = 12; // ms for all panes: more, and something else would have to wait
const STEEPEST = 89.9;

/** Views by name: turned from the front, lifted from the ground. */
export const VIEWS = { Front: [0, 0], Right: [90, 0], Back: [180, 0], Left: [270, 0], Top: [0, STEEPEST], Below: [0, -STEEPEST] };
export const MODES = ["textured", "plain", "wireframe", "normals"];

const sine = (degrees) => Math.sin((degrees * Math.PI) / 180);
const cosine = (degrees) => Math.cos((degrees * Math.PI) / 180);

/** Events: "change"; "drawn", all panes were. What shows a model adds itself to `panes` and is asked to `draw()`, once a frame at most. */
export class Orbit extends EventTarget {
  camera = { ...START };
  mode = MODES[0];
  counts = false; // how many faces: it would tell more than one sees
  moving = false; // arrows move the model instead of turning it
  spinning = false;
  animated = false; // whether any model can move by itself
  playing = false;
  moment = 0; // seconds of what moves
  /** @type {Set<{draw: () => void}>} */
  panes = new Set();
  #asked = 0;
  #last = 0;

  /** @param {Partial<typeof START>} changes */
  look(changes) {
    Object.assign(this.camera, changes);
    const { camera } = this;
    camera.turn = ((camera.turn % 360) + 360) % 360;
    camera.lift = Math.max(-STEEPEST, Math.min(STEEPEST, camera.lift));
    camera.away = Math.max(START.away * NEAREST, Math.min(START.away * FARTHEST, camera.away));
    this.ask();
    this.dispatchEvent(new Event("change"));
  }

  /** Draws all panes once, with the next frame of the screen. */
  ask() {
    if (!this.#asked) this.#asked = requestAnimationFrame((now) => this.#frame(now));
  }

  #frame(now) {
    this.#asked = 0;
    if (this.spinning || this.playing) {
      const passed = this.#last ? Math.min(0.1, (now - this.#last) / 1000) : 0;
      this.#last = now;
      if (this.spinning) this.camera.turn = (this.camera.turn + SPIN * passed) % 360;
      if (this.playing) this.moment += passed;
    }
    const began = performance.now();
    for (const pane of this.panes) pane.draw();
    this.dispatchEvent(new Event("drawn"));
    if (!this.panes.size || !(this.spinning || this.playing)) return;
    // Where there is no graphics card, half of the time is left to the rest of the page.
    const took = performance.now() - began;
    if (took > SMOOTH) setTimeout(() => this.ask(), took);
    else this.ask();
  }

  reset() {
    this.look(START);
  }

  /** How many times as near as at first. */
  get nearness() {
    return START.away / this.camera.away;
  }

  /** The name of the view, if it has one. */
  get view() {
    const { turn, lift } = this.camera;
    return Object.keys(VIEWS).find((name) => VIEWS[name][0] === turn && VIEWS[name][1] === lift) ?? "";
  }

  nextView(by = 1) {
    const names = Object.keys(VIEWS);
    const at = names.indexOf(this.view);
    this.show(names[at < 0 ? 0 : (at + by + names.length) % names.length]);
  }

  /** @param {string} name one of VIEWS */
  show(name) {
    const [turn, lift] = VIEWS[name];
    this.look({ turn, lift, x: 0, y: 0, z: 0 });
  }

  turn(degrees, lift) {
    this.look({ turn: this.camera.turn + degrees, lift: this.camera.lift + lift });
  }

  zoom(by) {
    this.look({ away: this.camera.away / by });
  }

  /** Moves what is seen, by parts of the pane's shorter side. @param {number} right @param {number} down */
  pan(right, down) {
    const { turn, lift, away, x, y, z } = this.camera;
    const size = 2 * away * Math.tan(((FIELD / 2) * Math.PI) / 180);
    const across = -right * size;
    const up = down * size;
    this.look({
      x: x + across * cosine(turn) - up * sine(lift) * sine(turn),
      y: y + up * cosine(lift),
      z: z - across * sine(turn) - up * sine(lift) * cosine(turn),
    });
  }

  /** An arrow: turns, or moves. */
  arrow(right, down) {
    if (this.moving) this.pan(right * 0.08, down * 0.08);
    else this.turn(right * -15, down * 15);
  }

  set(changes) {
    Object.assign(this, changes);
    this.#last = 0;
    this.ask();
    this.dispatchEvent(new Event("change"));
  }

  /** Where the camera is. @returns {[number, number, number]} */
  get place() {
    const { turn, lift, away, x, y, z } = this.camera;
    return [x + away * cosine(lift) * sine(turn), y + away * sine(lift), z + away * cosine(lift) * cosine(turn)];
  }

  /** Degrees from the top of a pane to its bottom. @param {number} aspect its width by its height */
  field(aspect) {
    const half = Math.tan(((FIELD / 2) * Math.PI) / 180) / Math.min(1, aspect);
    return (2 * Math.atan(half) * 180) / Math.PI;
  }
}

/** Turning, moving and zooming by mouse and touch. @param {HTMLElement} view @param {Orbit} link */
export function follow(view, link) {
  const pointers = new Map();
  const shorter = () => Math.min(view.clientWidth, view.clientHeight) || 1;
  view.addEventListener("contextmenu", (event) => event.preventDefault());
  view.addEventListener(
    "wheel",
    (event) => {
      event.preventDefault();
      const lines = event.deltaMode === WheelEvent.DOM_DELTA_LINE ? 16 : 1;
      link.zoom(Math.exp((-event.deltaY * lines) / 600));
    },
    { passive: false },
  );
  view.addEventListener("pointerdown", (event) => {
    view.setPointerCapture(event.pointerId);
    pointers.set(event.pointerId, [event.clientX, event.clientY]);
    view.classList.add("moving");
  });
  view.addEventListener("pointermove", (event) => {
    const before = pointers.get(event.pointerId);
    if (!before) return;
    const now = [event.clientX, event.clientY];
    const [dx, dy] = [(now[0] - before[0]) / shorter(), (now[1] - before[1]) / shorter()];
    pointers.set(event.pointerId, now);
    if (pointers.size > 1) {
      const other = [...pointers].find(([id]) => id !== event.pointerId)[1];
      const far = (point) => Math.hypot(point[0] - other[0], point[1] - other[1]) || 1;
      link.zoom(far(now) / far(before));
      link.pan(dx / pointers.size, dy / pointers.size);
    } else if (event.shiftKey || event.buttons & 6) link.pan(dx, dy);
    else link.turn(-dx * 180, dy * 180);
  });
  const up = (event) => {
    pointers.delete(event.pointerId);
    if (!pointers.size) view.classList.remove("moving");
  };
  view.addEventListener("pointerup", up);
  view.addEventListener("pointercancel", up);
}
