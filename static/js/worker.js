// The service worker of pages below /judge/, there only while somebody has taken pairs offline. It keeps the shell of the
// judge page (self.SHELL, from /sw.js: the hashed files of one version) and the page itself, which it serves when the server
// cannot be reached; and it serves the media of kept claims, which kept.js has put there.
//
// Hashed files are looked for in all caches: whichever version a page is of, its modules are those that it names. So a new
// worker need not take over: it fills its own cache, brings the kept pages up to date with it, and once the tabs of the
// old one are closed it deletes the old cache.

const { version, entry, files } = self.SHELL;
const STATIC = entry.slice(0, entry.indexOf("js/judge"));
const SHELL = `evenhand-shell-${version}`;
const KEPT = "evenhand-kept-"; // pages and media, by user
const PATIENCE = 6000; // ms until the kept page is shown in place of one that does not come

/** Fetches what the shell lacks. Rejects unless all of it is there. */
async function fill() {
  const cache = await caches.open(SHELL);
  const there = new Set((await cache.keys()).map(({ url }) => new URL(url).pathname));
  await cache.addAll(files.filter((file) => !there.has(file)));
}

/**
 * Keeps a page. It names the files of the version that made it: one of another version, or of somebody else, is not kept.
 * @param {string} user @param {string} url
 */
async function keepPage(user, url) {
  const page = await fetch(url, { cache: "no-store" });
  const text = await page.clone().text();
  if (page.redirected || page.status === 404 || !text.includes(`data-user="${user}"`)) throw new Error("logged_out");
  if (!page.ok || !text.includes(entry)) throw new Error("another_version");
  await (await caches.open(KEPT + user)).put(url, page);
}

/** Or this version is not taken up: its cache and the pages belong together. */
async function renewPages() {
  for (const name of await caches.keys()) {
    if (!name.startsWith(KEPT)) continue;
    for (const { url } of await (await caches.open(name)).keys()) if (isPage(new URL(url))) await keepPage(name.slice(KEPT.length), new URL(url).pathname);
  }
}

const isPage = ({ pathname }) => pathname.startsWith("/judge/");
const kept = (url) => caches.match(url, { ignoreVary: true });

/** The page as the server has it; as it was kept, where the server does not answer. */
async function page(request) {
  const before = await kept(new URL(request.url).pathname);
  if (!before) return fetch(request);
  const late = new Promise((resolve) => setTimeout(resolve, PATIENCE, null));
  const answer = await Promise.race([fetch(request).catch(() => null), late]);
  return answer && answer.status < 500 ? answer : before;
}

/** A file by its hashed name, which never changes. */
const file = async (request) => (await kept(request.url)) ?? fetch(request);

/** A medium of a kept claim, whole or the range that a player asks for. */
async function medium(request) {
  const whole = await kept(request.url);
  if (!whole) return fetch(request);
  const range = /^bytes=(\d*)-(\d*)$/.exec(request.headers.get("Range") ?? "");
  if (!range || !(range[1] || range[2])) return whole;
  const body = await whole.blob();
  const start = range[1] ? Number(range[1]) : Math.max(body.size - Number(range[2]), 0);
  const end = range[1] && range[2] ? Math.min(Number(range[2]), body.size - 1) : body.size - 1;
  const headers = new Headers(whole.headers);
  if (start > end) {
    headers.set("Content-Range", `bytes */${body.size}`);
    return new Response(null, { status: 416, headers });
  }
  headers.set("Content-Range", `bytes ${start}-${end}/${body.size}`);
  headers.set("Content-Length", String(end - start + 1));
  return new Response(body.slice(start, end + 1, body.type), { status: 206, headers });
}

self.addEventListener("install", (event) => event.waitUntil(fill().then(renewPages)));

self.addEventListener("activate", (event) => {
  const old = (name) => name.startsWith("evenhand-shell-") && name !== SHELL;
  const drop = async () => Promise.all((await caches.keys()).filter(old).map((name) => caches.delete(name)));
  event.waitUntil(drop().then(() => self.clients.claim()));
});

self.addEventListener("fetch", (event) => {
  const { request } = event;
  const url = new URL(request.url);
  if (request.method !== "GET" || url.origin !== self.location.origin) return;
  if (request.mode === "navigate") event.respondWith(page(request));
  else if (url.pathname.startsWith("/media/")) event.respondWith(medium(request));
  else if (url.pathname.startsWith(STATIC)) event.respondWith(file(request));
});

// A page wants to be opened without a network. Its shell is looked through too: browsers may have made room meanwhile.
self.addEventListener("message", (event) => {
  const { user, page: url } = event.data;
  const [port] = event.ports;
  const keep = async () => {
    await fill();
    await keepPage(user, url);
  };
  event.waitUntil(
    keep().then(
      () => port.postMessage(""),
      (error) => port.postMessage(error.name === "QuotaExceededError" ? "quota" : error.message),
    ),
  );
});
