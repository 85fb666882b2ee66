/* The deck: its keys, its live figures, and a window with the speaker's notes. */
Reveal.initialize({
  hash: true, slideNumber: "c/t", progress: false, controls: false, width: 1280, height: 720, margin: 0, maxScale: 4, center: false,
  keyboard: { 83: openNotes }, // S
});

/* ------------------------------------------------------------------------------------- live figures */

if (typeof Live !== "undefined") {
  Live.start();
  for (const figure of Live.mounted) {
    figure.root.closest(".stage").classList.toggle("below", Boolean(figure.spec.below));
    // A mouse that lets go of a slider gives the arrow keys back to the deck.
    figure.root.addEventListener("pointerup", () => document.activeElement.blur());
    figure.root.addEventListener("keydown", (event) => figureKeys(event));
  }
  // The answer speaks of a place of the sliders: they go there.
  Reveal.on("fragmentshown", ({ fragments }) => {
    const stage = fragments.find((fragment) => fragment.matches(".answer"))?.closest(".stage");
    for (const figure of Live.mounted) if (stage?.contains(figure.root)) figure.moved(figure.spec.answer ?? {});
  });
  Reveal.on("resize", () => Live.mounted.forEach((figure) => figure.resize()));
  Reveal.on("slidechanged", () => Live.mounted.forEach((figure) => figure.pause()));
}

/* ------------------------------------------------------------------------------------- what has to fit */

/* Words alone are set as large as there is room; a formula wider than its column is set smaller, since
   MathJax does not break lines, and keeps the point or comma that follows it. */
function fit() {
  for (const words of document.querySelectorAll(".slide > ul, .alone .question")) {
    const holder = words.closest(".slide");
    for (let size = words.matches("ul") ? 50 : 80; size >= 26 && holder.clientHeight; size -= 2) {
      words.style.fontSize = `${size}px`;
      if (holder.scrollHeight <= holder.clientHeight && words.scrollWidth <= words.clientWidth) break;
    }
  }
  for (const formula of document.querySelectorAll(".words mjx-container")) {
    const column = formula.closest(".words").clientWidth;
    const width = formula.querySelector("svg")?.clientWidth;
    const percent = parseFloat(formula.style.fontSize) || 100;
    if (column && width > column) formula.style.fontSize = `${Math.floor((percent * column) / width)}%`;
    const next = formula.nextSibling;
    if (next?.nodeType !== Node.TEXT_NODE || !/^[.,:;?)]/.test(next.data)) continue;
    const together = document.createElement("span");
    together.style.whiteSpace = "nowrap";
    formula.replaceWith(together);
    together.append(formula, next.data[0]);
    next.data = next.data.slice(1);
  }
}
Reveal.on("slidechanged", fit);

/* Keys pressed on a control are the control's, but those of a presenter's remote, and Escape leaves it. */
function figureKeys(event) {
  const turn = { PageDown: () => Reveal.next(), PageUp: () => Reveal.prev(), Escape: () => document.activeElement.blur() };
  event.stopPropagation();
  if (!(event.key in turn)) return;
  event.preventDefault();
  turn[event.key]();
}

/* ------------------------------------------------------------------------------------- speaker's notes */

const slides = Reveal.getSlides();
const notesOf = (slide) => [...slide.querySelectorAll("aside.notes")];
/* A minute for the first slide and one for the last; the others' notes say theirs. */
const minutesOf = (slide) =>
  notesOf(slide).reduce((sum, note) => sum + Number(note.dataset.minutes), 0) || Number(slide === slides[0] || slide === slides.at(-1));
const titleOf = (slide) => slide?.querySelector("h1, h2")?.firstChild.textContent ?? "";
const opened = Date.now();
let speaker; // a window of its own, or, where the browser opens none, a panel in this page

/* The first slide says which keys there are. */
const keys = document.createElement("p");
keys.className = "keys";
keys.textContent = "S speaker notes · F full screen · Tab to a slider, Esc leaves it";
slides[0].querySelector(".slide").append(keys);

function openNotes() {
  if (speaker?.panel) {
    speaker.panel.remove();
    speaker = undefined;
    return;
  }
  const view = window.open("", "speaker-notes", "width=900,height=640");
  if (view) {
    view.document.title = "Speaker notes";
    view.document.body.style.cssText = "font: 22px/1.45 system-ui, sans-serif; margin: 1.2em; max-width: 40em";
    view.onkeydown = (event) => {
      if (["ArrowRight", "ArrowDown", "PageDown", " "].includes(event.key)) Reveal.next();
      if (["ArrowLeft", "ArrowUp", "PageUp"].includes(event.key)) Reveal.prev();
    };
    speaker = { place: view.document.body, view };
  } else {
    const panel = document.body.appendChild(document.createElement("aside"));
    panel.className = "speaker";
    speaker = { place: panel, panel };
  }
  showNotes();
}

function showNotes() {
  if (!speaker || speaker.view?.closed) return;
  const here = slides.indexOf(Reveal.getCurrentSlide());
  const sum = (upTo) => slides.slice(0, upTo).reduce((minutes, slide) => minutes + minutesOf(slide), 0);
  const { place } = speaker;
  place.replaceChildren();
  const add = (tag, words) => (place.appendChild(place.ownerDocument.createElement(tag)).textContent = words);
  add("h2", titleOf(slides[here]));
  for (const note of notesOf(slides[here])) place.append(place.ownerDocument.importNode(note, true));
  for (const note of place.querySelectorAll(".notes")) note.style.display = "block";
  const passed = Math.floor((Date.now() - opened) / 60000);
  add("p", `Planned: minute ${sum(here)} to ${sum(here + 1)} of ${sum(slides.length)}. Passed: ${passed}.`);
  if (slides[here + 1]) add("p", `Next: ${titleOf(slides[here + 1])}`);
}

for (const moved of ["slidechanged", "ready"]) Reveal.on(moved, showNotes);
setInterval(showNotes, 20000);
