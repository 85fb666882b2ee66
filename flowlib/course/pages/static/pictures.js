// A button on each animation: stop it, or let it move where the reader's system asks for stillness.
// A still stands beside each animation; the browser takes it wherever its <source> applies.
(() => {
  "use strict";

  for (const source of document.querySelectorAll("picture > source")) {
    const picture = source.parentElement;
    let still = matchMedia(source.media).matches;

    const button = document.createElement("button");
    button.type = "button";
    button.className = "stop";
    const show = () => {
      source.media = still ? "all" : "not all";
      button.textContent = still ? "▶" : "❚❚";
      button.setAttribute("aria-label", still ? "Let the picture move" : "Stop the picture");
    };
    button.addEventListener("click", (event) => {
      event.preventDefault(); // the picture may lie in a link
      still = !still;
      show();
    });
    show();

    const frame = document.createElement("span");
    frame.className = "moving";
    picture.replaceWith(frame);
    frame.append(picture, button);
  }
})();
