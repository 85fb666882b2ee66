// What a reader has read, opened and scored. It lies in this browser's own storage, under one key, as
// {"01_change_of_variables": {read: true, opened: [0, 3], points: 17}, ...}; nothing is sent anywhere.
(() => {
  "use strict";
  const KEY = "flowcourse";
  const CHECKS = 5; // questions under "Check yourself" of each lesson

  // ------------------------------------------------------------------ what is kept

  // Some browsers keep nothing, some throw where a reader has forbidden it.
  const keeps = (() => {
    try {
      localStorage.setItem(KEY + "-test", "1");
      localStorage.removeItem(KEY + "-test");
      return true;
    } catch {
      return false;
    }
  })();

  function all() {
    try {
      const kept = JSON.parse(localStorage.getItem(KEY));
      return kept && typeof kept === "object" ? kept : {};
    } catch {
      return {};
    }
  }

  const of = (lesson) => ({ read: false, opened: [], points: null, ...all()[lesson] });

  function keep(lesson, change) {
    try {
      localStorage.setItem(KEY, JSON.stringify({ ...all(), [lesson]: { ...of(lesson), ...change } }));
    } catch {
      // The page goes on without; the sentence below has said so.
    }
  }

  // ------------------------------------------------------------------ pieces of a page

  function element(name, words = "", attributes = {}) {
    const made = document.createElement(name);
    made.textContent = words;
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    return made;
  }

  const whereKept = () =>
    keeps ? "Kept in this browser only." : "This browser keeps nothing, so it is forgotten when you leave.";

  // ------------------------------------------------------------------ a lesson's page

  function lessonPage(place) {
    const { lesson } = place.dataset;
    const box = element("input", "", { type: "checkbox" });
    const label = element("label");
    label.append(box, " I have read this lesson");
    box.checked = of(lesson).read;
    box.addEventListener("change", () => keep(lesson, { read: box.checked }));
    place.append(label, element("small", whereKept()));

    const section = document.getElementById("check-yourself");
    if (!section) return;
    const count = element("p", "", { class: "progress-count", role: "status" });
    const opened = new Set(of(lesson).opened);
    const answers = [...section.querySelectorAll(":scope > details")];
    const show = () => (count.textContent = `You have opened ${opened.size} of ${answers.length} answers.`);
    answers.forEach((answer, number) =>
      answer.addEventListener("toggle", () => {
        if (!answer.open || opened.has(number)) return;
        opened.add(number);
        keep(lesson, { opened: [...opened].sort() });
        show();
      }),
    );
    show();
    section.querySelector("h2, h3").after(count);
  }

  // ------------------------------------------------------------------ an exercise's page

  function exercisesPage(place) {
    const { lesson, points } = place.dataset;
    const field = element("input", "", { type: "number", min: 0, max: points, step: 0.5, inputmode: "decimal" });
    const label = element("label", "My points: ");
    const said = element("span", "", { role: "status" });
    label.append(field, ` of ${points}`);
    field.value = of(lesson).points ?? "";
    field.addEventListener("input", () => {
      const right = field.validity.valid;
      said.textContent = right ? "" : ` Between 0 and ${points}, in halves.`;
      if (right) keep(lesson, { points: field.value === "" ? null : field.valueAsNumber });
    });
    const why =
      "This page cannot see your notebook. Type in what its tests tell you, or what your feedback says. ";
    place.append(label, said, element("small", why + whereKept()));
  }

  // ------------------------------------------------------------------ the first page

  const cards = [...document.querySelectorAll(".progress[data-kind=card]")];
  const total = (numbers) => numbers.reduce((sum, number) => sum + number, 0);

  function card(place) {
    const mine = of(place.dataset.lesson);
    const parts = [];
    if (mine.read) parts.push("✓ read");
    if (mine.opened.length) parts.push(`${mine.opened.length} of ${CHECKS} answers opened`);
    if (mine.points !== null) parts.push(`${mine.points} of ${place.dataset.points} points`);
    place.textContent = parts.join(" · ");
  }

  // The door at the top leads to the first lesson that is not read yet.
  function door(next) {
    const link = document.querySelector(".doors.first a");
    const title = next?.closest("section").querySelector("h3 a");
    if (!link || !title) return;
    link.textContent = `${next === cards[0] ? "Begin" : "Go on"} with ${title.textContent}`;
    link.href = title.href;
  }

  function firstPage(place) {
    const line = element("p", "", { role: "status" });
    const erase = element("button", "Erase", { type: "button" });
    const note = element("small");
    if (!keeps) note.textContent = "This browser keeps nothing for this page, so your progress cannot stand here.";
    else if (location.protocol === "file:")
      note.textContent =
        "Opened from a file: some browsers keep a memory for each file apart, and then this line stays empty. " +
        "Type python -m http.server in this folder and open http://localhost:8000 instead.";
    else note.textContent = "Kept in this browser only; a private window forgets it.";

    function show() {
      const lessons = cards.map((one) => of(one.dataset.lesson));
      const read = lessons.filter((mine) => mine.read).length;
      const points = total(lessons.map((mine) => mine.points ?? 0));
      const most = total(cards.map((one) => Number(one.dataset.points)));
      const begun = Object.keys(all()).length > 0;
      line.textContent = begun
        ? `You have read ${read} of ${cards.length} lessons and have ${points} of ${most} points.`
        : "Your progress will stand here: say at the end of a lesson that you have read it.";
      erase.hidden = !begun;
      cards.forEach(card);
      door(cards.find((one) => !of(one.dataset.lesson).read));
    }
    erase.addEventListener("click", () => {
      if (!confirm("Erase what this browser keeps of your progress?")) return;
      localStorage.removeItem(KEY);
      show();
    });
    line.hidden = !keeps;
    place.append(line, erase, note);
    show();
    addEventListener("pageshow", show); // back from a lesson
    addEventListener("storage", show); // a lesson in another tab
  }

  const pages = { lesson: lessonPage, exercises: exercisesPage, all: firstPage };
  for (const place of document.querySelectorAll(".progress")) pages[place.dataset.kind]?.(place);
})();
