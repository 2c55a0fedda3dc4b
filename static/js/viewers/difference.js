// Which words of two texts the other one does not have, in their order.
//
// Short stretches are compared exactly. In long ones, words that stand once in either are the posts between which the rest
// is compared (patience difference), or, where no word does, groups of words: texts of 100,000 characters take a moment,
// however different they are.

const SMALL = 250_000; // cells of a table that is filled: 500 words against 500
const GROUPS = [1, 3, 8]; // words a post

/**
 * @param {string[]} one @param {string[]} other words
 * @returns {[Uint8Array, Uint8Array]} for each word 1 where the other text lacks it
 */
export function difference(one, other) {
  const numbers = new Map();
  const numbered = (words) => Int32Array.from(words, (word) => numbers.get(word) ?? (numbers.set(word, numbers.size), numbers.size - 1));
  const [a, b] = [numbered(one), numbered(other)];
  const marks = [new Uint8Array(a.length).fill(1), new Uint8Array(b.length).fill(1)];
  const same = (i, j) => {
    marks[0][i] = marks[1][j] = 0;
  };
  const open = [[0, a.length, 0, b.length]];
  while (open.length) {
    let [i, iEnd, j, jEnd] = open.pop();
    while (i < iEnd && j < jEnd && a[i] === b[j]) same(i++, j++);
    while (i < iEnd && j < jEnd && a[iEnd - 1] === b[jEnd - 1]) same(--iEnd, --jEnd);
    if (i === iEnd || j === jEnd) continue;
    if ((iEnd - i) * (jEnd - j) <= SMALL) {
      common(a, i, iEnd, b, j, jEnd, same);
      continue;
    }
    let posts = [];
    for (const size of GROUPS) if (!posts.length) posts = rising(shared(a, i, iEnd, b, j, jEnd, size));
    if (!posts.length) continue; // not a group in common: all of it differs
    for (const [ip, jp] of posts) {
      open.push([i, ip, j, jp]);
      same(ip, jp);
      [i, j] = [ip + 1, jp + 1];
    }
    open.push([i, iEnd, j, jEnd]);
  }
  return marks;
}

/** Where groups of words begin that stand once in either stretch, in the first one's order. */
function shared(a, i, iEnd, b, j, jEnd, size) {
  const once = (words, from, to) => {
    const places = new Map();
    for (let at = from; at + size <= to; at++) {
      const group = size === 1 ? words[at] : words.subarray(at, at + size).join();
      places.set(group, places.has(group) ? -1 : at);
    }
    return places;
  };
  const there = once(b, j, jEnd);
  return [...once(a, i, iEnd)].filter(([word, at]) => at >= 0 && (there.get(word) ?? -1) >= 0).map(([word, at]) => [at, there.get(word)]);
}

/** The longest row of pairs whose second places rise too. @param {[number, number][]} pairs */
function rising(pairs) {
  const tops = []; // tops[n]: the pair that ends the row of n + 1 with the least second place
  const before = new Array(pairs.length);
  for (const [index, [, place]] of pairs.entries()) {
    let [low, high] = [0, tops.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (pairs[tops[middle]][1] < place) low = middle + 1;
      else high = middle;
    }
    before[index] = low ? tops[low - 1] : -1;
    tops[low] = index;
  }
  const row = [];
  for (let index = tops.at(-1) ?? -1; index >= 0; index = before[index]) row.push(pairs[index]);
  return row.reverse();
}

/** The longest common subsequence of two short stretches. */
function common(a, i, iEnd, b, j, jEnd, same) {
  const [high, wide] = [iEnd - i, jEnd - j];
  const table = new Uint16Array((high + 1) * (wide + 1));
  const at = (row, column) => row * (wide + 1) + column;
  for (let row = high - 1; row >= 0; row--)
    for (let column = wide - 1; column >= 0; column--)
      table[at(row, column)] = a[i + row] === b[j + column] ? table[at(row + 1, column + 1)] + 1 : Math.max(table[at(row + 1, column)], table[at(row, column + 1)]);
  for (let row = 0, column = 0; row < high && column < wide; ) {
    if (a[i + row] === b[j + column]) same(i + row++, j + column++);
    else if (table[at(row + 1, column)] >= table[at(row, column + 1)]) row++;
    else column++;
  }
}
