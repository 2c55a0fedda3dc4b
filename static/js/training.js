// Training and quiz as the judge page tells of them: what comes, and what an answer was beside the known one.

import { h } from "./dom.js";
import { told } from "./scale.js";
import { plural, t } from "./tongue.js";

/** What is told before a part begins, or once it is over ("": the real pairs). @param {"training"|"quiz"|""} part @param {any} way */
export function introduction(part, way) {
  if (part === "training")
    return {
      title: t("First, some training"),
      text: plural(
        "There is one pair whose answer is known. After yours you see it, and why. Nothing of this counts.",
        "There are {n} pairs whose answers are known. After each of yours you see the known one, and why. Nothing of this counts.",
        way.training,
      ),
      button: t("Begin"),
    };
  if (part === "quiz")
    return {
      title: t("Now a short quiz"),
      text: [
        way.told,
        plural("One answer is asked for.", "{n} answers are asked for.", way.asked),
        t("{n} must be right to go on to the real pairs.", { n: way.needed }),
        t("You are not told the answers, and what you submit stands."),
        way.left === null ? "" : plural("You have one attempt.", "You have {n} attempts.", way.left),
      ]
        .filter(Boolean)
        .join(" "),
      button: t("Begin"),
    };
  return { title: t("You are in"), text: t("From here on your verdicts count. Thank you for taking the time."), button: t("Go on") };
}

/** How far one is in a part. @param {{part: string, n: number, of: number}} stage */
export const stageTold = ({ part, n, of }) => (part === "quiz" ? t("Quiz: {n} of {all}", { n, all: of }) : t("Training: {n} of {all}", { n, all: of }));

const known = (verdict) => (verdict === "tie" ? t("Tie") : t("{side} better", { side: verdict.toUpperCase() }));

const outcome = (right) => {
  if (right === null) return t("You gave no verdict");
  return right ? t("As it is known") : t("Not as it is known");
};

/**
 * Each criterion with what was said, the known answer and its reason.
 * @param {{comparison: number, verdict: string, right: boolean|null, note: string}[]} feedback
 * @param {any[]} rows of the draft @param {Point[]} points
 */
export function feedbackShown(feedback, rows, points) {
  return h(
    "section",
    { class: "now feedback", "aria-label": t("How it is known") },
    ...feedback.map((one) => {
      const row = rows.find(({ comparison }) => comparison === one.comparison);
      const [yours, tone] = told(row ?? {}, points);
      return h(
        "div",
        { class: "one" },
        h("p", { dir: "auto", class: "criterion" }, row?.criterion ?? ""),
        h("p", { class: `outcome ${one.right ? "right" : ""}` }, h("span", { "aria-hidden": "true" }, one.right ? "\u2713" : "\u2260"), outcome(one.right)),
        h("dl", {}, h("dt", {}, t("You")), h("dd", {}, h("span", { class: `result ${tone}` }, yours)), h("dt", {}, t("Known")), h("dd", {}, h("span", { class: `result ${one.verdict === "tie" ? "t" : one.verdict}` }, known(one.verdict)))),
        one.note && h("p", { class: "because", dir: "auto" }, one.note),
      );
    }),
  );
}

/** The same in one sentence each, for those who hear the page. @param {{verdict: string, right: boolean|null, note: string}[]} feedback */
export const feedbackSaid = (feedback) => feedback.map(({ right, verdict, note }) => [`${outcome(right)}.`, t("Known: {verdict}.", { verdict: known(verdict) }), note].filter(Boolean).join(" ")).join(" ");
