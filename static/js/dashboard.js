// A dashboard that is watched keeps itself new, and each of its sheets can be taken along as a picture.

const page = document.getElementById("dashboard");
const place = document.getElementById("state");
const form = document.getElementById("compute"); // of who may ask for new statistics

const OFTEN = 2_000; // while something is computed
const SELDOM = 30_000;

async function look() {
  if (document.visibilityState !== "visible") return SELDOM;
  const answer = await fetch(page.dataset.state, { headers: { Accept: "application/json" } });
  if (!answer.ok) return SELDOM;
  const { read_at: readAt, step, outdated } = await answer.json();
  if (readAt && readAt !== page.dataset.readAt && !step) {
    location.reload();
    return SELDOM;
  }
  if (step) {
    place.textContent = `Computing: ${step}`;
    return OFTEN;
  }
  if (outdated && form) {
    await fetch(form.action, { method: "POST", body: new FormData(form), redirect: "manual" });
    return OFTEN;
  }
  return SELDOM;
}

async function watch() {
  let wait = SELDOM;
  try {
    wait = await look();
  } catch {
    place.textContent = "Not connected.";
  }
  setTimeout(watch, wait);
}

/** What is seen of a sheet, drawn again on a canvas: its plots' marks and its lines of text, where they stand. */
function drawn(sheet) {
  const scale = 2;
  const box = sheet.getBoundingClientRect();
  const canvas = document.createElement("canvas");
  canvas.width = Math.ceil(box.width * scale);
  canvas.height = Math.ceil(box.height * scale);
  const to = canvas.getContext("2d");
  to.scale(scale, scale);
  to.translate(-box.left, -box.top);
  to.fillStyle = getComputedStyle(sheet).backgroundColor;
  to.fillRect(box.left, box.top, box.width, box.height);
  for (const mark of sheet.querySelectorAll(".plot > *")) {
    const at = mark.getBoundingClientRect();
    if (!at.width && !at.height) continue;
    to.fillStyle = getComputedStyle(mark).fill;
    to.beginPath();
    if (mark.tagName === "circle") to.arc(at.left + at.width / 2, at.top + at.height / 2, at.width / 2, 0, 2 * Math.PI);
    else to.rect(at.left, at.top, at.width, at.height);
    to.fill();
  }
  const texts = document.createTreeWalker(sheet, NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) {
    const { parentElement: around } = texts.currentNode;
    if (around.closest(".sr, .quiet, svg") || !around.checkVisibility()) continue;
    const look = getComputedStyle(around);
    to.font = `${look.fontWeight} ${look.fontSize} ${look.fontFamily}`;
    to.fillStyle = look.color;
    to.textBaseline = "middle";
    for (const [line, at] of linesOf(texts.currentNode)) to.fillText(line, at.left, at.top + at.height / 2);
  }
  return canvas;
}

/** The lines that a text is broken into, with where each stands. */
function* linesOf(node) {
  const range = document.createRange();
  let line = "";
  let begun = null;
  for (let n = 0; n < node.length; n += 1) {
    range.setStart(node, n);
    range.setEnd(node, n + 1);
    const at = range.getClientRects()[0];
    if (!at || !at.width) continue;
    if (begun && Math.abs(at.top - begun.top) > at.height / 2) {
      yield [line, begun];
      line = "";
      begun = null;
    }
    begun ??= at;
    line += node.data[n].replace(/\s/, " ");
  }
  if (begun) yield [line, begun];
}

function save(sheet, name) {
  drawn(sheet).toBlob((blob) => {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(blob);
    link.download = `${page.dataset.name}-${name}.png`;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
  }, "image/png");
}

for (const button of document.querySelectorAll("[data-picture]")) {
  button.hidden = false;
  button.addEventListener("click", () => save(button.closest(".sheet"), button.dataset.picture));
}
setTimeout(watch, OFTEN);
