// Further ways to tell an answer: speech, vibration, tones. All off until somebody turns them on,
// since a screen reader announces the answer anyway.

// The pulses of the EyeNote app, which people know: 1 for $1 up to 7 for $100.
const PULSES = { 1: 1, 2: 2, 5: 3, 10: 4, 20: 5, 50: 6, 100: 7 };
const [PULSE, PAUSE, LONG, GAP] = [120, 130, 700, 1000]; // milliseconds
// Quick ones say how many bills a photo shows.
const [QUICK, BETWEEN] = [50, 100];
// Browsers cut a vibration behind its 99th part, and a bill that is cut would be another bill.
const MOST = 98;

const verdict = document.getElementById("verdict");
const ways = {
  speech: () => speak(words(verdict), herald()),
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
let later = 0;

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

// The lengths of pulses, each followed by that of the pause behind it: how many bills there are,
// then each bill in turn.
function rhythm(region) {
  const lengths = quick(region);
  for (const name of region.dataset.denomination.split(",")) {
    const pulses = name in PULSES ? times(PULSES[name], PULSE, PAUSE) : [LONG, GAP];
    if (lengths.length + pulses.length > MOST) break;
    lengths.push(...pulses);
  }
  return lengths;
}

const times = (n, length, pause) => [...Array(n - 1).fill([length, pause]).flat(), length, GAP];
const quick = ({ dataset: { bills } }) => (bills ? times(Number(bills), QUICK, BETWEEN) : []);

// How long the number of bills is felt or heard, where somebody has chosen that: words come after it.
function herald() {
  const felt = boxes.some(({ name, checked }) => checked && name !== "speech");
  return felt ? quick(verdict).reduce((sum, length) => sum + length, 0) : 0;
}

// After `wait` milliseconds, unless something else is to be said before.
function speak(text, wait = 0) {
  clearTimeout(later);
  if (wait) {
    speechSynthesis.cancel();
    later = setTimeout(speak, wait, text);
    return;
  }
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
  const tone = new OscillatorNode(audio, { frequency: { [LONG]: 220, [QUICK]: 990 }[length] ?? 660 });
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
