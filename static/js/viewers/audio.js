// Two sounds on one clock, one of them heard; the other takes over at the same instant. Or one sound on its own.

import { Ahead } from "../ahead.js";
import { h } from "../dom.js";
import { read, readJson, sibling } from "../media.js";
import { t } from "../tongue.js";
import { failed } from "./failed.js";
import { isLong, LONG, Sounds } from "./sounds.js";
import { Spectrogram } from "./spectrogram.js";
import { transport } from "./transport.js";
import { Waveform } from "./waveform.js";

export const createLink = () => new Sounds();

/** Sounds that are read and decoded; long ones are not. */
export const ahead = new Ahead((medium) => {
  if (isLong(medium)) return null;
  const decoded = decode(medium);
  decoded.catch(() => {}); // who takes it is told
  return decoded;
});

async function decode({ url, sample_rate: rate = 48000 }) {
  const bytes = await (await read(url)).arrayBuffer();
  return new OfflineAudioContext(1, 1, rate).decodeAudioData(bytes); // at its own rate: nothing is resampled before it sounds
}

/** @param {HTMLElement} element @param {{medium: any, label: string, side: string, link: Sounds}} data */
export function mount(element, { medium, label, side, link }) {
  const left = new AbortController();
  const wave = new Waveform({ label, seek: (part) => link.seek(part * link.duration) });
  const note = h("p", { class: "note", role: "status" }, t("Loading"));
  const view = h("div", { class: "view sound" }, wave.element, note);
  element.replaceChildren(view);

  /** @type {Spectrogram|null} */
  let pitches = null;
  const part = () => (link.duration ? link.time / link.duration : 0);
  const showPitches = () => {
    const samples = link.pitches && link.samples(side);
    const gain = link.gainOf(side);
    if (pitches && samples && pitches.gain === gain) return;
    pitches?.destroy();
    pitches?.element.remove();
    pitches = null;
    wave.element.hidden = Boolean(samples);
    if (!samples) return;
    pitches = Object.assign(new Spectrogram({ label, seek: (to) => link.seek(to * link.duration), part }), { gain });
    view.prepend(pitches.element);
    pitches.show(samples, link.duration, gain);
  };
  const draw = () => {
    wave.draw({ at: link.time, duration: link.duration });
    pitches?.place();
  };
  const settle = () => {
    const gain = link.gainOf(side);
    view.dataset.gain = String(gain);
    view.dataset.heard = String(link.heard === side);
    showPitches();
    wave.draw({ at: link.time, duration: link.duration, gain, heard: link.heard === side || link.size === 1, scale: link.scale });
  };
  link.addEventListener("time", draw, { signal: left.signal });
  link.addEventListener("change", settle, { signal: left.signal });

  const peaks = readJson(sibling(medium.url, "peaks"), left.signal).then(
    (found) => {
      wave.peaks = found;
      link.seen(side, wave.loudest);
    },
    () => {}, // heard all the same; the bar's own track seeks
  );
  const broke = () => {
    if (left.signal.aborted) return;
    note.textContent = "";
    const again = failed("audio", () => {
      again.remove();
      load();
    });
    view.append(again);
  };
  const load = async () => {
    note.textContent = t("Loading");
    try {
      await link.load(side, medium, () => ahead.take(medium), broke);
      note.textContent = "";
    } catch {
      broke();
    }
  };
  return {
    ready: Promise.all([peaks, load()]),
    destroy() {
      left.abort();
      wave.destroy();
      pitches?.destroy();
      link.remove(side);
    },
  };
}

/** @param {Sounds} link */
export function tools(link) {
  const other = () => link.hear(link.heard === "a" ? "b" : "a");
  const onOff = () => link.hear(link.heard ? "" : link.sides[0]);
  const pair = link.size > 1;
  const pitches = {
    key: "T",
    label: t("Spectrogram"),
    run: () => link.setPitches(!link.pitches),
    pressed: () => link.pitches,
    text: () => (link.canShowPitches ? t("Spectrogram") : t("Spectrogram: only up to {n} min", { n: LONG / 60 })), // it is made of samples, which do not lie in memory
    off: () => !link.canShowPitches,
  };
  return transport(link, {
    after: pair
      ? [
          pitches,
          { key: "H", label: t("Hear the other one, at the same place"), run: other, text: () => (link.heard ? t("Hear: {side}", { side: link.heard.toUpperCase() }) : t("Sound off")) },
          {
            key: "Q",
            label: t("Loudness matched, or as it is"),
            words: t("Loudness matched"),
            run: () => link.setMatched(!link.matched),
            pressed: () => link.matched,
            text: () => (link.canMatch ? (link.matched ? t("Loudness matched") : t("Loudness as it is")) : t("Loudness unknown")),
            off: () => !link.canMatch,
          },
        ]
      : [pitches, { key: "H", label: t("Sound on or off"), run: onOff, text: () => (link.heard ? t("Sound on") : t("Sound off")) }],
  });
}
