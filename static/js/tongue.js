// What the page says, in the language of the page: messages of the catalog that stands before the modules (English has
// none: its messages are their own names), and numbers and times as the language writes them.
//
// A message is a whole sentence with {names} in it, never a part that is glued to another: other languages have another
// order of words. `make messages` finds every t("..."), plural("...", "...", n) and inContext("...", "...") in the
// sources, so messages are written out there and not computed.

/** @type {{catalog: Record<string, string|string[]>, form: (n: number) => number}} as webapp/tongues.py writes it */
const { catalog, form } = globalThis.evenhandTongue ?? { catalog: {}, form: (n) => (n === 1 ? 0 : 1) };

/** The language that the page is written in, as BCP 47 names it. */
export const language = document.documentElement.lang || "en";

const numbers = new Intl.NumberFormat(language);
const times = new Intl.DateTimeFormat(language, { dateStyle: "medium", timeStyle: "short" });

/** @param {number} value @param {Intl.NumberFormatOptions} [how] */
export const number = (value, how) => (how ? new Intl.NumberFormat(language, how) : numbers).format(value);

/** @param {number} share of one @returns {string} as a percentage in whole numbers */
export const percent = (share) => number(share, { style: "percent", maximumFractionDigits: 0 });

/** @param {Date|string|number} moment @param {Intl.DateTimeFormatOptions} [how] */
export const time = (moment, how) => (how ? new Intl.DateTimeFormat(language, how) : times).format(new Date(moment));

const filled = (message, values) => message.replace(/\{(\w+)\}/g, (whole, name) => (name in values ? (typeof values[name] === "number" ? number(values[name]) : values[name]) : whole));

/** @param {string} message @param {Record<string, string|number>} [values] numbers are written as the language does */
export const t = (message, values = {}) => filled(catalog[message] ?? message, values);

/** A word that means different things in different places, with where this one stands. @param {string} context @param {string} message @param {Record<string, string|number>} [values] */
export const inContext = (context, message, values = {}) => filled(catalog[`${context}\u0004${message}`] ?? message, values);

/** A message about {n} things. @param {string} one @param {string} many @param {number} n @param {Record<string, string|number>} [values] */
export const plural = (one, many, n, values = {}) => filled((catalog[one] ?? [one, many])[form(n)], { n, ...values });
