// Every key of the page in whatever state it is, with what it does: a key that one chooses must clash with none of them,
// also where the action is not on screen. A name stands for the same key in every viewer.

import { inContext, t } from "./tongue.js";

/** @type {Record<string, string>} our name of a key -> what it does, which may be another key's by choice */
export const ACTIONS = {
  Enter: t("Submit and next"),
  U: t("Back: take the last one back"),
  S: t("Skip"),
  P: t("All of the prompt, or less"),
  X: t("Other side, on a narrow screen"),
  ";": t("Pairs that you judged"),
  G: t("Guidelines"),
  "?": t("These keys"),
  V: t("Show a sensitive pair"),
  "'": t("Take pairs offline"),
  ...Object.fromEntries([1, 2, 3, 4, 5, 6, 7, 8].map((n) => [n, t("A verdict")])),
  9: t("Not applicable"),
  0: t("Cannot tell"),
  "/": t("Tags"),
  A: t("Evidence: the place that shows it"),
  M: t("Media broken"),
  R: t("Why: your reasons"),
  J: t("Next criterion"),
  K: t("Criterion before"),
  N: t("A criterion of your own"),
  Y: t("Fill the screen, or not"),
  " ": t("Play or pause"),
  "<": t("Slower"),
  ">": t("Faster"),
  ",": t("A frame back"),
  ".": t("A frame on"),
  "-": inContext("zoom", "Out"),
  "+": inContext("zoom", "In"),
  "[": t("The wipe to the left"),
  "]": t("The wipe to the right"),
  B: t("Blink: one after the other"),
  C: t("The next view, or the other of two that blink"),
  D: t("Difference, or arrows turn or move"),
  E: t("Next difference, or which two are compared"),
  F: t("Fit, or reset the view"),
  H: t("Hear the other one, or nothing"),
  I: t("A loop begins here, true size, or number of faces"),
  L: t("Loop, loupe, or scroll together"),
  O: t("A loop ends here"),
  Q: t("Loudness matched, or as it is"),
  T: t("Spectrogram, turntable, or a stronger difference"),
  W: t("Wipe, or textured, plain, wireframe"),
  Z: t("1:1"),
};

/** What does something by its own name alone, whatever was chosen. */
export const FIXED = { A: t("A, where a side is asked for"), B: t("B, where a side is asked for"), P: t("The prompt, where a medium is asked for"), "=": inContext("zoom", "In"), ...Object.fromEntries([1, 2, 3, 4, 5, 6, 7, 8, 9].map((n) => [n, t("A tag")])) };
