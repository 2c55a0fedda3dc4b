// Keys that act on the page. Single keys are off while one types, and can be switched off for good.

const SWITCH = "evenhand-single-keys";

/** @typedef {{label: string, run: (event: KeyboardEvent) => void, group?: string, shown?: string, hidden?: boolean}} Action */

export class Keys {
  /** @type {Map<string, Record<string, Action>>} later layers come first */
  #layers = new Map();

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

  /** Replaces a layer of keys; null takes it away. @param {string} name @param {Record<string, Action>|null} actions */
  bind(name, actions) {
    this.#layers.delete(name);
    if (actions) this.#layers.set(name, actions);
  }

  /** All that a key does now, by group. @returns {Map<string, {keys: string[], label: string}[]>} */
  list() {
    const groups = new Map();
    for (const actions of this.#layers.values())
      for (const [name, { label, group = "More", shown, hidden }] of Object.entries(actions)) {
        if (hidden) continue;
        const rows = groups.get(group) ?? groups.set(group, []).get(group);
        const known = rows.find((row) => row.label === label);
        if (known) known.keys.push(shown ?? name);
        else rows.push({ keys: [shown ?? name], label });
      }
    return groups;
  }

  #down(event) {
    if (event.defaultPrevented || event.isComposing || event.ctrlKey || event.metaKey || event.altKey) return;
    if (document.querySelector("dialog[open]")) return;
    const target = /** @type {HTMLElement} */ (event.target);
    if (target.closest("input:not([type=radio], [type=checkbox]), textarea, select, [contenteditable]")) return;
    const name = this.#name(event);
    if (name !== "Enter" && !this.on) return;
    // A focused button or link takes Enter itself; a radio does not: it is chosen by Space.
    if (name === "Enter" && (event.repeat || target.closest("a, button:not([role=radio]), summary"))) return;
    if (name.startsWith("Arrow") && target.closest("video, audio, [role=radiogroup], .dock")) return;
    const action = [...this.#layers.values()].reverse().find((actions) => name in actions)?.[name];
    if (!action) return;
    event.preventDefault();
    action.run(event);
  }

  #name(event) {
    const digit = /^(?:Digit|Numpad)(\d)$/.exec(event.code);
    if (digit && !event.shiftKey) return digit[1]; // also where the digits' row prints accents
    return event.key.length === 1 ? event.key.toUpperCase() : event.key;
  }
}
