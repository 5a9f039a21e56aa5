"use strict";

// The server phrases every answer and problem; this script only spares the reload of the page.
const form = document.querySelector("form");
const preview = document.getElementById("preview");
const verdict = document.getElementById("verdict");
const details = document.getElementById("details");

let asking = new AbortController();

async function read(file) {
  asking.abort();
  asking = new AbortController();
  const { signal } = asking;
  showPreview(file);
  showNotice("busy");
  try {
    const page = await ask(file, signal);
    if (!signal.aborted) showAnswer(page);
  } catch {
    if (!signal.aborted) showNotice("unreachable", "problem");
  }
}

async function ask(file, signal) {
  const body = new FormData();
  body.append("image", file);
  const headers = { Accept: "text/html" };
  const response = await fetch(form.action, { method: "POST", body, headers, signal });
  return new DOMParser().parseFromString(await response.text(), "text/html");
}

function showPreview(file) {
  URL.revokeObjectURL(preview.src);
  preview.src = URL.createObjectURL(file);
  preview.hidden = false;
  document.getElementById("emblem").hidden = true;
}

function showAnswer(page) {
  const answer = page.getElementById("verdict");
  verdict.replaceChildren(...answer.children);
  verdict.dataset.state = answer.dataset.state;
  details.replaceChildren(...page.getElementById("details").children);
  document.title = page.title;
}

// An old answer never stays beside a new photo.
function showNotice(id, state = id) {
  verdict.replaceChildren(document.getElementById(id).content.cloneNode(true));
  verdict.dataset.state = state;
  details.replaceChildren();
}

// Not every browser can draw every format that the server reads.
preview.addEventListener("error", () => { preview.hidden = true; });

for (const input of form.querySelectorAll("input")) {
  input.addEventListener("change", () => {
    const [file] = input.files;
    input.value = "";
    if (file) read(file);
  });
}

document.addEventListener("paste", (event) => {
  const [file] = event.clipboardData.files;
  if (file) read(file);
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
  const [file] = event.dataTransfer.files;
  if (file) read(file);
});

document.documentElement.classList.add("js");
