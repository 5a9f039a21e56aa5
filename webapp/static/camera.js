// Reads the camera again and again, one frame under way at a time, and says something only where
// consecutive frames agree: a wrong answer costs somebody money.

const AGREEING = 3;
const PAUSE = 300; // milliseconds between frames
const SIDE = 480; // longest side of a frame that is sent
const GLANCE = [32, 24]; // size of the copy that hints are read from
const HINT_AFTER = 3; // frames with the same hint before it is said
// Share of the heat on the map's border, of frames that are unsure about a bill. Tried with photos
// made small (9 of 10 below FAR) and with close-ups of the middle (7 to 9 of 10 above NEAR, up to
// 1.4 of 10 below FAR).
const [FAR, NEAR] = [0.05, 0.1];

export async function watch(video, address, { guide, answer }) {
  const size = { width: { ideal: 1280 }, facingMode: "environment" };
  const stream = await navigator.mediaDevices.getUserMedia({ video: size });
  video.srcObject = stream;
  await video.play();
  const state = { running: true, hint: "", hints: 0, name: null, agreed: 0, said: "", before: null };
  const loop = async () => {
    while (state.running) {
      const step = await look(video, address, state).catch(() => ({ hint: "unreachable" }));
      if (state.running) decide(step, state, { guide, answer });
      await new Promise((done) => setTimeout(done, step.wait ?? PAUSE));
    }
  };
  loop();
  return () => {
    state.running = false;
    stream.getTracks().forEach((track) => track.stop());
  };
}

async function look(video, address, state) {
  const hint = light(video, state);
  if (hint) return { hint };
  const frame = await jpeg(video);
  const headers = { "Content-Type": "image/jpeg", Accept: "application/json" };
  const reply = await fetch(address, { method: "POST", headers, body: frame });
  if (!reply.ok) return { hint: "overloaded", wait: 1000 * (reply.headers.get("Retry-After") ?? 1) };
  const [{ accepted, denomination, probabilities, heatmap }] = (await reply.json()).predictions;
  if (accepted) return isMoney(denomination) ? { name: denomination, heatmap } : { hint: "none" };
  const [likeliest] = Object.entries(probabilities).sort((a, b) => b[1] - a[1])[0];
  return { hint: isMoney(likeliest) ? distance(heatmap) : "turn" };
}

const isMoney = (name) => /^\d+$/.test(name);

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
  const canvas = new OffscreenCanvas(width, height);
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.drawImage(video, 0, 0, width, height);
  return context;
}

function jpeg(video) {
  const scale = SIDE / Math.max(video.videoWidth, video.videoHeight);
  const frame = draw(video, Math.round(video.videoWidth * scale), Math.round(video.videoHeight * scale));
  return frame.canvas.convertToBlob({ type: "image/jpeg", quality: 0.85 });
}

function decide({ name = null, hint = "", heatmap }, state, { guide, answer }) {
  state.agreed = name && name === state.name ? state.agreed + 1 : 1;
  state.hints = hint && hint === state.hint ? state.hints + 1 : 1;
  [state.name, state.hint] = [name, hint];
  if (name && state.agreed === AGREEING && state.said !== name) {
    state.said = name;
    answer(name, heatmap);
  }
  // Once the bill has left, the same value may be said again.
  if (hint && state.hints === HINT_AFTER && state.said !== hint) {
    state.said = hint;
    guide(hint);
  }
}
