// Reads the camera again and again, one frame under way at a time, and says something only where
// consecutive frames agree: a wrong answer costs somebody money.

const AGREEING = 3; // frames that agree before their answer or hint is said
const PAUSE = 300; // milliseconds between frames
const REST = 2000; // milliseconds that a hint stays, so that a screen reader can finish it
const PATIENCE = 8000; // milliseconds for the answer to a frame
const OTHER = "Other"; // the class of all that is none of the others
const ANSWER = "="; // before the name of what was seen, which is no hint then
const SIDE = 480; // longest side of a frame that is sent
const GLANCE = [32, 24]; // size of the copy that hints are read from
// Share of the heat on the map's border, of frames that are unsure about a bill. Tried with photos at
// a quarter of the frame's sides (of 18 unsure ones 11 below FAR, 3 above NEAR) and with close-ups of
// their middle third (of 30, 2 below FAR, 20 above NEAR).
const [FAR, NEAR] = [0.05, 0.1];

/**
 * Starts the camera and reads it until `signal` is aborted. Tells by three functions: `guide(hint)`,
 * `answer(name, said, heatmap, frame)`, the name of money being its value, and `lost()`, the camera
 * being gone; and `emptied()`, since consecutive frames showed no bill.
 */
export async function watch(video, address, signal, told) {
  const size = { width: { ideal: 1280 }, facingMode: "environment" };
  const stream = await navigator.mediaDevices.getUserMedia({ video: size });
  const [track] = stream.getVideoTracks();
  signal.addEventListener("abort", () => track.stop());
  // Whoever had to be asked first may have gone on to something else.
  if (signal.aborted) return track.stop();
  const lost = () => { if (!signal.aborted) told.lost(); };
  track.addEventListener("ended", lost);
  video.srcObject = stream;
  await video.play();
  follow(video, address, signal, told).catch(lost);
}

async function follow(video, address, signal, told) {
  const state = { said: "", since: -Infinity, seen: "", agreed: 0, away: 0, empty: 0, before: null };
  while (!signal.aborted) {
    const step = await look(video, address, state);
    if (!signal.aborted) decide(step, state, told);
    await new Promise((done) => setTimeout(done, step.wait ?? PAUSE));
  }
}

async function look(video, address, state) {
  // Another app has the camera: the last frame stands still.
  if (video.srcObject.getVideoTracks()[0].muted) return { hint: "busy" };
  const hint = light(video, state);
  if (hint) return { hint };
  const frame = await jpeg(video);
  const step = await ask(address, frame).catch(unreachable);
  return { ...step, frame };
}

async function ask(address, frame) {
  const language = document.documentElement.lang;
  const headers = { "Content-Type": "image/jpeg", Accept: "application/json", "Accept-Language": language };
  const signal = AbortSignal.timeout(PATIENCE);
  const reply = await fetch(address, { method: "POST", headers, body: frame, signal });
  if (!reply.ok) {
    const wait = 1000 * (reply.headers.get("Retry-After") ?? 1);
    return { hint: reply.status === 429 ? "overloaded" : "not_ready", wait };
  }
  return understand((await reply.json()).predictions[0]);
}

// A frame that waited for PATIENCE in vain counts as many: what was said before it is too old.
function unreachable(error) {
  return { hint: "unreachable", frames: error instanceof DOMException ? AGREEING : 1 };
}

function understand({ accepted, denomination, value, said, probabilities, heatmap }) {
  if (accepted && denomination === OTHER) return { hint: "none", empty: true };
  if (accepted) return { name: String(value ?? denomination), said, heatmap };
  const [likeliest] = Object.entries(probabilities).sort((a, b) => b[1] - a[1])[0];
  return likeliest === OTHER ? { hint: "turn", empty: true } : { hint: distance(heatmap) };
}

// A class may have the name of a hint.
const isAnswer = (seen) => seen.startsWith(ANSWER);

// A bill that is far away warms the middle of the map only, one that is too close all of it.
function distance(heatmap) {
  const sum = (values) => values.reduce((total, value) => total + value, 0);
  const inside = sum(heatmap.slice(1, -1).map((row) => sum(row.slice(1, -1))));
  const border = 1 - inside / (sum(heatmap.map(sum)) || 1);
  if (border < FAR) return "closer";
  return border > NEAR ? "back" : "turn";
}

// A hint for the hand, from a tiny copy of the frame: brightness, and what moved since the last.
function light(video, state) {
  const pixels = draw(video, ...GLANCE).getImageData(0, 0, ...GLANCE).data;
  const grey = Array.from({ length: pixels.length / 4 }, (_, n) => (pixels[4 * n] + pixels[4 * n + 1] + pixels[4 * n + 2]) / 3);
  const mean = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;
  const moved = state.before ? mean(grey.map((value, n) => Math.abs(value - state.before[n]))) : 0;
  state.before = grey;
  if (mean(grey) < 35) return "dark";
  if (mean(grey) > 245) return "bright";
  return moved > 30 ? "still" : "";
}

function draw(video, width, height) {
  const canvas = Object.assign(document.createElement("canvas"), { width, height });
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.drawImage(video, 0, 0, width, height);
  return context;
}

function jpeg(video) {
  const scale = SIDE / Math.max(video.videoWidth, video.videoHeight);
  const { canvas } = draw(video, Math.round(video.videoWidth * scale), Math.round(video.videoHeight * scale));
  return new Promise((done) => canvas.toBlob(done, "image/jpeg", 0.85));
}

function decide({ name, said, hint, empty, heatmap, frame, frames = 1 }, state, { guide, answer, emptied }) {
  const seen = name === undefined ? hint : ANSWER + name;
  state.empty = empty ? state.empty + 1 : 0;
  if (state.empty === AGREEING) emptied();
  state.agreed = (seen === state.seen ? state.agreed : 0) + frames;
  state.away = seen === state.said ? 0 : state.away + frames;
  state.seen = seen;
  const next = choose(seen, state);
  if (next === state.said) return;
  Object.assign(state, { said: next, since: performance.now() });
  if (isAnswer(next)) answer(name, said, heatmap, frame);
  else guide(next);
}

// What is to be said now. Once a bill has left, its value may be said again.
function choose(seen, { said, since, agreed, away }) {
  const rested = isAnswer(seen) || isAnswer(said) || performance.now() - since >= REST;
  if (agreed >= AGREEING && rested) return seen;
  return isAnswer(said) && away >= AGREEING ? "busy" : said;
}
