// Which key stands for which: annotators may choose others. What they chose is kept in the browser.

const PLACE = "evenhand-keys";

/** @type {Record<string, string>} our name of a key -> the one that was chosen for it */
let others = {};
try {
  others = JSON.parse(localStorage.getItem(PLACE) ?? "{}");
} catch {
  // storage is switched off, or holds something else: the keys are ours
}

/** The key that was chosen in place of ours, if one was. @param {string} name */
export const chosen = (name) => (Object.hasOwn(others, name) ? others[name] : undefined);

/** The key that does what ours does. @param {string} name */
export const spelled = (name) => chosen(name) ?? name;

/** The key that does what ours does, as aria-keyshortcuts names it. @param {string} name */
export const ariaKey = (name) => ({ " ": "Space", "+": "Plus" })[spelled(name)] ?? spelled(name);

/** Chooses a key in place of ours; null: ours again. @param {string} name @param {string|null} other */
export function choose(name, other) {
  const { [name]: _before, ...rest } = others;
  others = other === null || other === name ? rest : { ...rest, [name]: other };
  try {
    localStorage.setItem(PLACE, JSON.stringify(others));
  } catch {
    // it holds until the page is closed
  }
}

/** All keys are ours again. */
export function chooseNone() {
  for (const name of Object.keys(others)) choose(name, null);
}
