// Sends in the photo of a wrong answer, and deletes it again, without a reload of the page. The
// server writes the forms and the texts about them.
import { send } from "./send.js";

const details = document.getElementById("details");
const phrases = JSON.parse(document.getElementById("phrases").textContent);

/** Moves the frame that would be kept into the form, since a live camera's card shows no picture. */
export function showFrame(card) {
  const frame = card.querySelector("figure img");
  card.querySelector(".feedback summary")?.after(frame);
}

async function give(form, place) {
  const { status, page } = await send(form.action, new FormData(form), new AbortController().signal);
  const parts = ["verdict", "details"].flatMap((id) => [...(page?.getElementById(id)?.children ?? [])]);
  const outcome = document.createElement("div");
  outcome.className = "outcome";
  outcome.tabIndex = -1;
  outcome.append(...(parts.length ? parts : [phrases.failed, ". ", status ? phrases.refused : phrases.unreachable]));
  form.parentElement.querySelector(":scope > .outcome")?.remove();
  if (status >= 200 && status < 300) place.replaceWith(outcome);
  else form.before(outcome);
  // A screen reader reads the element that has the focus.
  outcome.focus();
}

details.addEventListener("submit", async (event) => {
  const place = event.target.closest(".feedback, .outcome");
  if (!place) return; // On a photo's own page the browser posts the form.
  event.preventDefault();
  const button = event.submitter;
  button.disabled = true;
  await give(event.target, place);
  button.disabled = false;
});
