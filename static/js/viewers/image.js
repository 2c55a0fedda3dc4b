// An image that zooms and pans together with the one on the other side; both may be laid over each other.

import { h } from "../dom.js";
import { picture } from "../pictures.js";
import { inContext, percent, t } from "../tongue.js";
import { Animation } from "./animation.js";
import { bar, MOVES } from "./bar.js";
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
      if (!gone) element.firstChild.replaceChildren(failed("image", load));
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

const nameOf = (one) => (one?.side === "source" ? t("Source") : (one?.side.toUpperCase() ?? ""));
const compared = ([one, other]) => t("{one} with {other}", { one: nameOf(one), other: nameOf(other) });

/** The tools of what is linked: one bar for all of it. @param {Zoom} link @param {{pair?: boolean, source?: boolean}} [shown] */
export function tools(link, { pair = false, source = false } = {}) {
  const shown = h("output", {});
  const cut = h("input", { type: "range", class: "track", min: 0, max: 1, step: 0.01, "aria-label": t("Where the wipe stands") });
  cut.addEventListener("input", () => link.set({ cut: Number(cut.value) }));
  const draw = () => {
    shown.textContent = pair ? t("{percent}, linked", { percent: percent(link.percent / 100) }) : percent(link.percent / 100);
    cut.hidden = link.manner !== "wipe";
    cut.value = String(link.cut);
    cut.style.setProperty("--at", String(link.cut));
  };
  link.addEventListener("change", draw);
  draw();
  const arrow = (key, sign, right, down) => ({ key, label: inContext("an image", "Move"), words: sign, shown: sign, bare: true, run: () => link.arrow(right, down), name: () => MOVES[key] });
  const manner = (key, name, words, label) => ({ key, label, words, run: () => link.toggle(name), pressed: () => link.manner === name });
  const only = (name, tool) => ({ ...tool, gone: () => link.manner !== name });
  const { content, keys } = bar(link, [
    ...(link.moves ? [{ key: " ", shown: "Space", label: t("Play what moves, or its first frame"), run: () => link.play(!link.playing), text: () => (link.playing ? t("Stop") : t("Play")) }] : []),
    { key: "F", label: t("Fit"), run: () => link.fit() },
    { key: "Z", label: "1:1", run: () => link.actual() },
    shown,
    { key: "-", label: inContext("zoom", "Out"), run: () => link.zoom(1 / STEP) },
    { key: "+", label: inContext("zoom", "In"), run: () => link.zoom(STEP) },
    arrow("ArrowLeft", "\u2190", -1, 0),
    arrow("ArrowRight", "\u2192", 1, 0),
    arrow("ArrowUp", "\u2191", 0, -1),
    arrow("ArrowDown", "\u2193", 0, 1),
    { key: "L", label: t("Loupe"), run: () => link.set({ loupe: !link.loupe }), pressed: () => link.loupe },
    { key: "I", label: t("True size in pixels"), words: t("Pixels"), run: () => link.set({ sizes: !link.sizes }), pressed: () => link.sizes },
    ...(pair
      ? [
          manner("W", "wipe", t("Wipe"), t("Wipe between both")),
          cut,
          manner("B", "blink", t("Blink"), t("Blink: one after the other")),
          only("blink", { key: "C", label: t("The other of two that blink"), words: inContext("which of two is in front", "Change"), run: () => link.set({ front: 1 - link.front }) }),
          manner("D", "difference", t("Difference"), t("Difference of both")),
          only("difference", { key: "T", label: t("Difference: stronger"), run: () => link.nextGain(), text: () => `\u00d7${link.gain}`, name: () => t("Difference {gain} times as bright", { gain: link.gain }) }),
        ]
      : []),
    ...(source
      ? [{ key: "E", label: t("Which two are compared"), run: () => link.nextCouple(), text: () => compared(link.couple), off: () => !link.manner }]
      : []),
  ]);
  const wipe = (by) => ({ label: t("The wipe to the left or right"), run: () => link.set({ cut: link.cut + by }) });
  return {
    content,
    keys: {
      ...keys,
      ...(pair ? { "[": wipe(-SHIFT), "]": wipe(SHIFT) } : {}),
      "=": { label: inContext("zoom", "In"), hidden: true, run: () => link.zoom(STEP) },
    },
    moves: () => !link.isFitted || link.loupe || Boolean(link.manner), // a swipe moves the image then, and does not flip the sides
  };
}
