// Elements without templates or innerHTML: text is always text.

import { chosen } from "./spelling.js";

/**
 * @param {string} tag
 * @param {Record<string, any>} [props] class, dataset, on (event name -> listener); booleans set or omit; the rest attributes
 * @param {...(Node|string|null|undefined|false)} children
 * @returns {HTMLElement}
 */
export function h(tag, props = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) {
    if (value === null || value === undefined || value === false) continue;
    if (name === "on") for (const [type, listener] of Object.entries(value)) element.addEventListener(type, listener);
    else if (name === "dataset") Object.assign(element.dataset, value);
    else if (name === "value") element.value = value;
    else element.setAttribute(name, value === true ? "" : String(value));
  }
  element.append(...children.filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

/** A key that is what it says, whatever was chosen. @param {string} name */
export const printed = (name) => h("kbd", { "aria-hidden": "true" }, name);

/** A key as it is printed on the page: every action shows its own. @param {string} name @param {string} [shown] how ours is printed */
export const key = (name, shown = name) => printed(chosen(name) ?? shown);

/** Shows `element` as the only child of `place`. @param {Element} place @param {...(Node|string)} children */
export const fill = (place, ...children) => place.replaceChildren(...children);
