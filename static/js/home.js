// Answers that a closed tab left on this computer: told, and sent from here.

import { whoIsIn } from "./api.js";
import { forgetOthers, Kept } from "./kept.js";
import { Outbox } from "./outbox.js";
import { openStore } from "./store.js";
import { plural } from "./tongue.js";

const { user } = document.body.dataset;
const place = document.getElementById("waiting");

async function sendWhatWaits() {
  const store = await openStore();
  await forgetOthers(store, user);
  const mine = (await store.owners()).filter((owner) => owner.startsWith(`${user}/`));
  const isMe = async () => (await whoIsIn()) === user;
  const boxes = mine.map((owner) => new Outbox(store, owner, isMe));
  const tell = () => {
    const waiting = boxes.flatMap((box) => box.waiting).length;
    const refused = boxes.flatMap((box) => box.refused).length;
    const parts = [
      waiting && plural("One of your answers is saved on this computer and on its way.", "{n} of your answers are saved on this computer and on their way.", waiting),
      refused && plural("One answer was refused: open the project to see why.", "{n} answers were refused: open the project to see why.", refused),
    ].filter(Boolean);
    place.textContent = parts.join(" ");
    place.hidden = !parts.length;
  };
  for (const box of boxes) {
    box.addEventListener("change", tell);
    const kept = new Kept(store, user, box.owner.slice(user.length + 1));
    box.addEventListener("sent", ({ detail: { entry } }) => kept.drop(entry.claim));
    box.kick();
  }
}

if (user) sendWhatWaits();
