// The bar of tools for what is linked. Every tool says its key, and every key has a tool or is listed.

import { h, key } from "../dom.js";
import { ariaKey } from "../spelling.js";
import { t } from "../tongue.js";

/** What an arrow that moves does. */
export const MOVES = { ArrowLeft: t("Move left"), ArrowRight: t("Move right"), ArrowUp: t("Move up"), ArrowDown: t("Move down") };

/**
 * @typedef {{
 *   key: string, label: string, run: (event?: Event) => void,
 *   text?: () => string, name?: () => string, pressed?: () => boolean, off?: () => boolean,
 *   gone?: () => boolean, shown?: string, bare?: boolean, words?: string,
 * }} Tool
 * `label` is what the list of keys says; `words` what stands on the button, or `text` where that changes; `name` is its
 * accessible name where the text alone would not do; `off` greys it, `gone` takes it away; `bare` prints no key; `shown` is how the key is printed.
 */

/**
 * @param {EventTarget} link tells "change" when a tool may look different
 * @param {(Tool|Node)[]} parts
 * @returns {{content: Node[], keys: Record<string, any>}}
 */
export function bar(link, parts) {
  const updates = [];
  const keys = {};
  const content = parts.map((part) => {
    if (part instanceof Node) return part;
    keys[part.key] = { label: part.label, run: part.run, shown: part.shown };
    const [button, update] = made(part);
    updates.push(update);
    return button;
  });
  const update = () => updates.forEach((one) => one());
  link.addEventListener("change", update);
  update();
  return { content, keys };
}

/** @param {Tool} tool @returns {[HTMLElement, () => void]} the button, and what brings it up to date */
function made(tool) {
  const words = h("span", {}, tool.words ?? tool.label);
  const button = h(
    "button",
    {
      type: "button",
      title: tool.label,
      "aria-keyshortcuts": ariaKey(tool.key),
      // A click leaves the focus where it was: else Space would press this tool again instead of playing.
      on: { click: tool.run, mousedown: (event) => event.preventDefault() },
    },
    words,
    !tool.bare && key(tool.key, tool.shown),
  );
  return [
    button,
    () => {
      if (tool.text) words.textContent = tool.text();
      if (tool.name) button.setAttribute("aria-label", tool.name());
      if (tool.pressed) button.setAttribute("aria-pressed", String(tool.pressed()));
      if (tool.gone) button.hidden = tool.gone();
      if (tool.off) button.disabled = tool.off();
    },
  ];
}
