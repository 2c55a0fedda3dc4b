// A video with the browser's own controls.

import { h, key } from "../dom.js";

/** @param {HTMLElement} element @param {{medium: {url: string}, label: string}} data */
export function mount(element, { medium, label }) {
  const video = h("video", { src: medium.url, controls: true, playsinline: true, preload: "metadata", "aria-label": label });
  const view = h("div", { class: "view play" }, video);
  video.addEventListener("error", () => {
    view.append(h("div", { class: "failed" }, h("p", {}, "This video did not load."), h("p", {}, "If it stays broken: Media broken", key("M"))));
  });
  element.replaceChildren(view);
  return {
    ready: Promise.resolve(),
    destroy() {
      video.pause();
      video.removeAttribute("src");
      video.load(); // lets go of the connection
    },
  };
}
