// The judge page: claims come in, one question at a time is answered, answers go out through the outbox.

import { Anchors } from "./anchors.js";
import { ApiError, call, Unreachable, whoIsIn } from "./api.js";
import { Clock } from "./clock.js";
import { crowdEnd } from "./crowd.js";
import { askLogin, askSkip, askUnseen, showGuidelines, showHistory, showKeys, showRefused } from "./dialogs.js";
import { Dock } from "./dock.js";
import { h, key } from "./dom.js";
import { Draft, newer } from "./draft.js";
import { Hand } from "./hand.js";
import { forgetOthers, Kept } from "./kept.js";
import { Keys } from "./keys.js";
import { hold } from "./locks.js";
import { Offline } from "./offline.js";
import { Outbox } from "./outbox.js";
import { Pace } from "./pace.js";
import { Panes } from "./panes.js";
import { PromptView } from "./prompt.js";
import { pointsOf } from "./scale.js";
import { spelled } from "./spelling.js";
import { Status } from "./status.js";
import { openStore, ownerOf } from "./store.js";
import { percent, plural, t } from "./tongue.js";
import { feedbackSaid, feedbackShown, introduction, stageTold } from "./training.js";
import { uuid } from "./uuid.js";
import { sourceOf } from "./viewers.js";
import { Veil } from "./veil.js";
import { Viewing } from "./viewing.js";

const SAVE_AFTER = 200; // ms between two writes of a draft
const MIRROR = 5000; // ms between two drafts that the server keeps
const SOON = 120_000; // ms: a lease that ends sooner is mentioned
const RETRY = 3000; // ms
const TOLD = 6000; // ms that "Submitted" stands there
const SLOW = 150; // ms after which waiting is told
const COVERED = t("It is marked as sensitive and covered: {show} shows it, {skip} skips it.", { show: spelled("V"), skip: spelled("S") });

const find = (id) => document.getElementById(id);
/** Whole sentences, one after the other. @param {...any} all those that are falsy are left out */
const sentences = (...all) => all.filter(Boolean).join(" ");
/** @param {number} n answers */
const refusedTold = (n) => plural("The server did not take one of your answers. It is kept here.", "The server did not take {n} of your answers. They are kept here.", n);
const { user, slug } = document.body.dataset;
const owner = ownerOf(user, slug);

/** As the server names them (annotate/models/project.py). */
const TASKS = {
  text_to_text: t("text to text"),
  text_image_to_text: t("text and image to text"),
  text_video_to_text: t("text and video to text"),
  text_audio_to_text: t("text and audio to text"),
  text_to_image: t("text to image"),
  text_to_video: t("text to video"),
  text_to_audio: t("text to audio"),
  text_to_3D: t("text to 3D"),
  text_image_to_image: t("text and image to image"),
  other: t("mixed media"),
};

class JudgePage {
  /** @type {any} */ claim = null;
  /** @type {Draft|null} */ draft = null;
  #busy = false;
  #left = false; // another tab has taken over
  #saving = 0; // timer of a draft that is not on the disk yet
  #mirroring = 0; // timer of a draft that the server has not yet
  #written = 0; // when a draft was last written
  #saved = Promise.resolve();
  #warned = ""; // the claim of which not all was seen, as its annotator was told
  #confirmed = ""; // the claim whose partial submission was announced
  #ended = new Set(); // claims whose lease is over
  #waited = false; // there was nothing to judge
  #stage = ""; // of training and quiz, the one that was introduced
  #begin = null; // goes on from an introduction that is on screen
  #telling = 0; // timer of the word that an answer is away
  #submitted = []; // ids of what was submitted here, for undo

  constructor(store, kept, project) {
    this.store = store;
    this.kept = kept;
    this.project = project;
    this.points = pointsOf(project);
    this.taskType = find("task").textContent;
    this.keys = new Keys();
    this.status = new Status(find("state"));
    this.pace = new Pace();
    this.outbox = new Outbox(store, owner, async () => (await whoIsIn()) === user);
    this.hand = new Hand({ store, outbox: this.outbox, kept, owner, slug, size: project.claims_in_hand });
    this.offline = new Offline({
      kept,
      hand: this.hand,
      outbox: this.outbox,
      project,
      slug,
      begun: async (claim) => Boolean(await store.draft(owner, claim.id)),
      announce: (text) => this.status.announce(text),
    });
    this.panes = new Panes(this.keys);
    this.veil = new Veil(find("work"), this.keys, () => this.#unveiled());
    this.prompt = new PromptView(find("prompt"), this.keys);
    this.anchors = new Anchors(this.panes);
    this.viewing = new Viewing(this.panes, this.prompt);
    this.dock = new Dock(find("dock"), { slug, keys: this.keys, anchors: this.anchors, changed: () => this.#changed(), announce: (text) => this.status.announce(text) });
    this.#listen();
    this.#bindKeys();
    this.#progress(project.judged_pairs);
  }

  async start() {
    await this.outbox.kick(); // what waited from before goes first: its claims are still held
    for (;;) {
      try {
        await this.hand.resume();
        break;
      } catch (error) {
        if (error instanceof ApiError && error.status === 401) await this.#login();
        else {
          blank(t("The server does not answer"), t("It is asked again every few seconds."));
          await new Promise((resolve) => setTimeout(resolve, RETRY));
        }
      }
    }
    await this.#openAsked();
    await this.#next();
    this.hand.fill();
    const lease = this.project.lease_minutes * 60_000;
    new Clock({ lease, tick: (seconds) => this.#tick(seconds), beat: () => this.#beat(lease) });
  }

  // What is on screen

  /** Shows the claim that stands first, unless it is shown already. */
  async #next(done = "") {
    if (this.#left) return;
    const claim = this.hand.current;
    if (claim && claim === this.claim) return;
    await this.#keepDraft();
    if (claim && !claim.revising && !claim.answered && this.hand.left(claim) < 0 && !(await this.#stillMine(claim))) return this.#next(done);
    if (claim !== this.hand.current) return this.#next(done);
    const stage = claim?.stage ? `${claim.stage.part} ${claim.stage.number}` : "";
    if (claim?.feedback) this.#stage = stage; // who comes back to it has begun
    if (claim && !claim.revising && stage !== this.#stage) return this.#introduce(stage, claim.stage?.part ?? "", done);
    this.#begin = null;
    this.claim = claim;
    if (find("asked")) find("asked").hidden = find("asked").dataset.claim !== claim?.id;
    this.draft = null;
    // Until all of the new pair is there, nothing of the old one can be judged: no verdict lands on another's responses.
    this.keys.bind("dock", null);
    find("work").inert = true;
    if (!claim) {
      if (done) this.status.announce(done);
      return this.#nothing();
    }
    if (this.#waited) this.#recount();
    const slow = setTimeout(() => blank(t("Fetching the next pair"), ""), SLOW);
    const [saved, mount] = await Promise.all([this.store.draft(owner, claim.id), this.panes.prepare(claim)]);
    clearTimeout(slow);
    if (claim !== this.claim) return;
    this.draft = new Draft(owner, claim, this.points, newer(saved, claim.draft), () => this.hand.now);
    showWork();
    this.veil.set(claim.sensitive);
    this.prompt.show(claim.prompt, { elsewhere: sourceOf(claim), quiet: claim.sensitive }); // its keys give way to those of the pair
    mount();
    this.anchors.show(claim);
    this.viewing.show(claim, this.draft.viewing);
    find("task").textContent = claim.task_type === this.project.task_type ? this.taskType : named(claim.task_type);
    const media = { a: Boolean(claim.a.media), b: Boolean(claim.b.media), prompt: claim.prompt.media.length > 0 };
    find("dock").inert = false;
    this.dock.show(this.draft, { project: this.project, points: this.points, media });
    this.#progress(this.project.judged_pairs);
    if (claim.feedback) return this.#tellFeedback(done);
    this.#refresh();
    this.status.announce(sentences(done, t("Next pair."), claim.sensitive ? COVERED : this.draft.current?.criterion));
  }

  /** Tells what comes before its first pair: training, quiz, or the real pairs after these. */
  async #introduce(stage, part, done) {
    if (this.#begin) return;
    this.claim = this.draft = null;
    this.#clear();
    this.#begin = () => {
      this.#begin = null;
      this.#stage = stage;
      this.#next();
    };
    const way = (await call("GET", `projects/${slug}/`).catch(() => this.project)).way ?? this.project.way;
    if (!this.#begin) return;
    const { title, text, button } = introduction(part, way);
    const go = h("button", { type: "button", class: "go", on: { click: () => this.#begin?.() } }, button, key("Enter"));
    blank(title, text, go);
    this.#refresh();
    this.#progress(this.project.judged_pairs);
    this.status.announce(sentences(done, title, text));
  }

  /** The known answer beside the annotator's own; they go on by the key that submits. */
  #tellFeedback(done = "") {
    const { claim } = this;
    this.keys.bind("dock", null);
    this.#hint("");
    find("dock").inert = false;
    this.dock.element.replaceChildren(feedbackShown(claim.feedback, this.draft.rows, this.points));
    this.#refresh();
    this.status.announce(sentences(done, feedbackSaid(claim.feedback)));
  }

  /** The annotator asked to see a sensitive pair. */
  #unveiled() {
    this.#hint("");
    this.#refresh();
    this.status.announce(sentences(t("It is shown, without sound."), this.draft?.current?.criterion));
  }

  /** A claim whose lease seems over: kept if the server still has it for us or there is work in it. */
  async #stillMine(claim) {
    const ended = await this.hand.extend([claim]);
    if (!ended.length) return true;
    this.#ended.add(claim.id);
    if (await this.store.draft(owner, claim.id)) return true; // a late answer is kept by the server
    this.hand.remove(claim.id);
    this.kept.drop(claim.id);
    this.hand.fill();
    return false;
  }

  /** Pairs came while there were none to judge: how many there are is asked again. */
  async #recount() {
    this.#waited = false;
    const now = await call("GET", `projects/${slug}/`).catch(() => this.project);
    this.project.pairs = now.pairs;
    this.#progress(now.judged_pairs);
  }

  /** Nothing of a pair is left on screen. */
  #clear() {
    this.anchors.clear();
    this.viewing.clear();
    this.panes.clear();
    this.veil.set(false);
    this.prompt.clear();
    this.dock.element.replaceChildren();
    this.keys.bind("dock", null);
  }

  #nothing() {
    this.#waited = true;
    this.#clear();
    const { state } = this.hand;
    const waiting = this.outbox.waiting.length;
    const again = h("button", { type: "button", class: "go", on: { click: () => this.#lookAgain() } }, t("Look again"));
    if (state === "empty") blank(t("Nothing to judge now"), t("You have judged all there is for you. New pairs show up here by themselves."), again);
    else if (state === "consent") this.#askConsent();
    else if (state === "not_open") blank(t("This project is paused"), t("Your answers are safe. It goes on here by itself when it opens."), again);
    else if (state === "paused") blank(t("You are paused here"), this.hand.told, again);
    else if (state === "quiz") {
      this.#stage = ""; // another attempt is introduced anew
      blank(t("The quiz"), this.hand.told, again);
    } else if (state === "enough") blank(t("Enough for now"), this.hand.told, again);
    else if (state === "not_for_you") blank(t("Nothing for you now"), this.hand.told, again);
    else if (state === "unreachable" || this.outbox.trouble === "offline" || !navigator.onLine)
      blank(
        t("You are offline"),
        sentences(
          this.kept.claims.length && t("You have judged all the pairs that you took offline."),
          waiting
            ? plural("One of your answers is saved on this computer and goes out when the connection is back.", "{n} of your answers are saved on this computer and go out when the connection is back.", waiting)
            : t("The next pair comes when the connection is back."),
        ),
        again,
      );
    else if (state === "full" && this.outbox.refused.length) blank(t("Some answers need you"), t("Open or discard what was refused, then the next pair comes."));
    else if (state && state !== "full") blank(t("No next pair"), state, again);
    else blank(t("Fetching the next pair"), "");
    if (this.project.crowd && ["empty", "not_for_you", "enough", "paused", "not_open", "quiz"].includes(state)) this.#crowdEnd();
    this.#refresh();
  }

  /** Who came from Prolific and has no next pair is told how it ended, if it did. */
  async #crowdEnd() {
    const end = await crowdEnd(slug);
    if (end && !this.claim && !this.#left) blank(end.title, sentences(this.hand.state === "quiz" && this.hand.told, end.text), ...end.parts);
  }

  /** The project asks first. Its page is gone to by itself once nothing waits here to be sent or looked at. */
  #askConsent() {
    const page = `/consent/${slug}/`;
    blank(t("This project asks for your consent"), t("Read it and decide, before the next pair."), h("a", { class: "go", href: page }, t("Read it")));
    if (!this.outbox.waiting.length && !this.outbox.refused.length && !this.#left) location.assign(page);
  }

  #lookAgain() {
    this.outbox.kick();
    this.hand.fill();
  }

  #refresh() {
    const { draft } = this;
    this.#showState();
    const refused = this.outbox.refused.length;
    find("notice").hidden = !refused;
    this.#tellOffline();
    find("notice").querySelector("p").textContent = refusedTold(refused);
    const revising = Boolean(this.claim?.revising);
    find("skip-words").textContent = revising ? t("Leave it") : t("Skip…");
    const answered = Boolean(this.claim?.answered);
    find("submit-words").textContent = this.claim?.feedback ? t("Go on") : revising ? t("Keep the change") : t("Submit and next");
    find("submit").disabled = !draft || this.veil.down || (answered && !this.claim.feedback);
    find("skip-open").disabled = !draft || answered;
    if (!draft) {
      find("judged").textContent = find("hint").textContent = "";
      return;
    }
    const judged = draft.judgedRows.length;
    find("judged").textContent = t("{n} of {all} judged", { n: judged, all: draft.rows.length });
    const open = draft.current;
    this.panes.choose(open && draft.judged(open) && ["a", "b"].includes(open.verdict) ? open.verdict : "");
    this.#lease();
  }

  /** Where there is no pair on screen, what stands there tells it. */
  #tellOffline() {
    const offline = Boolean(this.draft) && (!navigator.onLine || this.outbox.trouble === "offline");
    const waiting = this.outbox.waiting.length;
    const waits = waiting && plural("One answer waits on this computer and goes out when the connection is back.", "{n} answers wait on this computer and go out when the connection is back.", waiting);
    find("disconnected").hidden = !offline;
    find("disconnected").querySelector("p").textContent = sentences(t("You are offline. Judge on: nothing is lost."), waits);
  }

  /** For a few seconds, that the last answer is away and may come back. */
  #tellSubmitted() {
    clearTimeout(this.#telling);
    find("done").replaceChildren(t("Submitted. Undo"), key("U"));
    this.#telling = setTimeout(() => this.#untell(), TOLD);
  }

  #untell() {
    clearTimeout(this.#telling);
    find("done").textContent = "";
  }

  #showState() {
    this.status.show({ outbox: this.outbox, dirty: Boolean(this.draft?.touched), writing: Boolean(this.#saving) });
  }

  #lease() {
    const { claim } = this;
    if (!claim) return;
    if (claim.revising) return (find("lease").textContent = t("Judged before: a change is kept as a revision"));
    const left = this.hand.left(claim);
    const over = this.#ended.has(claim.id) || left < 0;
    const clock = `${Math.floor(left / 60_000)}:${String(Math.floor(left / 1000) % 60).padStart(2, "0")}`;
    find("lease").textContent = over ? t("No longer held for you; your answer is still kept") : left < SOON ? t("Held for {clock}", { clock }) : "";
  }

  #hint(text) {
    find("hint").textContent = text;
    if (text) this.status.announce(text);
  }

  #progress(judged) {
    const { crowd } = this.project;
    const stage = this.claim?.stage;
    if (stage) {
      find("count").textContent = stageTold(stage);
      const bar = /** @type {HTMLProgressElement} */ (find("bar"));
      bar.max = stage.of;
      bar.value = stage.n - 1;
      return;
    }
    const pairs = crowd ? crowd.pairs : Math.max(this.project.pairs, judged); // a pair may be asked of somebody more than once
    if (crowd) judged = Math.min(Math.max(judged - crowd.before, 0), pairs);
    find("count").textContent = t("{n} of {all}", { n: judged, all: pairs });
    const bar = /** @type {HTMLProgressElement} */ (find("bar"));
    bar.max = Math.max(pairs, 1);
    bar.value = judged;
  }

  // Drafts

  #changed() {
    this.draft.touched = true;
    this.#hint("");
    this.#confirmed = "";
    this.#keepSoon();
    this.#refresh();
  }

  #keepSoon() {
    clearTimeout(this.#saving);
    // At once if the last time is a while ago: one verdict, then away, is a draft too.
    this.#saving = setTimeout(() => this.#keepDraft(), Math.max(0, this.#written + SAVE_AFTER - Date.now()));
  }

  /** Writes the draft now, if it has changed. */
  #keepDraft() {
    if (!this.#saving) return this.#saved;
    clearTimeout(this.#saving);
    this.#written = Date.now();
    this.#saved = this.store
      .putDraft(this.draft.toJSON())
      .catch(() => this.#hint(t("This browser could not save your draft. Submit it before you leave the page.")))
      .finally(() => this.#showState());
    this.#saving = 0;
    this.#mirroring ||= setTimeout(() => this.#mirror(), MIRROR);
    return this.#saved;
  }

  /** Gives the server a copy of the draft, for another computer. What counts is here: a copy that fails is made later. */
  async #mirror() {
    const { claim, draft } = this;
    this.#mirroring = 0;
    if (!draft || claim.revising) return;
    try {
      await call("POST", `claims/${claim.id}/draft/`, { draft: draft.toJSON() });
    } catch (error) {
      if (!(error instanceof ApiError || error instanceof Unreachable)) throw error;
      if ((error instanceof Unreachable || error.passing) && draft === this.draft) this.#mirroring ||= setTimeout(() => this.#mirror(), MIRROR);
    }
  }

  // What one can do

  #bindKeys() {
    for (const shown of document.querySelectorAll("body > :is(header, main, footer) kbd, #veil kbd")) shown.textContent = spelled(shown.textContent);
    const group = "Pair";
    this.keys.bind("page", {
      Enter: { label: t("Submit and next"), group, run: () => this.submit() },
      U: { label: t("Back: take the last one back"), group, run: () => this.undo() },
      S: { label: t("Skip"), group, run: () => this.skip() },
      P: { label: t("All of the prompt, or less"), group: "Look", run: () => this.prompt.flip() },
      X: { label: t("Other side, on a narrow screen"), group: "Look", run: () => this.panes.turn() },
      ";": { label: t("Pairs that you judged"), group, run: () => this.history() },
      "'": { label: t("Take pairs offline"), group, run: () => this.offline.ask() },
      G: { label: t("Guidelines"), run: () => showGuidelines(this.project.guidelines) },
      "?": { label: t("These keys"), run: () => showKeys(this.keys) },
    });
    const click = (id, run) => find(id).addEventListener("click", run);
    click("submit", () => this.submit());
    click("undo", () => this.undo());
    click("skip-open", () => this.skip());
    click("history-open", () => this.history());
    click("offline-open", () => this.offline.ask());
    click("guidelines-open", () => showGuidelines(this.project.guidelines));
    click("shortcuts-open", () => showKeys(this.keys));
    click("rest-close", () => {
      find("rest").hidden = true;
    });
    click("refused-open", () => this.#showRefused());
  }

  /** Runs one action at a time: a double click or a held key does a thing once. */
  async #once(action) {
    if (this.#busy) return;
    this.#busy = true;
    try {
      await action();
    } catch (error) {
      this.#hint(t("That failed on this computer. Nothing is lost: try again."));
      throw error;
    } finally {
      this.#busy = false;
    }
  }

  submit() {
    return this.#once(async () => {
      const { draft, claim } = this;
      if (this.#begin) return this.#begin();
      if (claim?.feedback) return this.#goOn(claim);
      if (claim?.answered) return;
      if (draft && this.veil.down) return this.#hint(COVERED);
      if (!draft || this.#objects(draft) || !(await this.#seen(draft))) return;
      const answers = draft.answers();
      if (claim.revising && !answers.length) return this.#leaveAsItWas(claim);
      const room = this.hand.held.length - (claim.revising ? 0 : 1) < this.hand.size;
      const body = { answers, seconds: Math.round(draft.seconds * 10) / 10, viewing: this.viewing.told(), next: room ? uuid() : null };
      await this.#send("submit", body, draft.toJSON());
      if (claim.stage?.part === "training") return this.#awaitFeedback(claim);
      if (!claim.revising && !claim.stage) {
        this.#submitted.push(claim.id);
        this.pace.judged();
        find("pace").textContent = this.pace.text;
      }
      await this.#advance(claim, claim.revising ? t("Changed.") : t("Submitted."));
      if (!claim.revising && !claim.stage) this.#tellSubmitted();
    });
  }

  /** A training pair stays until the server has told what its answer is. */
  #awaitFeedback(claim) {
    claim.answered = true;
    this.draft.touched = false;
    this.keys.bind("dock", null);
    find("dock").inert = true;
    this.#refresh();
    if (claim.feedback) return this.#tellFeedback();
    this.#hint(t("Your answer is on its way; the known one comes back at once."));
  }

  /** From the feedback to the next pair. Where the server does not hear of it, it is shown once more. */
  async #goOn(claim) {
    call("POST", `claims/${claim.id}/read/`, {}).catch(() => {});
    await this.#advance(claim);
    this.hand.fill();
  }

  /** The server has told what the answer to a training pair is. */
  async #toldKnown(id, feedback) {
    const claim = this.hand.claims.find((one) => one.id === id);
    if (claim) {
      claim.feedback = feedback;
      if (claim === this.claim && claim.answered) this.#tellFeedback(t("Submitted."));
    } else {
      // Submitted before this page was opened.
      const again = await call("GET", `claims/${id}/`).catch(() => null);
      if (again) this.hand.add(again, { first: true });
    }
  }

  /** Whether enough of both sides was seen for the project, or a medium fails. */
  async #seen(draft) {
    const { viewing, viewing_share: share, viewing_turned: turned } = this.project;
    const { claim } = this;
    if (viewing === "off" || !draft.judgedRows.some((row) => ["a", "b", "tie"].includes(row.verdict))) return true;
    const lacking = this.viewing.unseen(share, turned);
    if (!lacking) return true;
    if (viewing === "warn") {
      if (this.#warned === claim.id) return true;
      this.#warned = claim.id;
      this.#hint(sentences(lacking, t("Press Enter again to submit all the same.")));
      return false;
    }
    const failed = await askUnseen(
      sentences(
        lacking,
        turned
          ? t("This project asks for {percent} of both, and 3D models from {n} of {all} directions.", { percent: percent(share), n: Math.ceil(turned * 12), all: 12 })
          : t("This project asks for {percent} of both.", { percent: percent(share) }),
      ),
    );
    if (claim !== this.claim) return false;
    if (failed) draft.viewing.failed = true;
    return failed;
  }

  /** What stands against submitting, told as a hint. */
  #objects(draft) {
    if (this.dock.takeWriting()) {
      this.#hint(t("Judge the criterion that you wrote, or remove it."));
      return true;
    }
    const judged = draft.judgedRows;
    if (!judged.length) {
      this.#hint(t("Judge at least one criterion, or skip the pair."));
      return true;
    }
    if (this.project.authoring === "required" && !judged.some((row) => row.own)) {
      this.#hint(t("This project asks for a criterion of your own: press N, write it and judge it."));
      return true;
    }
    const left = draft.rows.length - judged.length;
    if (left && this.#confirmed !== this.claim.id) {
      this.#confirmed = this.claim.id;
      const open = draft.nextUnjudged ?? draft.current;
      if (!draft.judged(draft.current)) this.dock.render();
      else this.dock.step(draft.rows.indexOf(open) - draft.rows.indexOf(draft.current));
      this.#confirmed = this.claim.id; // stepping counts as a change, which would forget it
      this.#hint(plural("One criterion is not judged. Press Enter again to leave it to others.", "{n} criteria are not judged. Press Enter again to leave them to others.", left));
      return true;
    }
    return false;
  }

  skip() {
    return this.#once(async () => {
      const { claim, draft } = this;
      if (!draft || claim.answered) return;
      if (claim.revising) return this.#leaveAsItWas(claim);
      const answer = await askSkip();
      if (!answer || claim !== this.claim) return;
      const room = this.hand.claims.length - 1 < this.hand.size;
      await this.#send("skip", { ...answer, next: room ? uuid() : null }, null);
      await this.#advance(claim, t("Skipped."));
    });
  }

  /** What was judged before stays; what was changed on the way is forgotten. */
  async #leaveAsItWas(claim) {
    this.keys.bind("dock", null); // a verdict from here on would be of the next pair
    clearTimeout(this.#saving);
    this.#saving = 0;
    await this.#saved;
    await this.store.forgetDraft(owner, claim.id);
    await this.#advance(claim);
    this.status.announce(t("Left as it was."));
  }

  /** Goes through what was judged; a pair that is opened may be revised. */
  history() {
    return this.#once(async () => {
      const read = (before) => call("GET", `projects/${slug}/history/${before ? `?before=${encodeURIComponent(before)}` : ""}`);
      try {
        const chosen = await showHistory(read, (id) => !this.outbox.holds(id), this.points);
        if (!chosen) return;
        await this.#revise(chosen);
        await this.#next();
        this.status.announce(t("A pair that you judged, with your answers."));
      } catch (error) {
        if (error instanceof ApiError && error.status === 401) await this.#login();
        else if (error instanceof ApiError || error instanceof Unreachable) this.#hint(t("What you judged before is on the server, which does not answer. Try again when you are online."));
        else throw error;
      }
    });
  }

  /** Puts a pair that was judged before first in the hand. @param {string} id of its claim */
  async #revise(id) {
    const claim = await call("GET", `claims/${id}/`);
    this.hand.add({ ...claim, outcome: "", revising: true }, { first: true });
  }

  /** Opens the pair that a reviewer asks to look at again, if the address names one. */
  async #openAsked() {
    const asked = find("asked")?.dataset.claim;
    if (!asked || this.outbox.holds(asked)) return;
    window.history.replaceState(null, "", location.pathname); // who loads the page anew goes on with their work
    try {
      await this.#revise(asked);
    } catch (error) {
      if (!(error instanceof ApiError || error instanceof Unreachable)) throw error;
      this.#hint(error.message);
    }
  }

  async #send(kind, body, draft) {
    clearTimeout(this.#mirroring);
    this.#mirroring = 0;
    clearTimeout(this.#saving);
    this.#saving = 0;
    await this.#saved; // or the draft that is being written would come back after the entry took its place
    const { claim } = this;
    const title = claim.prompt.turns.at(-1)?.text.slice(0, 120) ?? "";
    await this.outbox.post({ owner, kind, claim: claim.id, body, draft, title, attempts: 0, refused: null, made: Date.now() });
  }

  /** @param {string} [done] what happened to the claim, said before what comes next */
  async #advance(claim, done = "") {
    this.#hint("");
    this.#untell();
    this.hand.remove(claim.id);
    await this.#next(done);
  }

  /** Brings the last submitted pair back with its answers, to judge it again. */
  undo() {
    return this.#once(async () => {
      this.#untell();
      if (this.claim?.stage) return this.#hint(t("What was answered in training and quiz stands."));
      const unsentLast = this.outbox.waiting.findLast(({ kind }) => kind === "submit");
      const last = this.#submitted.at(-1) ?? unsentLast?.claim ?? (await this.#lastSubmitted());
      if (!last) return this.#hint(t("There is nothing to take back."));
      const unsent = await this.outbox.takeBack(last);
      try {
        if (!unsent && this.outbox.holds(last)) await this.outbox.kick();
        if (this.outbox.holds(last)) return this.#hint(t("This answer is on its way. It can be taken back once the server has it."));
        const claim = await this.#claimAgain(last, unsent);
        if (!unsent) await this.#takeBackStored(claim);
        else this.hand.add(claim, { first: true });
      } catch (error) {
        if (unsent) await this.#reopenLater(unsent);
        if (error instanceof ApiError && error.status === 401) await this.#login();
        else if (error instanceof ApiError || error instanceof Unreachable)
          this.#hint(error instanceof ApiError ? error.message : t("To take an answer back, this page needs the server. Try again when you are online."));
        else throw error;
        return;
      }
      this.#submitted = this.#submitted.filter((id) => id !== last);
      await this.#next();
      this.status.announce(t("The last pair is back, with your answers."));
    });
  }

  /** A claim as the server has it; one that the server has no answer to may be as it was kept here. */
  async #claimAgain(id, unsent) {
    try {
      return await call("GET", `claims/${id}/`);
    } catch (error) {
      const kept = error instanceof Unreachable && unsent && this.kept.claims.find((claim) => claim.id === id);
      if (kept) return kept;
      throw error;
    }
  }

  async #takeBackStored(claim) {
    // Kept first: the server will call these answers retracted, and they are what one wants to change.
    const draft = new Draft(owner, claim, this.points, null, () => this.hand.now);
    const kept = (await this.store.draft(owner, claim.id)) ?? draft.toJSON();
    kept.undo ??= uuid();
    await this.store.putDraft(kept);
    const open = await call("POST", `claims/${claim.id}/undo/`, { id: kept.undo });
    this.hand.add(open, { first: true });
    this.#progress((this.project.judged_pairs = Math.max(this.project.judged_pairs - 1, 0)));
  }

  /** Unsent and out of reach: back into the outbox, as it was. */
  async #reopenLater(entry) {
    const { seq: _old, ...again } = entry;
    await this.outbox.post(again);
  }

  async #lastSubmitted() {
    try {
      const { claims } = await call("GET", `projects/${slug}/history/`);
      return claims.find((claim) => claim.outcome === "submitted" && !this.outbox.holds(claim.id))?.id ?? null;
    } catch (error) {
      if (error instanceof ApiError && error.status === 401) await this.#login();
      return null;
    }
  }

  // Refusals

  #showRefused() {
    showRefused(this.outbox.refused, { reopen: (entry) => this.#reopen(entry), discard: (entry) => this.#discard(entry) });
  }

  #reopen(entry) {
    return this.#once(async () => {
      let claim;
      try {
        claim = await call("GET", `claims/${entry.claim}/`);
      } catch (error) {
        return this.#hint(error instanceof ApiError ? t("It cannot be opened: {why}", { why: error.message }) : t("The server does not answer. Try again when you are online."));
      }
      await this.outbox.takeBack(entry.claim);
      // Ended or submitted before: what is sent now is late, or a revision. The server takes both.
      if (claim.outcome) this.#ended.add(claim.id);
      this.hand.add({ ...claim, outcome: "" }, { first: true });
      await this.#next();
    });
  }

  async #discard(entry) {
    await this.outbox.discard(entry);
    this.hand.fill();
    this.#refresh();
  }

  // What happens by itself

  #listen() {
    const { outbox, hand } = this;
    outbox.addEventListener("change", () => this.#refresh());
    outbox.addEventListener("sent", ({ detail: { entry, answer } }) => this.#sent(entry, answer));
    outbox.addEventListener("elsewhere", () => hand.fill());
    outbox.addEventListener("refused", ({ detail: { entry } }) => {
      this.status.announce(refusedTold(1));
      if (this.claim?.answered && entry?.claim === this.claim.id) this.#advance(this.claim);
      hand.fill();
    });
    for (const source of [outbox, hand, this.offline]) source.addEventListener("login", () => this.#login());
    hand.addEventListener("ended", ({ detail: ids }) => this.#endedElsewhere(ids));
    hand.addEventListener("change", () => {
      if (!this.draft && this.claim === null) this.#next();
      else this.#refresh();
    });
    addEventListener("online", () => hand.fill());
    addEventListener("offline", () => this.#refresh());
    document.addEventListener("visibilitychange", () => {
      if (document.hidden) this.#keepDraft();
    });
    addEventListener("pagehide", () => this.#keepDraft());
  }

  #sent(entry, answer) {
    this.kept.drop(entry.claim).then(() => this.offline.show());
    if (entry.kind === "submit") {
      this.project.judged_pairs = answer.judged_pairs;
      this.#progress(answer.judged_pairs);
      if (answer.late) this.status.announce(t("Kept, though the pair was no longer held for you."));
    }
    if (answer.feedback) this.#toldKnown(entry.claim, answer.feedback);
    if (answer.next) this.hand.add(answer.next);
    this.hand.fill();
  }

  #tick(seconds) {
    if (this.pace.tick(seconds)) this.#restDue();
    if (!this.draft) return;
    this.draft.seconds += seconds;
    if (this.draft.touched && this.viewing.takeFresh()) this.#keepSoon();
    this.#lease();
  }

  #restDue() {
    const text = t("You have judged for {n} minutes. A short break keeps verdicts even; nothing is lost meanwhile.", { n: this.pace.minutes });
    find("rest").hidden = false;
    find("rest").querySelector("p").textContent = text;
    this.status.announce(text);
  }

  async #beat(lease) {
    await this.hand.beat(lease);
    await this.#next();
    this.hand.fill();
  }

  /** Claims that the server holds for us no more: only what is begun stays. */
  async #endedElsewhere(ids) {
    for (const id of ids) {
      this.#ended.add(id);
      const shown = id === this.claim?.id;
      if (shown ? this.draft?.touched : await this.store.draft(owner, id)) continue;
      this.hand.remove(id);
      await this.kept.drop(id);
      if (shown) this.status.announce(t("That pair went to somebody else while you were away."));
    }
    await this.#next();
    this.offline.show();
  }

  async #login() {
    await this.#keepDraft();
    if ((await askLogin()) !== user) return location.reload(); // somebody else: their page, their entries
    this.#lookAgain();
  }

  /** Another tab takes over. */
  async leave() {
    await this.#keepDraft();
    this.#left = true;
    this.hand.stop();
    this.draft = this.claim = null;
    this.anchors.clear();
    this.viewing.clear();
    this.panes.clear();
    this.veil.set(false);
    this.prompt.clear();
    this.#refresh();
  }
}

/** A task type in words, as the server has them. */
const named = (type) => TASKS[type] ?? type;

/** In place of a pair: why there is none. @param {...Node} children */
function blank(title, text, ...children) {
  find("work").hidden = true;
  find("blank").hidden = false;
  find("blank").replaceChildren(h("h2", {}, title), ...(text ? [h("p", {}, text)] : []), ...children);
}

function showWork() {
  find("work").inert = false;
  find("work").hidden = false;
  find("blank").hidden = true;
}

/** One tab of a browser judges in a project: two would show the same pair and overwrite each other's drafts. */
async function takeSeat() {
  const name = `evenhand judge ${owner}`;
  const others = "BroadcastChannel" in window ? new BroadcastChannel(name) : null;
  let page = null;
  const lost = async () => {
    await page?.leave();
    const back = h("button", { type: "button", class: "go", on: { click: () => location.reload() } }, t("Judge here again"));
    blank(t("You went on in another tab"), t("This project is open there now. Nothing is lost."), back);
  };
  let seat = await hold(name, { lost });
  if (!seat) {
    await new Promise((resolve) => {
      const here = h("button", { type: "button", class: "go", on: { click: resolve } }, t("Judge here"));
      blank(t("This project is open in another tab"), t("One tab at a time judges a project."), here);
    });
    blank(t("Fetching the next pair"), "");
    seat = await handedOver(others, () => hold(name, { lost })) ?? (await hold(name, { steal: true, lost }));
  }
  others?.addEventListener("message", async ({ data }) => {
    if (data !== "give") return;
    await lost();
    seat.release();
  });
  return (opened) => {
    page = opened;
  };
}

/** Asks the other tab to save its draft and let go; a frozen one does not answer, and is robbed then. */
async function handedOver(others, take) {
  others?.postMessage("give");
  for (let tries = 0; others && tries < 15; tries++) {
    await new Promise((resolve) => setTimeout(resolve, 100));
    const seat = await take();
    if (seat) return seat;
  }
  return null;
}

/** The project, as the server tells it; as it is kept here where the server does not answer. */
async function describe(store, kept) {
  try {
    const project = await call("GET", `projects/${slug}/`);
    if (kept.claims.length) kept.open(project).catch(() => {}); // it is kept in an older state else
    return project;
  } catch (error) {
    const before = error instanceof Unreachable || (error instanceof ApiError && error.passing) ? await store.project(owner) : null;
    if (!before) throw error;
    return before;
  }
}

async function open() {
  blank(t("Fetching the next pair"), "");
  let store;
  try {
    store = await openStore();
  } catch {
    return blank(t("This browser keeps nothing safe"), t("Its local storage (IndexedDB) is switched off or full, so an answer could be lost. Use another window or browser."));
  }
  store.dropOldDrafts();
  await forgetOthers(store, user);
  const kept = new Kept(store, user, slug);
  const seated = await takeSeat();
  await kept.look();
  for (;;) {
    try {
      const page = new JudgePage(store, kept, await describe(store, kept));
      seated(page);
      return await page.start();
    } catch (error) {
      if (error instanceof ApiError && error.status === 401) {
        if ((await askLogin()) !== user) return location.reload();
      } else if (error instanceof ApiError && !error.passing) {
        return blank(t("This project cannot be opened"), error.message);
      } else if (error instanceof ApiError || error instanceof Unreachable) {
        blank(t("The server does not answer"), t("It is asked again every few seconds."));
        await new Promise((resolve) => setTimeout(resolve, RETRY));
      } else {
        blank(t("This page broke"), t("Your answers are safe on this computer. Reload the page."));
        throw error;
      }
    }
  }
}

// A page brought back by the back button holds what was true when it was left: it begins anew, with its drafts. Without a
// network it can only if it is kept; else it goes on as it was, until it can.
addEventListener("pageshow", (event) => {
  if (!event.persisted) return;
  if (navigator.onLine || navigator.serviceWorker?.controller) location.reload();
  else addEventListener("online", () => location.reload(), { once: true });
});
open();
