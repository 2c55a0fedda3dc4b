// Which part of a response's text stands where on screen: the words on screen are matched with those of the source,
// whose markup they have lost. Spans are of whole words.

const UNPARTED = "\\p{Script=Han}\\p{Script=Hiragana}\\p{Script=Katakana}";
const WORD = new RegExp(`[${UNPARTED}]|(?:(?![${UNPARTED}])[\\p{L}\\p{N}\\p{M}])+`, "gu");
const RUN = 3; // words that must agree before a gap counts as passed
const FAR = 80; // words that a gap may have

const wordsOf = (text) => [...text.matchAll(WORD)].map(({ 0: word, index }) => ({ word, start: index, end: index + word.length }));

export class Alignment {
  /** @param {string} source @param {Node} root what shows it */
  constructor(source, root) {
    this.source = source;
    this.ours = wordsOf(source);
    /** @type {{word: string, start: number, end: number, node: Text}[]} */
    this.shown = [];
    const walker = document.createTreeWalker(root, NodeFilter.SHOW_TEXT);
    while (walker.nextNode()) {
      const node = /** @type {Text} */ (walker.currentNode);
      for (const found of wordsOf(node.data)) this.shown.push({ ...found, node });
    }
    /** Of each word on screen its place among those of the source; -1: it is not one of them. */
    this.places = this.#match();
  }

  #match() {
    const { ours, shown } = this;
    const places = new Array(shown.length).fill(-1);
    const agree = (i, j) => {
      let run = 0;
      while (run < RUN && i + run < shown.length && j + run < ours.length && shown[i + run].word === ours[j + run].word) run++;
      return run === RUN || (run > 0 && (i + run === shown.length || j + run === ours.length));
    };
    let i = 0;
    let j = 0;
    while (i < shown.length && j < ours.length) {
      if (shown[i].word === ours[j].word) {
        places[i++] = j++;
        continue;
      }
      const [di, dj] = gap((di, dj) => agree(i + di, j + dj));
      i += di;
      j += dj;
    }
    return places;
  }

  /** The span of the source that a range on screen covers, in whole words. @param {Range} range */
  spanOf(range) {
    let first = null;
    let last = null;
    for (const [index, { node, start, end }] of this.shown.entries()) {
      if (this.places[index] < 0 || !touches(range, node, start, end)) continue;
      first ??= this.places[index];
      last = this.places[index];
    }
    return first === null ? null : { start: this.ours[first].start, end: this.ours[last].end };
  }

  /** The range on screen of a span of the source; null where it does not stand there. */
  rangeOf({ start, end }) {
    const within = this.shown.filter((_, index) => {
      const word = this.ours[this.places[index]];
      return word && word.end > start && word.start < end;
    });
    if (!within.length) return null;
    const range = document.createRange();
    range.setStart(within[0].node, within[0].start);
    range.setEnd(within.at(-1).node, within.at(-1).end);
    return range;
  }

  /** Where words that somebody typed stand first in the source, whatever their case and what stands between them. */
  find(typed) {
    const wanted = wordsOf(typed.toLowerCase()).map(({ word }) => word);
    if (!wanted.length) return null;
    const at = this.ours.findIndex((_, from) => wanted.every((word, n) => this.ours[from + n]?.word.toLowerCase().startsWith(word)));
    return at < 0 ? null : { start: this.ours[at].start, end: this.ours[at + wanted.length - 1].end };
  }
}

/** The smallest gap behind which both agree again; else both words are passed over. */
function gap(agree) {
  for (let far = 1; far <= FAR; far++)
    for (let di = 0; di <= far; di++) if (agree(di, far - di)) return [di, far - di];
  return [1, 0];
}

/** Whether a word of a text node overlaps a range. */
function touches(range, node, start, end) {
  const from = range.comparePoint(node, end);
  const to = range.comparePoint(node, start);
  const begins = from > 0 || (from === 0 && !(range.startContainer === node && range.startOffset === end));
  const stops = to < 0 || (to === 0 && !(range.endContainer === node && range.endOffset === start));
  return begins && stops;
}

/** Characters as the server counts them (code points) before a place in the text. */
export const pointsBefore = (text, index) => [...text.slice(0, index)].length;

/** The place in the text behind so many characters. */
export const indexOfPoint = (text, points) => [...text].slice(0, points).join("").length;
