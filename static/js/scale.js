// The verdict scale of a project, from A on the left to B on the right, and how a verdict is told in words.

/**
 * @typedef {{verdict: string, strength: number|null, tie_kind: string, broken: string}} Found
 * @typedef {Found & {tone: "a"|"b"|"t", label: [string, string], name: string}} Point
 */

const STRENGTHS = { 3: [null], 5: [3, 2], 7: [3, 2, 1] };
const WORDS = { null: "better", 1: "slightly", 2: "better", 3: "much" };
const NAMES = { null: "better", 1: "slightly better", 2: "better", 3: "much better" };

const sided = (side, strength) => ({
  verdict: side,
  strength,
  tie_kind: "",
  broken: "",
  tone: side,
  label: [side.toUpperCase(), WORDS[strength]],
  name: `${side.toUpperCase()} ${NAMES[strength]}`,
});
const tie = (kind, label, name) => ({ verdict: "tie", strength: null, tie_kind: kind, broken: "", tone: "t", label, name });

/** @param {{scale: 3|5|7, split_ties: boolean}} project @returns {Point[]} */
export function pointsOf({ scale, split_ties }) {
  const strengths = STRENGTHS[scale];
  const middle = split_ties
    ? [tie("both_good", ["Both", "good"], "Both good"), tie("both_bad", ["Both", "bad"], "Both bad")]
    : [tie("", ["Tie", ""], "Tie")];
  return [
    ...strengths.map((strength) => sided("a", strength)),
    ...middle,
    ...strengths.toReversed().map((strength) => sided("b", strength)),
  ];
}

export const CANNOT_TELL = { verdict: "cannot_tell", strength: null, tie_kind: "", broken: "" };
export const NOT_APPLICABLE = { ...CANNOT_TELL, verdict: "not_applicable" };
export const NOTHING = { verdict: "", strength: null, tie_kind: "", broken: "" };
export const broken = (side) => ({ verdict: "media_broken", strength: null, tie_kind: "", broken: side });

/** @param {Found} one @param {Found} other */
export const same = (one, other) =>
  one.verdict === other.verdict && one.strength === other.strength && one.tie_kind === other.tie_kind;

/** A verdict in words, and the tone to print it in. @param {Found} found @param {Point[]} points @returns {[string, string]} */
export function told(found, points) {
  if (found.verdict === "cannot_tell") return ["Cannot tell", "t"];
  if (found.verdict === "not_applicable") return ["Not applicable", "t"];
  if (found.verdict === "media_broken")
    return [found.broken === "prompt" ? "Prompt broken" : `${found.broken.toUpperCase()} broken`, "t"];
  const point = points.find((one) => same(one, found));
  return point ? [point.name, point.tone] : ["Not judged", "none"];
}
