// Reads the camera repeatedly, one frame at a time, and announces a result only if consecutive
// frames agree: a wrong answer costs somebody money.

const AGREEING = 3; // frames that must agree before their answer or hint is announced
const PAUSE = 300; // milliseconds between frames
const REST = 2000; // milliseconds that a hint stays, so that a screen reader can finish it
const PATIENCE = 8000; // milliseconds for the answer to a frame
const OTHER = "Other"; // as `OTHER` in webapp/names.py
const ANSWER = "="; // prefix of a class that was seen, which distinguishes it from a hint
const SIDE = 480; // longest side of a frame that is sent
const GLANCE = [32, 24]; // size of the copy from which hints are computed
// Thresholds for the share of heat on the heat map's border, in frames that are unsure about a bill.
// Tried with photos at a quarter of the frame's sides (of 18 unsure ones, 11 below FAR, 3 above NEAR)
// and with close-ups of their middle third (of 30, 2 below FAR, 20 above NEAR).
const [FAR, NEAR] = [0.05, 0.1];

/**
 * Starts the camera and reads it until `signal` is aborted. Calls `guide(hint)`,
 * `answer(name, said, heatmap, frame)`, where the name of money is its value, `lost()` if the camera
 * stops, and `emptied()` after consecutive frames without a bill.
 */
export async function watch(video, address, signal, told) {
  const size = { width: { ideal: 1280 }, facingMode: "environment" };
  const stream = await navigator.mediaDevices.getUserMedia({ video: size });
  const [track] = stream.getVideoTracks();
  signal.addEventListener("abort", () => track.stop());
  // The user may have aborted while the browser asked for permission.
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
  // Another app uses the camera, and the video shows the last frame.
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

// A frame that timed out counts as AGREEING frames, since the last announcement is too old by then.
function unreachable(error) {
  return { hint: "unreachable", frames: error instanceof DOMException ? AGREEING : 1 };
}

function understand({ accepted, denomination, value, said, probabilities, heatmap }) {
  if (accepted && denomination === OTHER) return { hint: "none", empty: true };
  if (accepted) return { name: String(value ?? denomination), said, heatmap };
  const [likeliest] = Object.entries(probabilities).sort((a, b) => b[1] - a[1])[0];
  // A bill that is covered or turned over may look like this, so the picture is not empty.
  return { hint: likeliest === OTHER ? "turn" : distance(heatmap) };
}

// Checks the prefix, since a class may have the name of a hint.
const isAnswer = (seen) => seen.startsWith(ANSWER);

// A bill that is far away heats only the middle of the map, a bill too close the whole map.
function distance(heatmap) {
  const sum = (values) => values.reduce((total, value) => total + value, 0);
  const inside = sum(heatmap.slice(1, -1).map((row) => sum(row.slice(1, -1))));
  const border = 1 - inside / (sum(heatmap.map(sum)) || 1);
  if (border < FAR) return "closer";
  return border > NEAR ? "back" : "turn";
}

// Returns a hint from a tiny copy of the frame: its brightness, and its motion since the last frame.
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

// Chooses what to announce. After a bill has left the picture, its value may be announced again.
function choose(seen, { said, since, agreed, away }) {
  const rested = isAnswer(seen) || isAnswer(said) || performance.now() - since >= REST;
  if (agreed >= AGREEING && rested) return seen;
  return isAnswer(said) && away >= AGREEING ? "busy" : said;
}
