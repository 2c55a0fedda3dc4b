// What somebody who came from Prolific is told once there is nothing more for them: the code to go back with.

import { call } from "./api.js";
import { h } from "./dom.js";
import { t } from "./tongue.js";

/**
 * Asks the server how far they are. Null: they may go on, or the server does not answer.
 * @param {string} slug
 * @returns {Promise<{crowd: any, title: string, text: string, parts: Node[]} | null>}
 */
export async function crowdEnd(slug) {
  const { crowd } = await call("GET", `projects/${slug}/`).catch(() => ({ crowd: null }));
  if (!crowd || crowd.stage === "working") return null;
  const parts = [];
  if (crowd.code) {
    parts.push(h("p", { class: "crowd-code" }, crowd.code));
    parts.push(h("a", { class: "go", href: crowd.link, rel: "noreferrer" }, t("Back to Prolific")));
  }
  if (crowd.stage === "done") return { crowd, title: t("All done. Thank you!"), text: t("Your code for Prolific stands below; the link takes it along."), parts };
  const text = crowd.code ? t("You cannot go on here. Go back to Prolific with this code.") : t("You cannot go on here. Write to the researcher on Prolific.");
  return { crowd, title: t("There is nothing more for you here"), text, parts };
}
