// A text response, as markdown; two of them scroll together, and their differences are marked when one asks.

import { h } from "../dom.js";
import { render } from "../markdown.js";
import { inContext, t } from "../tongue.js";
import { ahead as typesetAhead, settled } from "../typeset.js";
import { bar } from "./bar.js";
import { CAN_MARK, Reading } from "./reading.js";

const LONG = 20_000; // characters: from here on what is not on screen is not laid out

export const createLink = () => new Reading();

export { typesetAhead };

/** @param {HTMLElement} element @param {{text: string, label: string, side: string, link?: Reading|null}} data */
export function mount(element, { text, label, side, link }) {
  const reading = h("div", { class: text.length > LONG ? "read long" : "read", lang: languageOf(text) });
  if (text.trim()) reading.append(render(text));
  else reading.append(h("p", { class: "nothing" }, t("An empty response.")));
  const scroller = h("div", { class: "scroller", tabindex: "0", role: "region", "aria-label": label }, reading);
  element.replaceChildren(scroller);
  link?.add(side, scroller, reading);
  return { ready: settled(), destroy: () => link?.remove(side) };
}

/**
 * Han characters look different in Chinese, Japanese and Korean type: which is meant, the text's other letters tell.
 * "": not known, and not the language of the page.
 */
function languageOf(text) {
  const head = text.slice(0, 4000);
  if (/[\u3040-\u30ff]/.test(head)) return "ja";
  if (/[\uac00-\ud7af]/.test(head)) return "ko";
  return /[\u4e00-\u9fff]/.test(head) ? "zh" : "";
}

/** @param {Reading} link */
export function tools(link) {
  const found = h("output", {});
  const draw = () => {
    const { a, b } = link.counts;
    found.hidden = !link.differing;
    found.textContent = a || b ? t("{a} in A, {b} in B", { a, b }) : t("no word differs");
  };
  link.addEventListener("change", draw);
  draw();
  const { content, keys } = bar(link, [
    { key: "L", label: t("Scroll together"), run: () => (link.together = !link.together), pressed: () => link.together },
    { key: "D", label: t("Words that differ"), run: () => link.setDiffering(!link.differing), pressed: () => link.differing, off: () => !CAN_MARK },
    found,
    { key: "E", label: t("Next difference"), words: inContext("difference", "Next"), run: () => link.differing && link.next(), gone: () => !link.differing },
  ]);
  return { content, keys, moves: () => false };
}
