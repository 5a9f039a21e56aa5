// Adds up the bills that the live camera reads one after the other. The next bill counts only after
// the picture was empty, since a bill that is tilted or covered for a moment is still the same bill.

const $ = (id) => document.getElementById(id);
const phrases = JSON.parse($("phrases").textContent);
const [box, sum, total, list, undo, clear] = ["adding", "sum", "total", "counted", "undo", "clear"].map($);

let counted = [];
let before = []; // earlier lists, for undo
let empty = true; // whether the picture was empty since the last bill that counted

const dollars = (n) => (String(n) === "1" ? phrases.one_dollar : phrases.dollars.replace("{n}", n));
const isMoney = (name) => /^\d+(\.\d+)?$/.test(name);
export const adding = () => box.checked;

/** Notes that the picture was empty for a while, so that the next bill counts. */
export function seeEmpty() {
  empty = true;
}

/** Adds a bill that was read; returns the text of the new total, or that it does not count yet. */
export function add(name) {
  if (!adding() || !isMoney(name)) return "";
  if (!empty) return phrases.not_added;
  empty = false;
  change([...counted, Number(name)]);
  return together();
}

function change(next) {
  before.push(counted);
  counted = next;
  draw();
}

// Rounded, since 0.1 and 0.2 make 0.30000000000000004.
const worth = () => Number(counted.reduce((all, one) => all + one, 0).toPrecision(10));
const together = () => phrases.together.replace("{dollars}", dollars(worth()));

function draw() {
  total.textContent = together();
  list.replaceChildren(...counted.map((value) => {
    const line = document.createElement("li");
    line.textContent = dollars(value);
    return line;
  }));
}

function difference(were) {
  if (counted.length < were.length) return phrases.taken_back.replace("{dollars}", dollars(were.at(-1)));
  return counted.length > were.length ? phrases.restored : "";
}

/**
 * Handles the switch, the buttons and the keys. `inView()` returns the bill that the camera sees, and
 * `say(headline, more)` announces a change.
 */
export function start(inView, say) {
  const takeBack = () => {
    const were = counted;
    counted = before.pop() ?? counted;
    draw();
    say(difference(were), together());
  };
  const startAgain = () => {
    if (counted.length) change([]);
    say(phrases.started_again, together());
  };
  undo.addEventListener("click", takeBack);
  clear.addEventListener("click", startAgain);
  box.addEventListener("change", () => {
    sum.hidden = !box.checked;
    if (box.checked && isMoney(inView())) say(dollars(inView()), add(inView()));
  });
  const keys = { Backspace: takeBack, Delete: startAgain };
  document.addEventListener("keydown", (event) => {
    const act = keys[event.key];
    if (!act || !adding() || event.target.closest("select") || event.ctrlKey || event.altKey) return;
    event.preventDefault();
    act();
  });
  // A browser may restore the state of the switch when the page is opened again.
  sum.hidden = !box.checked;
  draw();
}
