// The area above the controls for giving a photo: shows the emblem, a photo or the live camera.

const $ = (id) => document.getElementById(id);
export const camera = $("camera");
const [emblem, photo, scene, heat, bar] = ["emblem", "preview", "scene", "heat", "progress"].map($);

function only(shown) {
  for (const part of [emblem, photo, scene]) part.hidden = part !== shown;
}

export function clear() {
  bar.hidden = true;
  only(emblem);
}

export function showPhoto(file) {
  URL.revokeObjectURL(photo.src);
  photo.src = URL.createObjectURL(file);
  only(photo);
}

export function showCamera() {
  drawHeat([]);
  only(scene);
}

/** Ends an upload after the last answer: hides the photo if the answer contains a copy of it. */
export function settle(answered) {
  bar.hidden = true;
  if (answered) only(emblem);
}

export function progress(share) {
  bar.hidden = false;
  bar.value = share;
}

export function drawHeat(heatmap) {
  const squares = heatmap.flatMap((row, y) => row.map((opacity, x) => {
    const square = document.createElementNS(heat.namespaceURI, "rect");
    for (const [name, value] of Object.entries({ x, y, opacity, width: 1, height: 1 })) square.setAttribute(name, value);
    return square;
  }));
  heat.setAttribute("viewBox", `0 0 ${heatmap[0]?.length ?? 1} ${heatmap.length}`);
  heat.replaceChildren(...squares);
}

// Not every browser can draw every format that the server reads.
photo.addEventListener("error", () => { if (!photo.hidden) only(emblem); });
