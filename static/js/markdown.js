// Markdown of strangers: no HTML in it, cleaned again after rendering, and nothing in it is ever fetched.

import createDOMPurify from "dompurify";
import MarkdownIt from "markdown-it";
import { formulaAt, formulas } from "./formulas.js";
import { t } from "./tongue.js";
import { typeset } from "./typeset.js";

const markdown = new MarkdownIt({ html: false, linkify: false, breaks: true }).use(formulas);

// An image is named, never loaded: a foreign request would tell who reads what, and when.
markdown.renderer.rules.image = (tokens, index) => {
  const { escapeHtml } = markdown.utils;
  const label = tokens[index].content || tokens[index].attrGet("src") || "";
  const words = t("Picture: {label}", { label });
  return `<span class="picture">${escapeHtml(words)}</span>`;
};

// Columns are aligned by inline styles, which the page's policy forbids: by classes instead.
for (const rule of ["th_open", "td_open"]) {
  markdown.renderer.rules[rule] = (tokens, index, options, _env, renderer) => {
    const token = tokens[index];
    const side = token.attrGet("style")?.replace("text-align:", "");
    token.attrs = side && side !== "left" ? [["class", `at-${side}`]] : null;
    return renderer.renderToken(tokens, index, options);
  };
}

const purify = createDOMPurify(window);
const CLEAN = {
  ALLOWED_TAGS: (
    "a b blockquote br code del em h1 h2 h3 h4 h5 h6 hr i li ol p pre s span strong table tbody td th thead tr ul"
  ).split(" "),
  ALLOWED_ATTR: ["href", "start", "class"],
  ALLOWED_URI_REGEXP: /^https?:/i,
  RETURN_DOM_FRAGMENT: true,
};

const DIRECTED = "p, h1, h2, h3, h4, h5, h6, ul, ol, li, blockquote, table, th, td";

/** @param {string} text @returns {DocumentFragment} */
export function render(text) {
  const fragment = purify.sanitize(markdown.render(text), CLEAN);
  for (const link of fragment.querySelectorAll("a")) {
    if (!link.hasAttribute("href")) {
      link.replaceWith(...link.childNodes); // a link to nowhere, or into our own pages: its text remains
      continue;
    }
    link.target = "_blank";
    link.rel = "noopener noreferrer nofollow";
    link.title = link.href;
  }
  for (const block of fragment.querySelectorAll("pre, table")) block.tabIndex = 0; // they scroll: by keyboard too
  for (const block of fragment.querySelectorAll(DIRECTED)) block.dir = "auto"; // each runs as its own script does
  typeset(fragment);
  return fragment;
}

/** As it was typed, but for formulas and fenced code: what people ask is rarely markdown. @param {string} text @returns {DocumentFragment} */
export function asTyped(text) {
  const fragment = document.createDocumentFragment();
  const add = (tag, name, words) => {
    const element = document.createElement(tag);
    if (name) element.className = name;
    element.append(words);
    fragment.append(element);
    return element;
  };
  let from = 0;
  const until = (end) => fragment.append(text.slice(from, end));
  for (const { index } of text.matchAll(/^```|\$|\\[([]/gm)) {
    if (index < from) continue;
    const fence = /^```([\w+#-]*)[^\n]*\n(.*?)(?:\n```[ \t]*(?:\n|$)|$(?![\s\S]))/s.exec(text.slice(index));
    const formula = fence ? null : formulaAt(text, index);
    if (!fence && !formula) continue;
    until(index);
    if (fence) {
      const block = add("pre", "", "");
      const code = document.createElement("code");
      if (fence[1]) code.className = `language-${fence[1]}`;
      code.append(fence[2]);
      block.replaceChildren(code);
      block.tabIndex = 0;
    } else add("span", formula.display ? "formula display" : "formula", formula.tex);
    from = fence ? index + fence[0].length : formula.end;
  }
  until(text.length);
  typeset(fragment);
  return fragment;
}
