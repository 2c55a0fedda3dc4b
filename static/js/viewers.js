// Which module shows what. Each is fetched only when a pair needs it.
//
// A viewer exports mount(element, data) with data = {text, medium, label, link, image} and returns {ready, destroy}:
// `link` is one object for both sides of a pair, what is linked lives in it. It may offer createLink() and tools(link).

import { drop, picture } from "./pictures.js";

const LOADERS = {
  text: () => import("./viewers/text.js"),
  image: () => import("./viewers/image.js"),
  video: () => import("./viewers/video.js"),
  audio: () => import("./viewers/audio.js"),
};

/** What a side holds. @param {{text: string, medium: {modality: string}|null, media?: any}} side */
export const kindOf = (side) => side.media?.modality ?? "text";

/** @param {string} kind @returns {Promise<any>} */
export function loadViewer(kind) {
  const loader = LOADERS[kind];
  if (!loader) return Promise.reject(new Error(`This page has no viewer for ${kind}.`));
  return loader();
}

/** Fetches the viewers of a claim and its images, so that it shows at once. Failures come again when it is shown. */
export async function prefetch(claim) {
  const media = [claim.a.media, claim.b.media, ...claim.prompt.media].filter(Boolean);
  await Promise.allSettled([
    ...[claim.a, claim.b].map((side) => loadViewer(kindOf(side))),
    ...media.filter((medium) => medium.modality === "image").map((medium) => picture(medium.url).ready),
  ]);
}

/** Lets go of a claim's images. */
export function forget(claim) {
  for (const medium of [claim.a.media, claim.b.media, ...claim.prompt.media]) if (medium) drop(medium.url);
}
