// The verdict scale of a project, from A on the left to B on the right, and how a verdict is told in words.

import { inContext, t } from "./tongue.js";

/**
 * @typedef {{verdict: string, strength: number|null, tie_kind: string, broken: string}} Found
 * @typedef {Found & {tone: "a"|"b"|"t", label: [string, string], name: string}} Point
 */

const STRENGTHS = { 3: [null], 5: [3, 2], 7: [3, 2, 1] };
// Translators: these stand below a big A or B: B / much, for "B is much better".
const WORDS = {
  null: inContext("below A or B", "better"),
  1: inContext("below A or B", "slightly"),
  2: inContext("below A or B", "better"),
  3: inContext("below A or B", "much"),
};
const named = (side, strength) => {
  if (strength === 1) return t("{side} slightly better", { side });
  return strength === 3 ? t("{side} much better", { side }) : t("{side} better", { side });
};

const sided = (side, strength) => ({
  verdict: side,
  strength,
  tie_kind: "",
  broken: "",
  tone: side,
  label: [side.toUpperCase(), WORDS[strength]],
  name: named(side.toUpperCase(), strength),
});
const tie = (kind, label, name) => ({ verdict: "tie", strength: null, tie_kind: kind, broken: "", tone: "t", label, name });

/** @param {{scale: 3|5|7, split_ties: boolean}} project @returns {Point[]} */
export function pointsOf({ scale, split_ties }) {
  const strengths = STRENGTHS[scale];
  const middle = split_ties
    ? [
        // Translators: two short lines, the first one big: Both / good.
        tie("both_good", [inContext("above good", "Both"), inContext("below Both", "good")], t("Both good")),
        tie("both_bad", [inContext("above bad", "Both"), inContext("below Both", "bad")], t("Both bad")),
      ]
    : [tie("", [t("Tie"), ""], t("Tie"))];
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
  if (found.verdict === "cannot_tell") return [t("Cannot tell"), "t"];
  if (found.verdict === "not_applicable") return [t("Not applicable"), "t"];
  if (found.verdict === "media_broken")
    return [found.broken === "prompt" ? t("Prompt broken") : t("{side} broken", { side: found.broken.toUpperCase() }), "t"];
  const point = points.find((one) => same(one, found));
  return point ? [point.name, point.tone] : [t("Not judged"), "none"];
}
