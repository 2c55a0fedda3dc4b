// Keys that act on the page. Single keys are off while one types, can be switched off for good, and each may be another.

import { ACTIONS, FIXED } from "./actions.js";
import { chosen, spelled } from "./spelling.js";

const SWITCH = "evenhand-single-keys";

/** @typedef {{label: string, run: (event: KeyboardEvent) => void, group?: string, shown?: string, hidden?: boolean}} Action */

export class Keys {
  /** @type {Map<string, {actions: Record<string, Action>, within: Element|null, yields: boolean}>} later ones come first */
  #layers = new Map();
  /** @type {string[]|null} the layers that act now; null: all */
  #only = null;

  constructor() {
    document.addEventListener("keydown", (event) => this.#down(event));
  }

  get on() {
    try {
      return localStorage.getItem(SWITCH) !== "off";
    } catch {
      return true;
    }
  }

  set on(value) {
    try {
      localStorage.setItem(SWITCH, value ? "on" : "off");
    } catch {
      // storage is switched off: the keys stay on
    }
  }

  /**
   * Replaces a layer of keys; null takes it away. Keys within an element act while the focus is in it, and go first
   * there; keys that yield act where no other layer has the key.
   * @param {string} name @param {Record<string, Action>|null} actions @param {{within?: Element, yields?: boolean}} [how]
   */
  bind(name, actions, { within = null, yields = false } = {}) {
    this.#layers.delete(name);
    for (const [own, { hidden, label }] of Object.entries(actions ?? {}))
      if (own.length === 1 && !hidden && !(own in ACTIONS)) console.error(`The key ${own} (${label}) is missing in actions.js: another could be chosen for it twice.`);
    if (actions) this.#layers.set(name, { actions, within, yields });
  }

  /** Lets the keys of some layers act alone; null: of all. @param {string[]|null} names */
  only(names) {
    this.#only = names;
  }

  /** The layers that count for a key pressed in `target`, the first to ask first. @param {Element|null} target */
  #order(target) {
    const acting = [...this.#layers].filter(([name]) => this.#only?.includes(name) ?? true).map(([, layer]) => layer);
    const layers = acting.reverse().filter(({ within }) => !within || within.contains(target));
    const rank = ({ within, yields }) => (within ? 0 : yields ? 2 : 1);
    return layers.sort((one, other) => rank(one) - rank(other)).map(({ actions }) => actions);
  }

  /**
   * What else a key does already, in this state of the page or another, in words; "" where it is free.
   * @param {string} pressed @param {string} name of the key in whose place it would stand
   */
  taken(pressed, name) {
    if (pressed === name) return "";
    const other = Object.keys(ACTIONS).find((one) => one !== name && spelled(one) === pressed);
    return other ? ACTIONS[other] : (FIXED[pressed] ?? "");
  }

  /** All that a key does now, by group. @returns {Map<string, {keys: string[], label: string, names: string[]}[]>} */
  list() {
    const groups = new Map();
    const taken = new Set();
    for (const actions of this.#order(null))
      for (const [name, { label, group = "More", shown, hidden }] of Object.entries(actions)) {
        if (hidden || taken.has(name)) continue;
        taken.add(name);
        const rows = groups.get(group) ?? groups.set(group, []).get(group);
        const known = rows.find((row) => row.label === label);
        const told = chosen(name) ?? shown ?? name;
        if (known) {
          known.keys.push(told);
          known.names.push(name);
        } else rows.push({ keys: [told], label, names: [name] });
      }
    return groups;
  }

  #down(event) {
    if (event.defaultPrevented || event.isComposing || event.ctrlKey || event.metaKey || event.altKey) return;
    if (document.querySelector("dialog[open]")) return;
    const target = /** @type {HTMLElement} */ (event.target);
    if (target.closest("input:not([type=radio], [type=checkbox], [type=range]), textarea, select, [contenteditable]")) return;
    const name = this.#name(event);
    if (name !== "Enter" && !this.on) return;
    // A focused button or link takes Enter itself; a radio does not: it is chosen by Space.
    if (name === "Enter" && (event.repeat || target.closest("a, button:not([role=radio]), summary"))) return;
    if (name === " " && target.closest("a, button, summary, input:not([type=range])")) return; // and they take Space
    if (name.startsWith("Arrow") && target.closest("[role=radiogroup], .dock")) return;
    const action = this.#find(target, name);
    if (!action) return;
    event.preventDefault();
    action.run(event);
  }

  #find(target, name) {
    for (const actions of this.#order(target))
      for (const [own, action] of Object.entries(actions)) if ((action.hidden ? own : spelled(own)) === name) return action;
    return null;
  }

  #name(event) {
    const digit = /^(?:Digit|Numpad)(\d)$/.exec(event.code);
    if (digit && !event.shiftKey) return digit[1]; // also where the digits' row prints accents
    return event.key.length === 1 ? event.key.toUpperCase() : event.key;
  }
}

/** The same actions in a group of the list of keys. @param {Record<string, Action>} actions @param {string} group */
export const grouped = (actions, group) => Object.fromEntries(Object.entries(actions).map(([name, action]) => [name, { ...action, group }]));
