// Models drawn by three.js. One WebGL context serves all panes of the page: each is drawn in turn and copied to the
// pane's own canvas, which keeps its picture when the context is lost. Nothing is drawn unless something changed.

import * as three from "./three.js";
import { t } from "../tongue.js";
import { surroundings } from "./surroundings.js";

const CLAY = 0.55; // linear: of what has no colour of its own
const DOT = 0.045; // of the sphere around the model: a point of a sparse cloud
const REACH = 0.3; // of the size of a point of a cloud: how near to it counts as on it
const BEYOND = 0.5; // diagonals of its box at rest: what moves farther is no place on it any more
const DIGITS = 9; // of a coordinate
const SIDE = 2048; // pixels: the most that a pane is drawn at, either way
const WIRE = 0x1b1c1e;
const REFUSED = {
  KHR_draco_mesh_compression: t("It is compressed with Draco, which this page does not open."),
  EXT_meshopt_compression: t("It is compressed with meshopt, which this page does not open."),
  KHR_texture_basisu: t("Its textures are in Basis, which this page does not open."),
};

let shared = null;

/** The one renderer, made when a model is first shown. Events of `lost`: "lost", "restored". */
export function stage() {
  shared ??= new Stage();
  return shared;
}

class Stage extends EventTarget {
  constructor() {
    super();
    this.renderer = new three.WebGLRenderer({ antialias: true, alpha: true, powerPreference: "high-performance" });
    this.renderer.setPixelRatio(1);
    this.renderer.shadowMap.enabled = true;
    this.renderer.shadowMap.type = three.VSMShadowMap;
    this.renderer.shadowMap.autoUpdate = false;
    this.canvas = this.renderer.domElement;
    this.camera = new three.PerspectiveCamera();
    this.wire = new three.MeshBasicMaterial({ color: WIRE, wireframe: true, transparent: true, opacity: 0.55, side: three.DoubleSide });
    this.canvas.addEventListener("webglcontextlost", () => {
      this.lost = true;
      this.dispatchEvent(new Event("lost"));
    });
    this.canvas.addEventListener("webglcontextrestored", () => {
      this.lost = false;
      this.dispatchEvent(new Event("restored"));
    });
  }

  lost = false;

  /**
   * Draws a model through the camera into a canvas.
   * @param {Model} model @param {CanvasRenderingContext2D} paint @param {import("./orbit.js").Orbit} link
   */
  draw(model, paint, link) {
    if (this.lost) return;
    const { width, height } = paint.canvas;
    const { renderer, camera } = this;
    if (this.canvas.width !== width || this.canvas.height !== height) renderer.setSize(width, height, false);
    this.#aim(link, width / height);
    model.light(link.camera.turn);
    model.wear(link.mode);
    model.move(link.moment);
    renderer.shadowMap.needsUpdate = model.shadowless;
    renderer.autoClear = true;
    renderer.render(model.scene, camera);
    model.shadowless = false;
    if (link.mode === "wireframe") {
      renderer.autoClear = false;
      model.bare(this.wire, () => renderer.render(model.scene, camera));
    }
    paint.clearRect(0, 0, width, height);
    paint.drawImage(this.canvas, 0, 0);
  }

  #aim(link, aspect) {
    const { camera } = this;
    camera.fov = link.field(aspect);
    camera.aspect = aspect;
    camera.near = 0.02;
    camera.far = 40;
    camera.position.set(...link.place);
    camera.lookAt(link.camera.x, link.camera.y, link.camera.z);
    camera.updateProjectionMatrix();
    camera.updateMatrixWorld();
  }

  /**
   * The point of the model that is seen at a place of its pane, in the coordinates of its file; null where none is.
   * @param {Model} model @param {import("./orbit.js").Orbit} link @param {number} aspect of the pane: width by height
   * @param {{x: number, y: number}} at in parts of the pane
   */
  pick(model, link, aspect, at) {
    this.#aim(link, aspect);
    const caster = new three.Raycaster();
    caster.setFromCamera(new three.Vector2(at.x * 2 - 1, 1 - at.y * 2), this.camera);
    caster.params.Points.threshold = model.dot * REACH * model.radius;
    model.scene.updateMatrixWorld();
    const [hit] = caster.intersectObject(model.object, true);
    if (!hit) return null;
    const place = hit.object.isPoints ? new three.Vector3().fromBufferAttribute(hit.object.geometry.attributes.position, hit.index).applyMatrix4(hit.object.matrixWorld) : hit.point;
    const point = model.inFile(place);
    return model.holds(point) ? point : null;
  }

  /** Where a point of the file is seen, in parts of the pane; null behind the camera. Of the rest as `pick`. */
  spot(model, link, aspect, point) {
    this.#aim(link, aspect);
    const { x, y, z } = model.onStage(point).project(this.camera);
    return z < 1 ? { x: (x + 1) / 2, y: (1 - y) / 2 } : null;
  }
}

/** A model under our light, on our ground, as large as every other. */
export class Model {
  shadowless = true; // its shadow is not drawn yet
  #worn = "";

  #moment = 0;

  /** @param {any} object what the file holds @param {any[]} [animations] how it moves */
  constructor(object, animations = []) {
    this.object = object;
    this.scene = new three.Scene();
    const { group, ...size } = sized(object);
    /** Of its box and sphere, in the coordinates of the file. @type {{middle: any, radius: number, box: any}} */
    Object.assign(this, size);
    this.scene.add(group);
    this.meshes = [];
    this.dots = [];
    object.traverse((one) => {
      if (one.isMesh) this.meshes.push(one);
      else if (one.isPoints) this.dots.push(one);
      else if (one.isLight) one.visible = false; // all are seen under ours
    });
    for (const mesh of this.meshes) dress(mesh);
    const points = this.dots.reduce((sum, { geometry }) => sum + geometry.attributes.position.count, 0);
    // glTF has points of one pixel; as balls of a size they can be told from each other near and far.
    this.dot = DOT * Math.min(1, Math.sqrt(20_000 / points));
    for (const { material } of this.dots) Object.assign(material, { map: disc(), alphaTest: 0.5, sizeAttenuation: true, size: this.dot });
    this.plain = clay({});
    this.faceted = clay({ flatShading: true });
    this.normals = new three.MeshNormalMaterial({ side: three.DoubleSide });
    this.facets = new three.MeshNormalMaterial({ side: three.DoubleSide, flatShading: true });
    this.moves = animations.length > 0;
    this.mixer = new three.AnimationMixer(object);
    for (const clip of animations) this.mixer.clipAction(clip).play();
    this.#set();
  }

  #set() {
    const { scene } = this;
    // Surroundings and a light that stay with the camera, the light from the left, above and in front; and one from above
    // that casts the shadow.
    scene.environment = surroundings();
    this.key = new three.DirectionalLight(0xffffff, 1.75);
    const above = new three.DirectionalLight(0xffffff, 0.001);
    above.position.set(0, 3, 0);
    above.castShadow = true;
    above.shadow.mapSize.set(512, 512);
    above.shadow.radius = 12;
    above.shadow.blurSamples = 16;
    above.shadow.bias = -0.002;
    Object.assign(above.shadow.camera, { left: -2, right: 2, top: 2, bottom: -2, near: 0.5, far: 6 });
    this.above = above;
    const ground = new three.Mesh(new three.PlaneGeometry(4, 4), new three.ShadowMaterial({ opacity: 0.28 }));
    ground.rotation.x = -Math.PI / 2;
    scene.updateMatrixWorld(true);
    ground.position.y = new three.Box3().setFromObject(this.object).min.y - 0.002;
    ground.receiveShadow = true;
    this.ground = ground;
    scene.add(this.key, above, ground);
  }

  /** A place on our stage in the coordinates of the file. @param {{x: number, y: number, z: number}} place */
  inFile({ x, y, z }) {
    const { radius, middle } = this;
    return { x: short(x * radius + middle.x), y: short(y * radius + middle.y), z: short(z * radius + middle.z) };
  }

  /** @param {{x: number, y: number, z: number}} point of the file */
  onStage({ x, y, z }) {
    return new three.Vector3(x, y, z).sub(this.middle).divideScalar(this.radius);
  }

  /** Whether a point of the file is on the model, or so near to it that it may move there. */
  holds({ x, y, z }) {
    const margin = this.box.min.distanceTo(this.box.max) * BEYOND;
    return this.box.clone().expandByScalar(margin).containsPoint(new three.Vector3(x, y, z));
  }

  light(turn) {
    const angle = (turn * Math.PI) / 180;
    this.scene.environmentRotation.y = angle;
    const [left, up, front] = [-0.55, 0.65, 0.52];
    this.key.position.set(left * Math.cos(angle) + front * Math.sin(angle), up, -left * Math.sin(angle) + front * Math.cos(angle));
  }

  /** @param {string} mode */
  wear(mode) {
    if (mode === this.#worn) return;
    this.#worn = mode;
    for (const mesh of this.meshes) {
      const own = mesh.userData.own;
      const flat = !mesh.geometry.attributes.normal;
      if (mode === "textured") mesh.material = own;
      else if (mode === "normals") mesh.material = flat ? this.facets : this.normals;
      else mesh.material = flat ? this.faceted : this.plain;
    }
  }

  /** Brings what moves to a moment; each animation repeats on its own. @param {number} moment seconds */
  move(moment) {
    if (!this.moves || moment === this.#moment) return;
    this.#moment = moment;
    this.mixer.setTime(moment);
    this.shadowless = true;
  }

  /** Draws the meshes alone in one material. */
  bare(material, draw) {
    const others = [this.ground, ...this.dots];
    for (const one of others) one.visible = false;
    this.scene.overrideMaterial = material;
    draw();
    this.scene.overrideMaterial = null;
    for (const one of others) one.visible = true;
  }

  /** After a lost context, what lay in it is made again. */
  renew() {
    this.above.shadow.map?.dispose();
    this.above.shadow.map = null;
    this.above.shadow.mapPass?.dispose();
    this.above.shadow.mapPass = null;
    this.shadowless = true;
  }

  destroy() {
    this.scene.traverse((one) => {
      one.geometry?.dispose();
      for (const material of [one.userData.own ?? one.material ?? []].flat()) {
        for (const value of Object.values(material)) if (value?.isTexture) value.dispose();
        material.dispose();
      }
    });
    this.above.shadow.dispose();
    this.mixer.stopAllAction();
    this.mixer.uncacheRoot(this.object);
    for (const material of [this.plain, this.faceted, this.normals, this.facets]) material.dispose();
  }
}

const short = (value) => Number(value.toPrecision(DIGITS));

/** A round spot, white. */
function disc() {
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = 32;
  const paint = canvas.getContext("2d");
  paint.fillStyle = "#fff";
  paint.arc(16, 16, 16, 0, 2 * Math.PI);
  paint.fill();
  return new three.CanvasTexture(canvas);
}

const clay = (how) => {
  const material = new three.MeshStandardMaterial({ roughness: 1, metalness: 0, side: three.DoubleSide, polygonOffset: true, polygonOffsetFactor: 1, polygonOffsetUnits: 1, ...how });
  material.color.setRGB(CLAY, CLAY, CLAY);
  return material;
};

/** What a mesh wears of its own, seen from both sides: clay where it has nothing. */
function dress(mesh) {
  const bare = (material) => material.name === "" && material.metalness === 1 && material.roughness === 1 && !material.map && !material.vertexColors;
  const own = [mesh.material].flat().map((material) => (bare(material) ? clay({ flatShading: material.flatShading }) : material));
  for (const material of own) {
    material.side = three.DoubleSide;
    if (material.map) material.map.anisotropy = 8;
  }
  mesh.userData.own = Array.isArray(mesh.material) ? own : own[0];
  mesh.material = mesh.userData.own;
  mesh.castShadow = true;
  mesh.frustumCulled = false;
}

/** In a group that scales the object to a sphere of radius 1 around the middle of its box. */
function sized(object) {
  const group = new three.Group();
  object.updateMatrixWorld(true);
  const box = new three.Box3().setFromObject(object, true);
  const middle = box.getCenter(new three.Vector3());
  const place = new three.Vector3();
  let radius = 0;
  object.traverse((one) => {
    const { position } = one.geometry?.attributes ?? {};
    for (let n = 0; position && n < position.count; n++) {
      if (one.isSkinnedMesh) one.getVertexPosition(n, place);
      else place.fromBufferAttribute(position, n);
      radius = Math.max(radius, place.applyMatrix4(one.matrixWorld).distanceTo(middle));
    }
  });
  radius ||= 1;
  object.position.sub(middle);
  group.add(object);
  group.scale.setScalar(1 / radius);
  return { group, middle, radius, box };
}

/** Reads a GLB. Rejects with words for people. @param {ArrayBuffer} bytes @returns {Promise<Model>} */
export async function readModel(bytes) {
  const why = refusal(bytes);
  if (why) throw new Error(why);
  const { scene, animations } = await new three.GLTFLoader().parseAsync(bytes, "");
  const model = new Model(scene, animations);
  await stage().renderer.compileAsync(model.scene, stage().camera).catch(() => {}); // it shows all the same, a little later
  return model;
}

/** Why a file cannot be opened here, in words; "" if nothing is known against it. */
function refusal(bytes) {
  const head = new DataView(bytes);
  if (bytes.byteLength < 20 || head.getUint32(0, true) !== 0x46546c67) return t("It is not a binary glTF file.");
  const { extensionsRequired = [] } = JSON.parse(new TextDecoder().decode(new Uint8Array(bytes, 20, head.getUint32(12, true))));
  return REFUSED[extensionsRequired.find((name) => name in REFUSED)] ?? "";
}

/** Pixels to draw a pane of this size at. @param {number} side in CSS pixels */
export const pixels = (side) => Math.max(1, Math.min(SIDE, Math.round(side * devicePixelRatio)));
