// Further ways to tell an answer: speech, vibration, tones. All off until somebody turns them on,
// since a screen reader announces the answer anyway.

// The pulses of the EyeNote app, which people know: 1 for $1 up to 7 for $100.
const PULSES = { 1: 1, 2: 2, 5: 3, 10: 4, 20: 5, 50: 6, 100: 7 };
const [PULSE, PAUSE, LONG, GAP] = [120, 130, 700, 1000]; // milliseconds
// Browsers cut a vibration behind its 99th part, and a bill that is cut would be another bill.
const MOST = 7;

const verdict = document.getElementById("verdict");
const ways = {
  speech: () => speak(words(verdict)),
  vibration: () => navigator.vibrate(rhythm(verdict)),
  tones: () => beep(rhythm(verdict)),
};
const can = {
  speech: "speechSynthesis" in window,
  vibration: "vibrate" in navigator,
  tones: "AudioContext" in window,
};
const boxes = Object.keys(ways).map((way) => document.querySelector(`fieldset [name=${way}]`));
const [speech, , tones] = boxes;

let audio = null;
let voice = null;

/** Tells what the page says now, in the ways that are switched on, and brings it into view. */
export function tell() {
  for (const { name, checked } of boxes) {
    if (checked) ways[name]();
  }
  verdict.scrollIntoView({ block: "nearest" });
}

/** Asked for outright, it is spoken; yet not where somebody chose a way that nobody overhears. */
export function again() {
  if (can.speech && !boxes.some(({ checked }) => checked)) ways.speech();
  else tell();
}

/** Guidance is spoken, never pulsed: a pulse is an answer. */
export function hint(text) {
  if (speech.checked) speak(text);
}

/** The words of a verdict, its lines as sentences. */
export function words(region) {
  const said = region.querySelector(".said");
  const lines = said ? [said] : [...region.children];
  return lines.map(({ textContent }) => textContent.trim().replace(/\.$/, "")).join(". ");
}

// The lengths of pulses, each followed by that of the pause behind it; for each bill in turn.
function rhythm({ dataset: { denomination = "" } }) {
  return denomination.split(",").slice(0, MOST).flatMap((name) => {
    const pulses = name in PULSES ? Array(PULSES[name]).fill([PULSE, PAUSE]).flat() : [LONG, PAUSE];
    return [...pulses.slice(0, -1), GAP];
  });
}

function speak(text) {
  const utterance = new SpeechSynthesisUtterance(text);
  utterance.lang = document.documentElement.lang;
  speechSynthesis.cancel();
  speechSynthesis.speak(utterance);
}

function beep(lengths) {
  wake();
  // One that still sleeps would sound later, beside another answer.
  if (audio.state !== "running") return;
  voice?.disconnect();
  voice = new GainNode(audio);
  voice.connect(audio.destination);
  let start = audio.currentTime;
  for (const [n, length] of lengths.entries()) {
    if (n % 2 === 0) sound(start, length);
    start += length / 1000;
  }
}

function sound(start, length) {
  const tone = new OscillatorNode(audio, { frequency: length === LONG ? 220 : 660 });
  tone.connect(voice);
  tone.start(start);
  tone.stop(start + length / 1000);
}

function wake() {
  audio ??= new AudioContext();
  audio.resume();
}

// Where storage is forbidden, each visit starts afresh.
function remembered(name) {
  try {
    return localStorage.getItem(name) === "on";
  } catch {
    return false;
  }
}

function remember({ name, checked }) {
  try {
    localStorage.setItem(name, checked ? "on" : "off");
  } catch {
    // See above.
  }
}

for (const box of boxes) {
  box.parentElement.hidden = !can[box.name];
  box.checked = can[box.name] && remembered(box.name);
  box.addEventListener("change", () => remember(box));
}
speech.addEventListener("change", () => hint(speech.parentElement.textContent.trim()));
// iOS lets a page sound only once it has done so in a gesture. The first click will do, where a
// way was switched on at an earlier visit; `capture` puts it before what the click is for.
document.addEventListener("click", () => hint(""), { capture: true, once: true });
document.addEventListener("click", () => { if (tones.checked) wake(); }, { capture: true });
