// An image that zooms and pans together with the one on the other side; both may be laid over each other.

import { h } from "../dom.js";
import { picture } from "../pictures.js";
import { Animation } from "./animation.js";
import { bar } from "./bar.js";
import { failed } from "./failed.js";
import { Overlay } from "./overlay.js";
import { Surface } from "./surface.js";
import { Zoom } from "./zoom.js";

const STEP = 1.25;
const SHIFT = 0.05; // of the width, a press of a wipe's key

export const createLink = () => new Zoom();

/** The code for tiles, where an image has some. */
const tilesOf = (medium) => (medium.tiled ? import("./tiles.js") : null);

export const ahead = { want: (medium) => tilesOf(medium)?.catch(() => {}), forget() {} };

/** @param {HTMLElement} element @param {{medium: any, label: string, side: string, link: Zoom}} data */
export function mount(element, { medium, label, side, link }) {
  let pane = null;
  let tiles = null;
  let gone = false;
  link.moves ||= Boolean(medium.animated);
  element.replaceChildren(h("div", { class: "view" }));
  const load = async () => {
    const { image, ready } = picture(medium.url);
    let module;
    try {
      [module] = await Promise.all([tilesOf(medium), ready]);
    } catch {
      if (!gone) element.firstChild.replaceChildren(failed("This image", load));
      return;
    }
    const animation = medium.animated ? await Animation.of(medium.url, label).catch(() => null) : null;
    if (gone) return animation?.destroy();
    image.alt = label;
    const { naturalWidth, naturalHeight } = image;
    const size = { width: medium.width ?? naturalWidth, height: medium.height ?? naturalHeight };
    if (module) tiles = new module.Tiles(medium.url);
    const tiled = module && ((base, redraw) => new module.TiledView(tiles, base, redraw));
    pane = new Surface(element, { pictures: [{ image: animation?.still ?? image, size, tiled }], label, link, side, animation });
    link.panes.add(pane);
    link.set({});
  };
  return {
    ready: load(),
    destroy() {
      gone = true;
      pane?.destroy();
      pane?.animation?.destroy();
      tiles?.close();
      link.panes.delete(pane);
    },
  };
}

/** What shows both sides in one place. @param {HTMLElement} element @param {Zoom} link */
export const together = (element, link) => new Overlay(element, link);

/** The tools of what is linked: one bar for all of it. @param {Zoom} link @param {{pair?: boolean, source?: boolean}} [shown] */
export function tools(link, { pair = false, source = false } = {}) {
  const shown = h("output", {});
  const cut = h("input", { type: "range", class: "track", min: 0, max: 1, step: 0.01, "aria-label": "Where the wipe stands" });
  cut.addEventListener("input", () => link.set({ cut: Number(cut.value) }));
  const draw = () => {
    shown.textContent = pair ? `${link.percent}%, linked` : `${link.percent}%`;
    cut.hidden = link.manner !== "wipe";
    cut.value = String(link.cut);
    cut.style.setProperty("--at", String(link.cut));
  };
  link.addEventListener("change", draw);
  draw();
  const arrow = (key, sign, right, down) => ({ key, label: "Move", words: sign, shown: sign, bare: true, run: () => link.arrow(right, down), name: () => `Move ${key.slice(5).toLowerCase()}` });
  const manner = (key, name, label) => ({ key, label, words: name, run: () => link.toggle(name.toLowerCase()), pressed: () => link.manner === name.toLowerCase() });
  const only = (name, tool) => ({ ...tool, gone: () => link.manner !== name });
  const { content, keys } = bar(link, [
    ...(link.moves ? [{ key: " ", shown: "Space", label: "Play what moves, or its first frame", run: () => link.play(!link.playing), text: () => (link.playing ? "Stop" : "Play") }] : []),
    { key: "F", label: "Fit", run: () => link.fit() },
    { key: "Z", label: "1:1", run: () => link.actual() },
    shown,
    { key: "-", label: "Out", run: () => link.zoom(1 / STEP) },
    { key: "+", label: "In", run: () => link.zoom(STEP) },
    arrow("ArrowLeft", "\u2190", -1, 0),
    arrow("ArrowRight", "\u2192", 1, 0),
    arrow("ArrowUp", "\u2191", 0, -1),
    arrow("ArrowDown", "\u2193", 0, 1),
    { key: "L", label: "Loupe", run: () => link.set({ loupe: !link.loupe }), pressed: () => link.loupe },
    { key: "I", label: "True size in pixels", words: "Pixels", run: () => link.set({ sizes: !link.sizes }), pressed: () => link.sizes },
    ...(pair
      ? [
          manner("W", "Wipe", "Wipe between both"),
          cut,
          manner("B", "Blink", "Blink: one after the other"),
          only("blink", { key: "C", label: "The other of two that blink", words: "Change", run: () => link.set({ front: 1 - link.front }) }),
          manner("D", "Difference", "Difference of both"),
          only("difference", { key: "T", label: "Difference: stronger", run: () => link.nextGain(), text: () => `\u00d7${link.gain}`, name: () => `Difference ${link.gain} times as bright` }),
        ]
      : []),
    ...(source
      ? [{ key: "E", label: "Which two are compared", run: () => link.nextCouple(), text: () => link.couple.map((one) => (one?.side === "source" ? "Source" : one?.side.toUpperCase())).join(" with "), off: () => !link.manner }]
      : []),
  ]);
  const wipe = (by) => ({ label: "The wipe to the left or right", run: () => link.set({ cut: link.cut + by }) });
  return {
    content,
    keys: {
      ...keys,
      ...(pair ? { "[": wipe(-SHIFT), "]": wipe(SHIFT) } : {}),
      "=": { label: "In", hidden: true, run: () => link.zoom(STEP) },
    },
    moves: () => !link.isFitted || link.loupe || Boolean(link.manner), // a swipe moves the image then, and does not flip the sides
  };
}
