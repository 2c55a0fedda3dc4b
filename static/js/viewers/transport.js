// The bar of what plays: one for both sides.

import { h } from "../dom.js";
import { clock } from "../timecode.js";
import { inContext, number, t } from "../tongue.js";
import { bar } from "./bar.js";
import { SPEEDS } from "./timeline.js";

const NUDGE = 1; // seconds an arrow

/**
 * @param {import("./timeline.js").Timeline} line
 * @param {{before?: any[], after?: any[]}} [own] tools of what plays, before and after those that all share
 */
export function transport(line, { before = [], after = [] } = {}) {
  const track = h("input", { type: "range", class: "track", min: 0, max: 1, step: "any", "aria-label": t("Position") });
  track.addEventListener("input", () => line.seek(Number(track.value)));
  const loop = h("i", { class: "loop", hidden: true });
  const time = h("output", { class: "time", "aria-label": t("Time") });
  const total = h("span", { class: "time total" });
  const speed = h("output", { class: "speed", "aria-label": t("Speed") });
  const rail = h("div", { class: "rail" }, track, loop);

  const place = () => {
    const at = line.time;
    track.value = String(at);
    track.setAttribute("aria-valuetext", t("{time} of {all}", { time: clock(at), all: clock(line.duration) }));
    rail.style.setProperty("--at", String(line.duration ? at / line.duration : 0));
    time.textContent = clock(at);
  };
  const draw = () => {
    track.max = String(line.duration || 1);
    total.textContent = line.waiting || clock(line.duration);
    total.classList.toggle("waits", Boolean(line.waiting));
    speed.textContent = `${number(line.rate)}\u00d7`;
    loop.hidden = !line.looping;
    rail.style.setProperty("--from", String(line.start / (line.duration || 1)));
    rail.style.setProperty("--to", String(line.end / (line.duration || 1)));
    place();
  };
  line.addEventListener("time", place);
  line.addEventListener("change", draw);
  draw();

  const { content, keys } = bar(line, [
    { key: " ", shown: "Space", label: t("Play or pause"), run: () => line.toggle(), text: () => (line.playing ? t("Pause") : t("Play")) },
    time,
    rail,
    total,
    ...before,
    { key: "<", label: t("Slower"), words: "\u2212", bare: true, run: () => line.step(-1), name: () => t("Slower"), off: () => line.rate === SPEEDS[0] },
    speed,
    { key: ">", label: t("Faster"), words: "+", bare: true, run: () => line.step(1), name: () => t("Faster"), off: () => line.rate === SPEEDS.at(-1) },
    { key: "I", label: t("A loop begins here"), words: inContext("where a loop begins", "In"), run: () => line.markIn(), name: () => t("A loop begins here") },
    { key: "O", label: t("A loop ends here"), words: inContext("where a loop ends", "Out"), run: () => line.markOut(), name: () => t("A loop ends here") },
    { key: "L", label: t("Loop"), run: () => line.toggleLoop(), pressed: () => line.looping },
    ...after,
  ]);
  return {
    content,
    keys: {
      ...keys,
      ArrowLeft: { label: t("A second back or on"), shown: "\u2190", run: () => line.nudge(-NUDGE) },
      ArrowRight: { label: t("A second back or on"), shown: "\u2192", run: () => line.nudge(NUDGE) },
      Home: { label: t("To the beginning"), run: () => line.seek(line.start) },
    },
    moves: () => false,
  };
}
