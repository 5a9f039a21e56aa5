// Opens the page without its server, to say so. Photos and answers are never kept; the page's own
// files are, and renewed as `v` changes, which the server makes of their content.
const { searchParams } = new URL(location);
const CACHE = `page-${searchParams.get("v")}`;
const OFFLINE = `/offline?lang=${searchParams.get("lang")}`;
const NAMES = ["page.css", "page.js", "camera.js", "tell.js", "icon.svg", "manifest.webmanifest"];
const FILES = NAMES.map((name) => `/static/${name}`);

async function install() {
  const cache = await caches.open(CACHE);
  await cache.addAll([OFFLINE, ...FILES]);
  await skipWaiting();
}

async function activate() {
  const old = (await caches.keys()).filter((name) => name !== CACHE);
  await Promise.all(old.map((name) => caches.delete(name)));
  await clients.claim();
}

addEventListener("install", (event) => event.waitUntil(install()));
addEventListener("activate", (event) => event.waitUntil(activate()));
addEventListener("fetch", (event) => {
  const { request } = event;
  const own = FILES.includes(new URL(request.url).pathname);
  if (request.mode !== "navigate" && !own) return;
  const kept = request.mode === "navigate" ? OFFLINE : request.url;
  event.respondWith(fetch(request).catch(() => caches.match(kept)));
});
