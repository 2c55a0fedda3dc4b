// Where formulas stand in a text: $a$, $$a$$, \(a\), \[a\] and, on lines of their own, \begin{align} ... \end{align}.

const ENDS = { "$$": "$$", "\\[": "\\]", "\\(": "\\)", $: "$" };

/**
 * The formula that begins at a place, or null: a dollar before a digit that nothing closes is money.
 * @param {string} text @param {number} at @returns {{tex: string, display: boolean, end: number}|null}
 */
export function formulaAt(text, at) {
  const opens = Object.keys(ENDS).find((mark) => text.startsWith(mark, at));
  if (!opens) return null;
  const closes = ENDS[opens];
  const from = at + opens.length;
  let end = text.indexOf(closes, from);
  while (end > 0 && closes.startsWith("$") && text[end - 1] === "\\") end = text.indexOf(closes, end + 1);
  if (end < 0) return null;
  const tex = text.slice(from, end);
  if (!tex.trim() || /\n\s*\n/.test(tex)) return null;
  if (opens === "$" && (/^\s|\s$|`/.test(tex) || /\d/.test(text[end + 1] ?? ""))) return null;
  return { tex, display: closes === "$$" || closes === "\\]", end: end + closes.length };
}

/** Teaches markdown-it formulas: each becomes an element of class "formula" that holds its source. */
export function formulas(markdown) {
  markdown.inline.ruler.before("escape", "formula", (state, silent) => {
    const found = formulaAt(state.src, state.pos);
    if (!found) return false;
    if (!silent) Object.assign(state.push("formula", "", 0), { content: found.tex, meta: found.display });
    state.pos = found.end;
    return true;
  });
  markdown.block.ruler.before("fence", "formula", block, { alt: ["paragraph", "reference", "blockquote", "list"] });
  markdown.renderer.rules.formula = (tokens, index) => {
    const { content, meta } = tokens[index];
    return `<span class="formula${meta ? " display" : ""}">${markdown.utils.escapeHtml(content)}</span>`;
  };
}

/** A formula on lines of its own: nothing in it is a list or a heading. */
function block(state, first, last, silent) {
  const start = state.bMarks[first] + state.tShift[first];
  const line = state.src.slice(start, state.eMarks[first]);
  const environment = /^\\begin\{([a-z]+\*?)\}/.exec(line)?.[1];
  const closes = environment ? `\\end{${environment}}` : { "$$": "$$", "\\[": "\\]" }[line.slice(0, 2)];
  if (!closes) return false;
  const from = environment ? 0 : 2;
  const lines = [];
  for (let next = first; next < last; next++) {
    const text = state.src.slice(next === first ? start : state.bMarks[next] + Math.min(state.tShift[next], state.blkIndent), state.eMarks[next]).trimEnd();
    const rest = next === first ? text.slice(from) : text;
    if (!rest && next > first) return false; // a blank line ends what was no formula
    if (rest.endsWith(closes)) {
      if (silent) return true;
      const body = [...lines, environment ? rest : rest.slice(0, -closes.length)].join("\n");
      if (!body.trim()) return false;
      const token = state.push("formula", "", 0);
      Object.assign(token, { block: true, content: body, meta: true, map: [first, next + 1] });
      state.line = next + 1;
      return true;
    }
    if (rest.includes(closes)) return false; // something follows on the same line: the inline rule reads it
    lines.push(rest);
  }
  return false;
}
