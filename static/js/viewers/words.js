// The words of what is on screen, and marks on them. Marks are the browser's highlights: they change nothing in the text.

const segmenter = new Intl.Segmenter(undefined, { granularity: "word" }); // also where nothing stands between words

/**
 * @param {Element} root
 * @returns {{word: string, node: Node, start: number, end: number}[]} in reading order; a formula is one word, its source
 */
export function wordsOf(root) {
  const words = [];
  const take = (node) => {
    for (const child of node.childNodes) {
      if (child.nodeType === Node.ELEMENT_NODE) {
        const { tex } = /** @type {HTMLElement} */ (child).dataset;
        if (tex === undefined) take(child);
        else words.push({ word: tex.trim(), node: child, start: 0, end: child.childNodes.length });
      } else if (child.nodeType === Node.TEXT_NODE) {
        for (const { segment, index } of segmenter.segment(child.data))
          if (segment.trim()) words.push({ word: segment, node: child, start: index, end: index + segment.length });
      }
    }
  };
  take(root);
  return words;
}

/** @param {string} name of the highlight @param {ReturnType<typeof wordsOf>} words @param {Uint8Array} marks 1 where a word is marked */
export function mark(name, words, marks) {
  const ranges = [];
  for (let n = 0; n < words.length; n++) {
    if (!marks[n]) continue;
    const { node, start } = words[n];
    while (marks[n + 1] && words[n + 1].node === node) n++; // neighbours, with what stands between them
    const range = new Range();
    range.setStart(node, start);
    range.setEnd(node, words[n].end);
    ranges.push(range);
  }
  CSS.highlights.set(name, new Highlight(...ranges));
  return ranges;
}
