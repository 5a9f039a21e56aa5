// Further ways to tell an answer: speech, vibration, tones. All off until somebody turns them on,
// since a screen reader announces the answer anyway.

// The pulses of the EyeNote app, which people know: 1 for $1 up to 7 for $100.
const PULSES = { 1: 1, 2: 2, 5: 3, 10: 4, 20: 5, 50: 6, 100: 7 };
const [PULSE, PAUSE, LONG] = [120, 130, 700];

const ways = {
  speech: speak,
  vibration: (_, count) => navigator.vibrate(count ? Array(count).fill([PULSE, PAUSE]).flat() : LONG),
  tones: beep,
};
const can = {
  speech: "speechSynthesis" in window,
  vibration: "vibrate" in navigator,
  tones: "AudioContext" in window,
};
const boxes = Object.keys(ways).map((way) => document.querySelector(`fieldset [name=${way}]`));

let last = null;

export function tell(verdict) {
  const said = verdict.querySelector(".said") ?? verdict;
  last = [said.textContent.trim(), PULSES[verdict.dataset.denomination] ?? 0];
  document.getElementById("again").hidden = false;
  again(false);
}

export function again(aloud = true) {
  for (const { name, checked } of boxes) {
    if (checked) ways[name](...last);
  }
  // Asked for outright, it is spoken whatever the boxes say.
  if (aloud && can.speech && !boxes[0].checked) speak(...last);
}

// Guidance is spoken, never pulsed: a pulse is an answer.
export function hint(text) {
  if (boxes[0].checked) speak(text);
}

function speak(text) {
  const utterance = new SpeechSynthesisUtterance(text);
  utterance.lang = document.documentElement.lang;
  speechSynthesis.cancel();
  speechSynthesis.speak(utterance);
}

function beep(_, count) {
  const audio = new AudioContext();
  const [each, length] = count ? [count, PULSE] : [1, LONG];
  for (let n = 0; n < each; n++) {
    const tone = new OscillatorNode(audio, { frequency: count ? 660 : 220 });
    const start = audio.currentTime + (n * (PULSE + PAUSE)) / 1000;
    tone.connect(audio.destination);
    tone.start(start);
    tone.stop(start + length / 1000);
    if (n === each - 1) tone.onended = () => audio.close();
  }
}

for (const box of boxes) {
  box.parentElement.hidden = !can[box.name];
  box.checked = localStorage.getItem(box.name) === "on";
  box.addEventListener("change", () => localStorage.setItem(box.name, box.checked ? "on" : "off"));
}
