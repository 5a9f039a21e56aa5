// The server phrases every answer and problem; this script spares the reload of the page, tells
// the answer in further ways and reads the camera.
import { again, hint, tell } from "./tell.js";
import { watch } from "./camera.js";

const $ = (id) => document.getElementById(id);
const phrases = JSON.parse($("phrases").textContent);
const form = document.querySelector("form");
const [preview, camera, progress] = ["preview", "camera", "progress"].map($);
const [verdict, details, live] = ["verdict", "details", "live"].map($);
const home = document.querySelector("h1 a");

const RETRY = 3000; // milliseconds between looks for a server that could not be reached

let current = 0;
let stopCamera = null;

async function read(files) {
  endCamera();
  const mine = ++current;
  const said = [];
  details.replaceChildren();
  for (const [n, file] of files.entries()) {
    const several = files.length > 1;
    showPreview(file);
    notice("busy", several ? fill(phrases.busy_with, { n: n + 1, of: files.length }) : phrases.busy);
    const page = await send(file);
    if (mine !== current) return;
    said.push(page ? show(page, file, several) : unreachable());
    if (!page) break;
  }
  endProgress();
  if (said.length > 1) showAll(said);
  tell(verdict);
}

// XMLHttpRequest, since fetch does not tell how far an upload is.
function send(file) {
  return new Promise((resolve) => {
    const request = new XMLHttpRequest();
    const body = new FormData();
    body.append("image", file);
    request.open("POST", form.action);
    request.setRequestHeader("Accept", "text/html");
    request.responseType = "document";
    request.timeout = 60_000;
    request.upload.onprogress = ({ loaded, total }) => { progress.value = loaded / total; };
    request.onloadend = () => resolve(request.response);
    progress.value = 0;
    progress.hidden = false;
    request.send(body);
  });
}

function show(page, file, several) {
  const answer = page.getElementById("verdict");
  const cards = [...page.getElementById("details").children];
  const said = answer.innerText || answer.textContent;
  if (several && !cards.length) cards.push(problemCard(file, answer));
  details.append(...cards);
  if (!several) {
    verdict.replaceChildren(...answer.children);
    verdict.dataset.state = answer.dataset.state;
    verdict.dataset.denomination = answer.dataset.denomination ?? "";
    document.title = page.title;
  }
  return (answer.querySelector(".said") ?? { textContent: said }).textContent.trim();
}

function problemCard(file, answer) {
  const card = document.createElement("article");
  const name = document.createElement("h2");
  name.textContent = file.name;
  card.className = "card";
  card.append(name, ...answer.children);
  return card;
}

function showAll(said) {
  notice("several", fill(phrases.pictures, { n: said.length }), said.join(". "));
}

function unreachable() {
  details.replaceChildren();
  if (navigator.onLine) notice("problem", phrases.failed, phrases.unreachable);
  else notice("offline", phrases.no_connection, phrases.offline);
  return phrases.failed;
}

// An old answer never stays beside a new photo.
function notice(state, shown, more = "") {
  const lines = [shown, more].filter(Boolean).map((text, n) => {
    const line = document.createElement("p");
    line.textContent = text;
    line.className = ["headline", state === "several" ? "said" : ""][n];
    return line;
  });
  verdict.replaceChildren(...lines);
  verdict.dataset.state = state;
  verdict.dataset.denomination = "";
}

function showPreview(file) {
  URL.revokeObjectURL(preview.src);
  preview.src = URL.createObjectURL(file);
  preview.hidden = false;
  $("emblem").hidden = true;
}

function endProgress() {
  progress.hidden = true;
  preview.hidden = details.querySelector("figure") !== null;
  $("emblem").hidden = !preview.hidden;
}

function fill(phrase, values) {
  return phrase.replace(/\{(\w+)\}/g, (_, name) => values[name]);
}

async function startCamera() {
  current++;
  details.replaceChildren();
  notice("busy", phrases.busy);
  try {
    stopCamera = await watch(camera, new URL("/predict?explain=1", form.action), { guide, answer });
  } catch {
    return notice("problem", phrases.failed, phrases.no_camera);
  }
  $("scene").hidden = false;
  preview.hidden = $("emblem").hidden = true;
  live.textContent = phrases.stop;
}

function endCamera() {
  if (!stopCamera) return;
  stopCamera();
  stopCamera = null;
  $("scene").hidden = true;
  $("emblem").hidden = false;
  live.textContent = phrases.live;
}

function guide(name) {
  $("heat").replaceChildren();
  notice("guide", phrases[name]);
  hint(phrases[name]);
}

function answer(denomination, heatmap) {
  const dollars = denomination === "1" ? phrases.one_dollar : fill(phrases.dollars, { n: denomination });
  notice("sure", dollars);
  verdict.dataset.denomination = denomination;
  drawHeat(heatmap);
  tell(verdict);
}

function drawHeat(heatmap) {
  const svg = $("heat");
  svg.setAttribute("viewBox", `0 0 ${heatmap[0].length} ${heatmap.length}`);
  const squares = heatmap.flatMap((row, y) => row.map((opacity, x) => {
    const square = document.createElementNS(svg.namespaceURI, "rect");
    for (const [name, value] of Object.entries({ x, y, opacity, width: 1, height: 1 })) square.setAttribute(name, value);
    return square;
  }));
  svg.replaceChildren(...squares);
}

// Not every browser can draw every format that the server reads.
preview.addEventListener("error", () => { preview.hidden = true; });
live.addEventListener("click", () => (stopCamera ? endCamera() : startCamera()));
document.addEventListener("visibilitychange", () => { if (document.hidden) endCamera(); });
$("again").addEventListener("click", () => again());
window.addEventListener("offline", () => {
  // An answer that is there stays true.
  if (!stopCamera && verdict.dataset.state !== "empty") return;
  endCamera();
  notice("offline", phrases.no_connection, phrases.offline);
});

for (const input of form.querySelectorAll("input[type=file]")) {
  input.addEventListener("change", () => {
    const files = [...input.files];
    input.value = "";
    if (files.length) read(files);
  });
}

for (const button of $("samples").querySelectorAll("button")) {
  button.addEventListener("click", async () => {
    const image = button.firstElementChild;
    const blob = await (await fetch(image.src)).blob();
    read([new File([blob], image.alt, { type: blob.type })]);
  });
}

document.addEventListener("paste", ({ clipboardData: { files } }) => {
  if (files.length) read([...files]);
});

document.addEventListener("dragover", (event) => {
  event.preventDefault();
  document.body.classList.add("dragging");
});

document.addEventListener("dragleave", (event) => {
  if (!event.relatedTarget) document.body.classList.remove("dragging");
});

document.addEventListener("drop", (event) => {
  event.preventDefault();
  document.body.classList.remove("dragging");
  if (event.dataTransfer.files.length) read([...event.dataTransfer.files]);
});

document.documentElement.classList.add("js");
setInterval(async () => {
  if (verdict.dataset.state !== "offline") return;
  const alive = await fetch("/livez").catch(() => null);
  if (alive?.ok) location.assign(home);
}, RETRY);
// Where the page is not served over https, there is none; where it does not come, all else works.
navigator.serviceWorker?.register(home.dataset.worker).catch(() => {});
