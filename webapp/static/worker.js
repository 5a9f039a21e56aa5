// Shows an offline page if the server cannot be reached. Caches the page's own files, never photos or
// answers. A change of `v`, the server's hash of these files, renews the cache.
const { searchParams } = new URL(location);
const CACHE = `page-${searchParams.get("v")}`;
const OFFLINE = `/offline?lang=${searchParams.get("lang")}`;
const SCRIPTS = ["page.js", "adder.js", "camera.js", "feedback.js", "send.js", "stage.js", "tell.js"];
const PICTURES = ["icon.svg", "samples/five.webp", "samples/fifty.webp"];
const NAMES = ["page.css", "manifest.webmanifest", ...SCRIPTS, ...PICTURES];
const FILES = NAMES.map((name) => `/static/${name}`);
const AWAY = [502, 503, 504]; // of a proxy that cannot reach the server

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

async function open(request) {
  const reply = await fetch(request).catch(() => null);
  // Elsewhere the status may be the front end's own.
  const away = !reply || (new URL(request.url).pathname === "/" && AWAY.includes(reply.status));
  return away ? caches.match(OFFLINE) : reply;
}

addEventListener("install", (event) => event.waitUntil(install()));
addEventListener("activate", (event) => event.waitUntil(activate()));
addEventListener("fetch", (event) => {
  const { request } = event;
  if (request.mode === "navigate") event.respondWith(open(request));
  else if (FILES.includes(new URL(request.url).pathname)) {
    event.respondWith(fetch(request).catch(() => caches.match(request.url)));
  }
});
