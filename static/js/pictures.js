// Images fetched ahead. A module of its own: modules that import each other in a circle cannot have hashed names.

const pictures = new Map();

/** An image fetched and decoded once: what is prefetched is the very element that is shown later. */
export function picture(url) {
  let found = pictures.get(url);
  if (!found) {
    const image = new Image();
    image.decoding = "async";
    image.src = url;
    found = { image, ready: image.decode() };
    found.ready.catch(() => pictures.delete(url));
    pictures.set(url, found);
  }
  return found;
}

/** @param {string} url */
export const drop = (url) => pictures.delete(url);
