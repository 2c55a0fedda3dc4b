// The page of one comparison under review: both responses as annotators saw them, with the places that each verdict rests
// on, and keys for what can be done. Forms do the rest.

import { Anchors, toldAnchor } from "./anchors.js";
import { h } from "./dom.js";
import { Keys } from "./keys.js";
import { Panes } from "./panes.js";
import { PromptView } from "./prompt.js";
import { spelled } from "./spelling.js";
import { Veil } from "./veil.js";
import { sourceOf } from "./viewers.js";

const find = (id) => document.getElementById(id);

class ReviewPage {
  #drawn = ""; // the judgment whose places alone are drawn; "": those of all

  constructor(pair) {
    this.pair = pair;
    this.keys = new Keys();
    this.panes = new Panes(this.keys);
    this.veil = new Veil(find("work"), this.keys, () => this.draw());
    this.prompt = new PromptView(find("prompt"), this.keys);
    this.anchors = new Anchors(this.panes);
  }

  async show() {
    const { pair } = this;
    const mount = await this.panes.prepare(pair);
    find("work").hidden = false;
    this.veil.set(pair.sensitive);
    this.prompt.show(pair.prompt, { elsewhere: sourceOf(pair), quiet: pair.sensitive });
    mount();
    this.anchors.show(pair);
    for (const place of document.querySelectorAll(".evidence")) this.#tell(place);
    this.#bindKeys();
    this.draw();
  }

  /** What a verdict rests on: each place leads there, and all of one annotator's can stand alone. */
  #tell(place) {
    const { judgment, name } = place.dataset;
    const anchors = this.pair.evidence[judgment];
    if (!anchors.length) return;
    const alone = h("button", { type: "button", "aria-pressed": "false", "aria-label": `Only the evidence of ${name}`, on: { click: () => this.#only(judgment) } }, "Only these");
    alone.dataset.judgment = judgment;
    place.replaceChildren(...anchors.map((anchor) => h("button", { type: "button", class: anchor.side, on: { click: () => this.#lead(anchor) } }, toldAnchor(anchor))), alone);
  }

  #only(judgment) {
    this.#drawn = this.#drawn === judgment ? "" : judgment;
    for (const button of document.querySelectorAll(".evidence [aria-pressed]")) button.setAttribute("aria-pressed", String(button.dataset.judgment === this.#drawn));
    this.draw();
  }

  #lead(anchor) {
    if (this.veil.down) this.veil.lift();
    find("work").scrollIntoView({ block: "start" });
    this.anchors.reveal(anchor);
  }

  draw() {
    const { evidence } = this.pair;
    if (!this.veil.down) this.anchors.draw(this.#drawn ? evidence[this.#drawn] : Object.values(evidence).flat());
  }

  #bindKeys() {
    const group = "Review";
    for (const shown of document.querySelectorAll("main kbd")) shown.textContent = spelled(shown.textContent);
    const go = (id) => find(id)?.click();
    const at = (id) => {
      find(id)?.scrollIntoView({ block: "center" });
      find(id)?.focus();
    };
    const rulings = [...document.querySelectorAll("[data-key]")].map((radio) => [radio.dataset.key, { label: radio.closest("label").textContent, group, run: () => radio.click() }]);
    this.keys.bind("review", {
      ...Object.fromEntries(rulings),
      Enter: { label: "Settle and next", group, run: () => go("settle-it") },
      M: { label: "Accept the majority", group, run: () => go("accept") },
      R: { label: "Reason", group, run: () => at("reason") },
      S: { label: "Send back", group, run: () => at("send-text") },
      J: { label: "Next", group, run: () => go("go-next") },
      K: { label: "Back", group, run: () => go("go-back") },
      P: { label: "All of the prompt, or less", group, run: () => this.prompt.flip() },
      X: { label: "Other side, on a narrow screen", group, run: () => this.panes.turn() },
    });
  }
}

/** What is typed goes out by Control and Enter, as single keys do nothing while one types. */
function sendByKey() {
  document.addEventListener("keydown", (event) => {
    const { form } = /** @type {HTMLTextAreaElement} */ (event.target);
    if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey) || !form?.matches("main form")) return;
    event.preventDefault();
    form.requestSubmit(form.querySelector(".go") ?? form.querySelector("button"));
  });
}

/** Comments that are on screen count as read. */
async function noteSeen() {
  const list = find("comments");
  if (!list) return;
  const body = new FormData(find("commenting"));
  body.set("deed", "seen");
  body.set("upto", list.dataset.newest);
  await fetch(location.href, { method: "POST", body });
}

sendByKey();
new ReviewPage(JSON.parse(find("pair").textContent)).show().then(noteSeen);
