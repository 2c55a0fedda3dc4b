// In place of a medium that did not load.

import { h, key } from "../dom.js";
import { t } from "../tongue.js";

const SENTENCES = {
  image: t("This image did not load."),
  video: t("This video did not load."),
  audio: t("This sound did not load."),
  mesh: t("This 3D model did not load."),
};

/** @param {keyof typeof SENTENCES} what @param {(() => void)|null} again @param {string} [why] */
export function failed(what, again, why = "") {
  return h(
    "div",
    { class: "failed" },
    h("p", {}, SENTENCES[what]),
    why && h("p", {}, why),
    again && h("button", { type: "button", on: { click: again } }, t("Try again")),
    h("p", {}, t("If it stays broken: Media broken"), key("M")),
  );
}
