// The server writes the text of every answer and problem; this script avoids reloads of the page,
// announces answers in further ways and reads the camera.
import * as adder from "./adder.js";
import { watch } from "./camera.js";
import { showFrame } from "./feedback.js";
import { send } from "./send.js";
import * as stage from "./stage.js";
import { again, hint, tell, words } from "./tell.js";

const $ = (id) => document.getElementById(id);
const phrases = JSON.parse($("phrases").textContent);
const form = document.querySelector("form");
const [verdict, details, live] = ["verdict", "details", "live"].map($);
const home = document.querySelector("h1 a");

const RETRY = 3000; // milliseconds between checks for a server that could not be reached
const OFFLINE = ["offline", phrases.no_connection, phrases.offline];
const cached = verdict.dataset.state === "offline"; // opened without a connection

// The current upload or camera session, which the next one aborts.
let job = new AbortController();
let filming = false;

function begin() {
  job.abort();
  job = new AbortController();
  filming = false;
  live.textContent = phrases.live;
  stage.clear();
  return job.signal;
}

async function read(files) {
  const signal = begin();
  const regions = [];
  details.replaceChildren();
  for (const [n, file] of files.entries()) {
    stage.showPhoto(file);
    notice("busy", busy(n + 1, files.length));
    const { region, cards } = await ask(file, signal);
    if (signal.aborted) return;
    const bare = files.length > 1 && !cards.length;
    details.append(...(bare ? [problemCard(file, region)] : cards));
    regions.push(region);
  }
  put(regions.length > 1 ? summary(regions) : regions[0]);
  stage.settle(details.querySelector("figure") !== null);
  tell();
}

const busy = (n, of) => (of > 1 ? fill(phrases.busy_with, { n, of }) : phrases.busy);

// Sends a file; returns a verdict, and cards with details.
async function ask(file, signal) {
  if (file.size > form.dataset.max) return { region: problem(phrases.too_large), cards: [] };
  const body = new FormData();
  body.append("image", file);
  const { status, page } = await send(form.action, body, signal, stage.progress);
  const region = page?.getElementById("verdict");
  if (region) return { region, cards: [...page.getElementById("details").children] };
  return { region: unanswered(status), cards: [] };
}

// The verdict without a page from the front end: for a proxy's reply, or no reply (status 0).
function unanswered(status) {
  if (status === 0 && !navigator.onLine) return draft(...OFFLINE);
  if (status === 413) return problem(phrases.too_large);
  if (status === 429 || status >= 500) return problem(phrases.not_ready);
  return problem(status >= 400 ? phrases.refused : phrases.unreachable);
}

function problem(reason) {
  return draft("problem", phrases.failed, reason);
}

function problemCard(file, region) {
  const card = document.createElement("article");
  const name = document.createElement("h2");
  name.textContent = file.name;
  card.className = "card";
  card.append(name, ...region.cloneNode(true).children);
  return card;
}

function summary(regions) {
  const shown = fill(phrases.pictures, { n: regions.length });
  const region = draft("several", shown, regions.map(words).join(". "));
  region.dataset.denomination = regions.map(({ dataset }) => dataset.denomination ?? "").join();
  return region;
}

// Builds a verdict in the form that the server uses.
function draft(state, shown = "", more = "") {
  const region = verdict.cloneNode(false);
  const lines = [shown, more].filter(Boolean).map((text, n) => {
    const line = document.createElement("p");
    line.textContent = text;
    line.className = ["headline", state === "several" ? "said" : ""][n];
    return line;
  });
  region.append(...lines);
  Object.assign(region.dataset, { state, denomination: "", bills: "" });
  return region;
}

// Replaces verdict and title together, so that no old answer stays next to a new photo.
function put({ children, dataset: { state, denomination = "", bills = "" } }) {
  verdict.replaceChildren(...children);
  Object.assign(verdict.dataset, { state, denomination, bills });
  const shown = verdict.querySelector(".headline")?.textContent;
  document.title = shown ? `${shown} · ${phrases.title}` : phrases.title;
}

function notice(...said) {
  put(draft(...said));
}

function fill(phrase, values) {
  return phrase.replace(/\{(\w+)\}/g, (_, name) => values[name]);
}

async function startCamera() {
  const signal = begin();
  filming = true;
  live.textContent = phrases.stop;
  details.replaceChildren();
  notice("busy", phrases.busy);
  try {
    // Bills are counted only after the frames agree on a value, see addCard.
    const address = new URL("/predict?explain=1&frame=1&count=0", form.action);
    await watch(stage.camera, address, signal, { guide, answer, lost, emptied: adder.seeEmpty });
    if (!signal.aborted) stage.showCamera();
  } catch {
    // Browsers offer no camera to a page that was loaded without encryption.
    const reason = navigator.mediaDevices ? phrases.no_camera : phrases.needs_https;
    if (!signal.aborted) giveUp(problem(reason));
  }
}

function endCamera() {
  if (!filming) return;
  begin();
  if (verdict.dataset.state !== "sure") notice("empty");
}

function giveUp(region) {
  begin();
  details.replaceChildren();
  put(region);
  tell();
}

function lost() {
  giveUp(problem(phrases.camera_lost));
}

function guide(name) {
  stage.drawHeat([]);
  details.replaceChildren();
  instruct(phrases[name === "none" && adder.adding() ? "next" : name]);
}

function instruct(...said) {
  notice("guide", ...said);
  hint(words(verdict));
}

function answer(name, said, heatmap, frame) {
  const region = draft("sure", said, adder.add(name));
  region.dataset.denomination = name;
  put(region);
  details.replaceChildren();
  stage.drawHeat(heatmap);
  tell();
  addCard(name, frame);
}

// Shows the server's card with bars and version, without the picture, which the stage shows already.
// Announces several bills, unless bills are added up one after the other.
async function addCard(name, frame) {
  const { signal } = job;
  const { page } = await send(`${form.action}&frame=1`, frame, signal);
  const region = page?.getElementById("verdict");
  const same = ({ dataset }) => dataset.denomination === name;
  if (signal.aborted || !region || !same(verdict)) return;
  if (region.dataset.bills && !adder.adding()) {
    put(region);
    tell();
  } else if (!same(region)) return;
  const card = page.querySelector(".card");
  showFrame(card);
  card.querySelector("figure")?.remove();
  details.replaceChildren(card);
}

// Opening a form stops the live camera, whose next result would replace the form.
details.addEventListener("toggle", ({ target }) => { if (target.open) endCamera(); }, { capture: true });
const inView = () => {
  const { state, denomination, bills } = verdict.dataset;
  return filming && state === "sure" && !bills ? denomination : "";
};
adder.start(inView, instruct);
live.addEventListener("click", () => (filming ? endCamera() : startCamera()));
document.addEventListener("visibilitychange", () => { if (document.hidden) endCamera(); });
$("again").addEventListener("click", again);
window.addEventListener("offline", () => {
  // An answer that is shown stays valid.
  if (!filming && verdict.dataset.state !== "empty") return;
  giveUp(draft(...OFFLINE));
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
    const { src, alt } = button.firstElementChild;
    const reply = await fetch(src).catch(() => null);
    if (!reply?.ok) return giveUp(unanswered(reply?.status ?? 0));
    const blob = await reply.blob();
    read([new File([blob], alt, { type: blob.type })]);
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
  const offline = () => verdict.dataset.state === "offline";
  const alive = offline() && (await fetch("/livez").catch(() => null));
  if (!alive?.ok || !offline()) return;
  // A reload would lose what was added up.
  if (cached) location.assign(home);
  else notice("empty");
}, RETRY);
// Without https there is no service worker; if it does not load, the rest of the page still works.
navigator.serviceWorker?.register(home.dataset.worker).catch(() => {});
