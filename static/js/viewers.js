// Which module shows what. Each is fetched only when a pair needs it.
//
// A viewer exports mount(element, data) with data = {text, medium, label, side, link} and returns {ready, destroy}:
// `link` is one object for all sides that are linked, what they share lives in it. A viewer may offer createLink(),
// together(element, link), which shows both sides in one place, and tools(link, shown), asked once all are mounted, which
// returns {content, keys, moves}: what stands in the bar, the keys, and whether a swipe moves what is shown now. `ahead`
// makes what is shown next before it is shown.

import { mediaOf, readJson, sibling } from "./media.js";
import { drop, picture } from "./pictures.js";
import { t } from "./tongue.js";

const LOADERS = {
  text: () => import("./viewers/text.js"),
  image: () => import("./viewers/image.js"),
  video: () => import("./viewers/video.js"),
  audio: () => import("./viewers/audio.js"),
  mesh: () => import("./viewers/mesh.js"),
};
const NEAR = 2; // claims: the one on screen and the next have their players, sounds and models made

/** What a side holds. @param {{text: string, medium: {modality: string}|null, media?: any}} side */
export const kindOf = (side) => side.media?.modality ?? "text";

/** @param {string} kind @returns {Promise<any>} */
export function loadViewer(kind) {
  const loader = LOADERS[kind];
  if (!loader) return Promise.reject(new Error(t("This page has no viewer for {kind}.", { kind })));
  return loader();
}

/** The image that both responses were made from, which is shown beside them: the prompt's first. */
export function sourceOf(claim) {
  const first = claim.prompt.media[0];
  return first?.modality === "image" && kindOf(claim.a) === "image" && kindOf(claim.b) === "image" ? first : null;
}

/** What a viewer shows before all else. */
const FIRST = {
  image: (url) => picture(url).ready,
  video: (url) => Promise.all([picture(sibling(url, "poster")).ready, readJson(sibling(url, "frames"))]),
  audio: (url) => readJson(sibling(url, "peaks")),
  mesh: (url) => picture(sibling(url, "thumb")).ready,
};

/** Claims whose media are fetched, the nearest first. */
let line = [];

/** Fetches a claim's viewers and what they show first, so that it shows at once. Failures come again when it is shown. */
export async function prefetch(claim) {
  line.push(claim);
  const kinds = new Set(["text", ...mediaOf(claim).map((medium) => medium.modality)]);
  const texts = [claim.a.text, claim.b.text, ...claim.prompt.turns.map(({ text }) => text)];
  await Promise.allSettled([
    ...[...kinds].map((kind) => loadViewer(kind)),
    ...texts.map(async (text) => (await loadViewer("text")).typesetAhead(text)),
    ...mediaOf(claim).map((medium) => FIRST[medium.modality]?.(medium.url)),
  ]);
  approach();
}

/** Makes what takes longer, for the claims that come soon; when there is nothing better to do. */
function approach() {
  const idle = window.requestIdleCallback ?? setTimeout;
  for (const claim of line.slice(0, NEAR)) {
    if (claim === line[0]) continue; // on screen, or about to be: its viewers make their own
    for (const medium of mediaOf(claim))
      loadViewer(medium.modality).then(
        ({ ahead }) => ahead && idle(() => line.includes(claim) && ahead.want(medium)),
        () => {},
      );
  }
}

/** Lets go of a claim's media. */
export function forget(claim) {
  line = line.filter((one) => one.id !== claim.id);
  for (const medium of mediaOf(claim)) {
    for (const kind of ["web", "poster", "thumb"]) drop(sibling(medium.url, kind));
    loadViewer(medium.modality).then(({ ahead }) => ahead?.forget(medium), () => {});
  }
  approach();
}
