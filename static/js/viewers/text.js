// A text response, as markdown.

import { h } from "../dom.js";
import { render } from "../markdown.js";

/** @param {HTMLElement} element @param {{text: string, label: string}} data */
export function mount(element, { text, label }) {
  const reading = h("div", { class: "read" });
  if (text.trim()) reading.append(render(text));
  else reading.append(h("p", { class: "nothing" }, "An empty response."));
  const scroller = h("div", { class: "scroller", tabindex: "0", role: "region", "aria-label": label }, reading);
  element.replaceChildren(scroller);
  return { ready: Promise.resolve(), destroy() {} };
}
