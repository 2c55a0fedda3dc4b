// In place of a medium that did not load.

import { h, key } from "../dom.js";

/** @param {string} what "This video" ... @param {(() => void)|null} again @param {string} [why] */
export function failed(what, again, why = "") {
  return h(
    "div",
    { class: "failed" },
    h("p", {}, `${what} did not load.`),
    why && h("p", {}, why),
    again && h("button", { type: "button", on: { click: again } }, "Try again"),
    h("p", {}, "If it stays broken: Media broken", key("M")),
  );
}
