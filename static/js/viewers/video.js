// Two videos on one clock, or one on its own.

import { Ahead } from "../ahead.js";
import { h } from "../dom.js";
import { readJson, sibling } from "../media.js";
import { t } from "../tongue.js";
import { Ensemble } from "./ensemble.js";
import { failed } from "./failed.js";
import { transport } from "./transport.js";

export const createLink = () => new Ensemble();

/** Players that have begun to fetch. */
export const ahead = new Ahead(
  ({ url }) => h("video", { playsinline: true, disablepictureinpicture: true, preload: "auto", poster: sibling(url, "poster"), src: url }),
  (video) => {
    video.removeAttribute("src");
    video.load(); // lets go of the connection
  },
);

/** @param {HTMLElement} element @param {{medium: any, label: string, side: string, link: Ensemble}} data */
export function mount(element, { medium, label, side, link }) {
  const left = new AbortController();
  const video = /** @type {HTMLVideoElement} */ (ahead.take(medium));
  video.setAttribute("aria-label", label);
  const note = h("p", { class: "note", role: "status" });
  const view = h("div", { class: "view video" }, video, note);
  const part = link.add(side, video, { seconds: medium.duration, sounds: Boolean(medium.has_audio), failed: () => view.append(failure) });
  const failure = failed("video", () => {
    failure.remove();
    video.load();
  });
  if (video.error) video.load(); // it failed before it was wanted
  video.addEventListener("click", () => link.toggle());
  element.replaceChildren(view);

  const tell = () => {
    const held = part.length && link.duration - part.length > 0.1 && link.time >= part.length - 0.02;
    note.textContent = held ? t("Over: holds its last frame") : "";
  };
  link.addEventListener("time", tell, { signal: left.signal });
  watchFrames(video, part, view);
  const frames = readJson(sibling(medium.url, "frames"), left.signal).then(
    ({ times }) => {
      part.frames = times;
    },
    () => {
      if (left.signal.aborted) return;
      const rate = medium.fps || 30;
      part.frames = Array.from({ length: Math.max(1, Math.round((medium.duration || 0) * rate)) }, (_, n) => n / rate);
    },
  );
  return {
    ready: frames,
    destroy() {
      left.abort();
      link.remove(side);
    },
  };
}

/** Says which frame is on screen, where the browser tells. */
function watchFrames(video, part, view) {
  if (!video.requestVideoFrameCallback) return;
  if (video.readyState >= HTMLMediaElement.HAVE_CURRENT_DATA) view.dataset.time = String(video.currentTime); // fetched ahead: it was shown already
  const shown = (_now, { mediaTime }) => {
    view.dataset.time = String(mediaTime);
    video.requestVideoFrameCallback(shown);
  };
  video.requestVideoFrameCallback(shown);
}

/** @param {Ensemble} link */
export function tools(link) {
  const single = link.parts.size === 1;
  const sound = () => {
    if (!link.sounding.length) return t("No sound");
    if (single) return link.heard ? t("Sound on") : t("Sound off");
    return link.heard ? t("Sound: {side}", { side: link.heard.toUpperCase() }) : t("Sound: none");
  };
  const turn = () => {
    const order = [...link.sounding, ""];
    link.hear(order[(order.indexOf(link.heard) + 1) % order.length]);
  };
  return transport(link, {
    before: [
      { key: ",", label: t("A frame back"), words: "\u2039", run: () => link.stepFrame(-1), name: () => t("A frame back") },
      { key: ".", label: t("A frame on"), words: "\u203a", run: () => link.stepFrame(1), name: () => t("A frame on") },
    ],
    after: [{ key: "H", label: single ? t("Sound on or off") : t("Hear A, B or none"), run: turn, text: sound, off: () => !link.sounding.length }],
  });
}
