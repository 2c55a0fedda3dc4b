// Where the files of a medium are, and those of them that scripts read.

import { t } from "./tongue.js";

/** The address of another file made from the same medium. @param {string} url of its "web" @param {string} kind */
export const sibling = (url, kind) => url.replace(/[^/]*$/, kind);

/** What the viewer of a modality asks for. */
const FILES = { image: ["web"], video: ["web", "poster", "frames"], audio: ["web", "peaks"], mesh: ["web", "thumb"] };

/** The media of a claim: both responses' and the prompt's. */
export const mediaOf = (claim) => [claim.a.media, claim.b.media, ...claim.prompt.media].filter(Boolean);

/** The addresses of all that a claim shows. @returns {string[]} */
export const filesOf = (claim) => mediaOf(claim).flatMap(({ url, modality }) => FILES[modality].map((kind) => sibling(url, kind)));

/** A file that a script reads. Rejects where the server does not give it. @param {string} url @param {AbortSignal} [signal] @param {RequestInit} [how] */
export async function read(url, signal, how = {}) {
  const response = await fetch(url, { ...how, signal });
  if (!response.ok) throw new Error(t("The server answered {status}.", { status: String(response.status) }));
  return response;
}

/** @param {string} url @param {AbortSignal} [signal] @returns {Promise<any>} */
export const readJson = async (url, signal) => (await read(url, signal)).json();
