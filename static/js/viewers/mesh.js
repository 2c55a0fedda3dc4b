// 3D models through one camera, or one on its own.

import { Ahead } from "../ahead.js";
import { h } from "../dom.js";
import { read, sibling } from "../media.js";
import { inContext, percent, t } from "../tongue.js";
import { bar, MOVES } from "./bar.js";
import { failed } from "./failed.js";
import { follow, MODES, Orbit, START } from "./orbit.js";
import { pixels, readModel, stage } from "./scene.js";

const NEARER = 1.25;
/** The views of orbit.js in words. */
const VIEWS = {
  Front: inContext("a view", "Front"),
  Right: inContext("a view", "Right"),
  Back: inContext("a view", "Back"),
  Left: inContext("a view", "Left"),
  Top: inContext("a view", "Top"),
  Below: inContext("a view", "Below"),
};
const TURNS = { ArrowLeft: t("Turn left"), ArrowRight: t("Turn right"), ArrowUp: t("Turn up"), ArrowDown: t("Turn down") };

export const createLink = () => new Orbit();

/** A model that is being fetched; `tell` hears how much of it is there. */
class Coming {
  tell = (_part) => {};

  constructor({ url }) {
    this.model = read(url)
      .then((response) => received(response, (part) => this.tell(part)))
      .then(readModel);
    this.model.catch(() => {}); // who takes it is told
  }
}

export const ahead = new Ahead(
  (medium) => new Coming(medium),
  (coming) => coming.model.then((model) => model.destroy(), () => {}),
);

class Pane {
  /** @type {import("./scene.js").Model|null} */
  model = null;
  drawn = 0;

  constructor(view, still, link, side) {
    this.view = view;
    this.still = still; // what is seen until the model itself is drawn
    this.link = link;
    this.side = side;
    this.canvas = /** @type {HTMLCanvasElement} */ (h("canvas", { "aria-hidden": "true" }));
    this.paint = this.canvas.getContext("2d");
    view.append(this.canvas);
    this.sizes = new ResizeObserver(() => {
      this.canvas.width = pixels(view.clientWidth);
      this.canvas.height = pixels(view.clientHeight);
      link.ask();
    });
    this.sizes.observe(view);
    link.panes.add(this);
  }

  draw() {
    if (!this.model || !this.view.clientWidth) return;
    stage().draw(this.model, this.paint, this.link);
    this.still?.remove();
    this.still = null;
    this.drawn += 1;
    const { turn, lift, away, x, y, z } = this.link.camera;
    Object.assign(this.view.dataset, { drawn: this.drawn, camera: [turn, lift, away, x, y, z].map((n) => n.toFixed(4)).join(" ") });
  }

  get #aspect() {
    return this.view.clientWidth / this.view.clientHeight;
  }

  /**
   * The point that is seen at a place of the view, with the camera, as evidence tells them; null where there is none.
   * @param {{x: number, y: number}} at in parts of the view
   */
  pick(at) {
    const { model, link } = this;
    const point = model && stage().pick(model, link, this.#aspect, at);
    if (!point) return null;
    const { turn, lift, away, x, y, z } = link.camera;
    return { ...point, camera: { turn, lift, away: away * model.radius, ...model.inFile({ x, y, z }) } };
  }

  /** Where such a point is seen now, in parts of the view; null if it is not. */
  spot(point) {
    return this.model && this.view.clientWidth ? stage().spot(this.model, this.link, this.#aspect, point) : null;
  }

  /** Looks as the camera of such a point did. */
  look({ turn, lift, away, ...target }) {
    if (!this.model) return;
    const { x, y, z } = this.model.onStage(target);
    this.link.look({ turn, lift, away: away / this.model.radius, x, y, z });
  }

  destroy() {
    this.sizes.disconnect();
    this.link.panes.delete(this);
    this.model?.destroy();
  }
}

/** @param {HTMLElement} element @param {{medium: any, label: string, side: string, link: Orbit}} data */
export function mount(element, { medium, label, side, link }) {
  const left = new AbortController();
  const still = h("img", { class: "still", src: sibling(medium.url, "thumb"), alt: "" });
  const note = h("p", { class: "note", role: "status" }, t("Loading"));
  const view = h("div", { class: "view model", tabindex: "0", role: "group", "aria-label": t("{label}. Arrows turn it, plus and minus zoom, both sides together.", { label }) }, still);
  element.replaceChildren(view);
  const pane = new Pane(view, still, link, side);
  view.append(note);
  follow(view, link);

  const tell = () => {
    if (!pane.model) return;
    const { faces = 0, vertices = 0, points = false } = medium;
    const count = points ? t("{vertices} points", { vertices }) : t("{faces} faces, {vertices} vertices", { faces, vertices });
    note.textContent = link.counts ? count : "";
  };
  link.addEventListener("change", tell, { signal: left.signal });
  const load = async () => {
    try {
      const coming = ahead.take(medium);
      coming.tell = (part) => (note.textContent = t("Loading, {percent}", { percent: percent(part) }));
      const model = await coming.model;
      await painted(); // drawing takes a moment, and the pair with its stills is looked at meanwhile
      if (left.signal.aborted) return model.destroy();
      pane.model = model;
      if (model.moves) link.set({ animated: true });
      tell();
      link.ask();
      stage().addEventListener("lost", () => (note.textContent = t("The graphics stopped; they come back by themselves")), { signal: left.signal });
      stage().addEventListener(
        "restored",
        () => {
          model.renew();
          tell();
          link.ask();
        },
        { signal: left.signal },
      );
    } catch (error) {
      if (left.signal.aborted) return;
      note.textContent = "";
      const again = failed("mesh", () => {
        again.remove();
        load();
      }, error.message);
      view.append(again);
    }
  };
  return {
    ready: load(),
    destroy() {
      left.abort();
      pane.destroy();
    },
  };
}

/** Resolves once what stands there now is on the screen; in a tab that is not looked at, at once. */
const painted = () => new Promise((resolve) => (document.hidden ? resolve() : requestAnimationFrame(() => setTimeout(resolve))));

/** The bytes of an answer, telling how much of them is there. @param {Response} response @param {(part: number) => void} tell */
async function received(response, tell) {
  const length = Number(response.headers.get("Content-Length"));
  if (!length || !response.body) return response.arrayBuffer();
  const bytes = new Uint8Array(length);
  let at = 0;
  for (const reader = response.body.getReader(); ; ) {
    const { done, value } = await reader.read();
    if (done) return bytes.buffer;
    bytes.set(value, at);
    at += value.length;
    tell(at / length);
  }
}

/** @param {Orbit} link */
export function tools(link) {
  const shown = h("output", {});
  const draw = () => {
    shown.textContent = VIEWS[link.view] ?? (link.panes.size > 1 ? t("Linked camera") : "");
  };
  link.addEventListener("change", draw);
  draw();
  const start = () => Object.keys(START).every((name) => link.camera[name] === START[name]);
  const arrow = (name, sign, right, down) => ({ key: name, label: t("Turn or move"), words: sign, bare: true, shown: sign, run: () => link.arrow(right, down), name: () => (link.moving ? MOVES : TURNS)[name] });
  // Those that are wanted most, at once; all of them come one after the other by a key, and the first one by Reset.
  const direct = (name, words, label) => {
    const button = h("button", { type: "button", title: label, "aria-label": label, on: { click: () => link.show(name), mousedown: (event) => event.preventDefault() } }, words);
    const update = () => button.setAttribute("aria-pressed", String(link.view === name));
    link.addEventListener("change", update);
    update();
    return button;
  };
  const words = { textured: t("Textured"), plain: t("Plain"), wireframe: t("Wireframe"), normals: t("Normals") };
  const { content, keys } = bar(link, [
    { key: "F", label: t("Reset the view"), words: t("Reset"), run: () => link.reset(), off: start },
    { key: "C", label: t("Front, right, back, left, top, below"), words: t("View"), run: (event) => link.nextView(event?.shiftKey ? -1 : 1), name: () => t("Next view: front, right, back, left, top, below") },
    direct("Front", VIEWS.Front, t("Front view")),
    direct("Right", inContext("a view", "Side"), t("Side view")),
    direct("Top", VIEWS.Top, t("Top view")),
    shown,
    arrow("ArrowLeft", "\u2190", -1, 0),
    arrow("ArrowRight", "\u2192", 1, 0),
    arrow("ArrowUp", "\u2191", 0, -1),
    arrow("ArrowDown", "\u2193", 0, 1),
    { key: "D", label: t("Arrows turn or move"), run: () => link.set({ moving: !link.moving }), text: () => (link.moving ? t("Arrows move") : t("Arrows turn")) },
    { key: "-", label: t("Farther"), words: inContext("zoom", "Out"), run: () => link.zoom(1 / NEARER) },
    { key: "+", label: t("Nearer"), words: inContext("zoom", "In"), run: () => link.zoom(NEARER) },
    { key: "T", label: t("Turntable"), words: t("Spin"), run: () => link.set({ spinning: !link.spinning }), pressed: () => link.spinning },
    { key: " ", shown: "Space", label: t("Play or pause what moves"), run: () => link.set({ playing: !link.playing }), text: () => (link.playing ? t("Pause") : t("Play")), gone: () => !link.animated },
    { key: "W", label: t("Textured, plain, wireframe, normals"), run: () => link.set({ mode: MODES[(MODES.indexOf(link.mode) + 1) % MODES.length] }), text: () => words[link.mode] },
    { key: "I", label: t("Number of faces"), words: t("Faces"), run: () => link.set({ counts: !link.counts }), pressed: () => link.counts },
  ]);
  return { content, keys: { ...keys, "=": { label: t("Nearer"), hidden: true, run: () => link.zoom(NEARER) } }, moves: () => true };
}
