// What models mirror: a grey room with three soft lamps, the same for every model, made by rule and not from a picture.
//
// three.js blurs surroundings for rough materials on the graphics card, which takes a quarter of a minute where there is
// none. Lamps that are spherical Gaussians are blurred by a formula instead: a Gaussian stays one (Wang et al. 2009,
// "All-frequency rendering of dynamic, spatially-varying reflectance", section 3).

import * as three from "./three.js";

const SIZE = 64; // pixels of a face at its sharpest
const LEVELS = 4; // sharp to matt, each half as large as the one before
const SKY = 0.477; // radiance from above and from below; evenly lit, they are what lights a matt surface
const GROUND = 0.154;
/** Each with its direction, as the camera stands, its radiance and how small it is. */
const LAMPS = [
  { from: [-0.55, 0.65, 0.52], bright: 3.2, small: 22 },
  { from: [0, 1, 0.1], bright: 1.4, small: 9 },
  { from: [0.82, 0.25, -0.5], bright: 1.3, small: 16 },
];

/** Directions of a cube's faces, in WebGL's order; s and t run over a face from -1 to 1. */
const FACES = [
  (s, t) => [1, -t, -s],
  (s, t) => [-1, -t, s],
  (s, t) => [s, 1, t],
  (s, t) => [s, -1, -t],
  (s, t) => [s, -t, 1],
  (s, t) => [-s, -t, -1],
];

let made = null;

/** The one texture, prefiltered as three.js expects it: of each level, what a material of that roughness mirrors. */
export function surroundings() {
  made ??= make();
  return made;
}

function make() {
  const faces = (level) => FACES.map((direction) => face(direction, SIZE >> level, roughnessOf(level)));
  const texture = new three.CubeTexture(faces(0));
  // The last one is never looked up: three.js counts the levels beyond the first, and stops one before.
  texture.mipmaps = Array.from({ length: LEVELS }, (_, n) => ({ image: faces(n + 1), width: SIZE }));
  Object.assign(texture, {
    format: three.RGBAFormat,
    type: three.HalfFloatType,
    magFilter: three.LinearFilter,
    minFilter: three.LinearMipmapLinearFilter,
    generateMipmaps: false,
    isPMREMTexture: true,
    needsUpdate: true,
  });
  return texture;
}

/** Inverse of three.js' level = most * roughness * (2 - roughness). @param {number} level */
const roughnessOf = (level) => 1 - Math.sqrt(Math.max(0, 1 - level / (LEVELS - 1)));

function face(direction, size, roughness) {
  const data = new Uint16Array(4 * size * size);
  const one = three.DataUtils.toHalfFloat(1);
  const lamps = LAMPS.map((lamp) => blurred(lamp, roughness));
  for (let row = 0; row < size; row++)
    for (let column = 0; column < size; column++) {
      const place = direction((2 * (column + 0.5)) / size - 1, (2 * (row + 0.5)) / size - 1);
      const value = three.DataUtils.toHalfFloat(radiance(unit(place), lamps, roughness));
      data.set([value, value, value, one], 4 * (row * size + column));
    }
  const texture = new three.DataTexture(data, size, size, three.RGBAFormat, three.HalfFloatType);
  texture.needsUpdate = true;
  return texture;
}

/** A lamp as a material of this roughness mirrors it: wider, and as much darker. */
function blurred({ from, bright, small }, roughness) {
  const lobe = 1 / (2 * Math.max(roughness, 0.03) ** 4);
  const wider = (small * lobe) / (small + lobe);
  return { from: unit(from), bright: bright * (wider / small) * (1 - roughness ** 2), small: wider };
}

function radiance(direction, lamps, roughness) {
  const soft = 0.25 + 0.75 * roughness; // the horizon
  const above = Math.min(1, Math.max(0, 0.5 + direction[1] / (2 * soft)));
  let sum = GROUND + (SKY - GROUND) * above;
  for (const { from, bright, small } of lamps) sum += bright * Math.exp(small * (dot(direction, from) - 1));
  return sum;
}

const dot = (a, b) => a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
const unit = (place) => place.map((one) => one / Math.hypot(...place));
