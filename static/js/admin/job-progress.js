// Follows a job: asks for its progress, moves the bar, draws the curves of a training, and loads the page anew when the job
// has ended.

const PERIOD = 1000; // ms
const PERIOD_AFTER_FAILURE = 5000;

const job = document.querySelector("#job");
const part = (name) => job.querySelector(`[data-${name}]`);

function show({ state, step, share, done, total }) {
  part("state").textContent = state;
  part("step").textContent = step;
  part("share").textContent = share;
  const bar = part("bar");
  if (total) {
    bar.max = total;
    bar.value = done;
  } else {
    bar.removeAttribute("value");
  }
}

const place = document.querySelector("#curves");
let shown = "";

/** The server draws; what is open, scrolled or focused around the lines and the rows stays. */
function draw(curves) {
  if (!place || !curves || curves === shown) return;
  shown = curves;
  const made = document.createElement("template");
  made.innerHTML = curves;
  const holder = place.querySelector("[data-curves]");
  if (!holder.firstElementChild) {
    holder.replaceChildren(made.content);
    place.hidden = false;
    return;
  }
  for (const part of made.content.querySelectorAll("[data-live]")) {
    holder.querySelector(`[data-live="${part.dataset.live}"]`).replaceChildren(...part.childNodes);
  }
}

async function follow() {
  try {
    const response = await fetch(job.dataset.url, { headers: { Accept: "application/json" } });
    if (!response.ok || response.redirected) throw new Error(`the server answered ${response.status}`);
    const told = await response.json();
    if (told.ended) {
      location.reload();
      return;
    }
    show(told);
    draw(told.curves);
    setTimeout(follow, PERIOD);
  } catch {
    // The server is away, or the login is over: the bar stands still until it answers again.
    setTimeout(follow, PERIOD_AFTER_FAILURE);
  }
}

if (job?.dataset.url) follow();
