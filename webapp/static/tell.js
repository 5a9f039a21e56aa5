// Further ways to announce an answer: speech, vibration, tones. All are off by default, since a
// screen reader announces the answer anyway.

// The pulses of the EyeNote app, which people know: 1 for $1 up to 7 for $100.
const PULSES = { 1: 1, 2: 2, 5: 3, 10: 4, 20: 5, 50: 6, 100: 7 };
const [PULSE, PAUSE, LONG, GAP] = [120, 130, 700, 1000]; // milliseconds
// Milliseconds of quick pulses, which give the number of bills on a photo, and of their pauses.
const [QUICK, BETWEEN] = [50, 100];
// Browsers cut a vibration after its 99th entry, and fewer pulses would mean another bill.
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

/** Announces the current verdict in the ways that are switched on, and scrolls it into view. */
export function tell() {
  for (const { name, checked } of boxes) {
    if (checked) ways[name]();
  }
  verdict.scrollIntoView({ block: "nearest" });
}

/** Repeats the verdict. Speaks it if no way is switched on: a chosen way may be a silent one. */
export function again() {
  if (can.speech && !boxes.some(({ checked }) => checked)) ways.speech();
  else tell();
}

/** Speaks guidance. Pulses and tones are for answers only. */
export function hint(text) {
  if (speech.checked) speak(text);
}

/** Returns the words of a verdict, with its lines as sentences. */
export function words(region) {
  const said = region.querySelector(".said");
  const lines = said ? [said] : [...region.children];
  return lines.map(({ textContent }) => textContent.trim().replace(/\.$/, "")).join(". ");
}

// Returns the length of each pulse, followed by the length of the pause after it: first the pulses
// for the number of bills, then those for each bill.
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

// Milliseconds of the pulses or tones for the number of bills, for which speech waits.
function herald() {
  const felt = boxes.some(({ name, checked }) => checked && name !== "speech");
  return felt ? quick(verdict).reduce((sum, length) => sum + length, 0) : 0;
}

// Speaks after `wait` milliseconds, unless another text is spoken before.
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
  // A suspended audio context would play the tones later, with another answer.
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

// If storage is forbidden, each visit starts with all ways off.
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
// iOS lets a page play sound only after it has done so in a gesture. The first click serves, if a way
// was switched on at an earlier visit; `capture` runs this handler before the click's own handlers.
document.addEventListener("click", () => hint(""), { capture: true, once: true });
document.addEventListener("click", () => { if (tones.checked) wake(); }, { capture: true });
