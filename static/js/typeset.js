// Sets formulas and colours code in elements that hold their sources. What that needs is fetched when one is there.

const FORMULAS = ".formula";
const CODE = "pre code[class^=language-]";
const SLICE = 12; // ms of work before the screen may show what is done

let katex = null;
let highlighter = null;
let pending = Promise.resolve();

/** Whether a text has anything that is set here, as far as a look tells. @param {string} text */
const needs = (text) => ({ formulas: /\$|\\[([]|\\begin\{/.test(text), code: /^ *(```|~~~)\s*\w/m.test(text) });

/** Fetches what a text needs before it is shown. @param {string} text */
export function ahead(text) {
  const { formulas, code } = needs(text);
  return Promise.all([formulas && loadKatex(), code && loadHighlighter()]);
}

/** Resolves when all that was rendered is set. */
export const settled = () => pending;

/** @param {DocumentFragment|Element} root */
export function typeset(root) {
  const formulas = [...root.querySelectorAll(FORMULAS)];
  const code = [...root.querySelectorAll(CODE)];
  for (const element of formulas) element.dataset.tex = element.textContent;
  if (!formulas.length && !code.length) return;
  const work = [...formulas.map((element) => () => setFormula(element)), ...code.map((element) => () => setCode(element))];
  if ((katex || !formulas.length) && (highlighter || !code.length)) {
    const left = sliced(work);
    if (left) pending = Promise.all([pending, left]);
    return;
  }
  const ready = Promise.all([formulas.length && loadKatex(), code.length && loadHighlighter()]).then(() => sliced(work));
  pending = Promise.all([pending, ready.catch(() => {})]); // not to be had: the sources stay as they are
}

/** Does as much as fits before the next frame, then the rest. @returns {Promise<void>|null} null: all is done */
function sliced(work) {
  const until = performance.now() + SLICE;
  while (work.length && performance.now() < until) work.shift()();
  return work.length ? new Promise((resolve) => requestAnimationFrame(() => resolve(sliced(work)))) : null;
}

/** @param {HTMLElement} element */
function setFormula(element) {
  try {
    // As elements and not as a string: its inline styles are set by script then, which the page's policy allows.
    katex.render(element.dataset.tex, element, { displayMode: element.classList.contains("display"), throwOnError: true, strict: "ignore", trust: false, maxExpand: 500, maxSize: 30 });
  } catch {
    element.textContent = element.dataset.tex; // no formula after all, or a wrong one: as it was written
    element.classList.add("unset");
  }
}

/** @param {HTMLElement} element */
function setCode(element) {
  const language = element.className.slice("language-".length).split(/\s/)[0].toLowerCase();
  if (!highlighter.getLanguage(language)) return;
  const { value } = highlighter.highlight(element.textContent, { language, ignoreIllegals: true });
  // The source is escaped in what comes back: it holds text and spans of classes, and nothing else is taken over.
  element.replaceChildren(...plain(new DOMParser().parseFromString(value, "text/html").body.childNodes));
}

const plain = (nodes) =>
  [...nodes].map((node) => {
    if (node.nodeType === Node.TEXT_NODE) return document.createTextNode(node.data);
    const span = document.createElement("span");
    span.className = node.className;
    span.append(...plain(node.childNodes));
    return span;
  });

const loadKatex = once(async () => {
  const [module] = await Promise.all([import("katex"), styled()]);
  katex = module.default;
});

const loadHighlighter = once(async () => {
  highlighter = (await import("highlight.js/lib/common")).default;
});

/** The page names the style sheet of formulas; a browser fetches it once it is switched on. */
function styled() {
  const link = /** @type {HTMLLinkElement} */ (document.getElementById("formulas-style"));
  return new Promise((resolve, reject) => {
    link.addEventListener("load", resolve, { once: true });
    link.addEventListener("error", reject, { once: true });
    link.disabled = false;
  });
}

/** Runs a load once, and again only if it failed. */
function once(load) {
  let running = null;
  return () => {
    running ??= load().catch((error) => {
      running = null;
      throw error;
    });
    return running;
  };
}
