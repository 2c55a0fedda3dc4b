// A sound with the browser's own controls.

import { h, key } from "../dom.js";

/** @param {HTMLElement} element @param {{medium: {url: string}, label: string}} data */
export function mount(element, { medium, label }) {
  const audio = h("audio", { src: medium.url, controls: true, preload: "metadata", "aria-label": label });
  const view = h("div", { class: "view play" }, audio);
  audio.addEventListener("error", () => {
    view.append(h("div", { class: "failed" }, h("p", {}, "This sound did not load."), h("p", {}, "If it stays broken: Media broken", key("M"))));
  });
  element.replaceChildren(view);
  return {
    ready: Promise.resolve(),
    destroy() {
      audio.pause();
      audio.removeAttribute("src");
      audio.load(); // lets go of the connection
    },
  };
}
