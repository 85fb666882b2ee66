// Small marks in a panel of live.js: an arrow, a dot, a ring, a name.
"use strict";

const Marks = (() => {
  /** An arrow in pixels, in the colours that `pen` has. */
  function arrow(pen, x0, y0, x1, y1) {
    const length = Math.hypot(x1 - x0, y1 - y0);
    if (!(length > 2)) return;
    const [ux, uy] = [(x1 - x0) / length, (y1 - y0) / length];
    const head = Math.min(6, 0.5 * length);
    pen.beginPath();
    pen.moveTo(x0, y0);
    pen.lineTo(x1, y1);
    pen.stroke();
    pen.beginPath();
    pen.moveTo(x1, y1);
    pen.lineTo(x1 - head * (ux + 0.5 * uy), y1 - head * (uy - 0.5 * ux));
    pen.lineTo(x1 - head * (ux - 0.5 * uy), y1 - head * (uy + 0.5 * ux));
    pen.fill();
  }

  /** A dot that stands out from other points. */
  function dot(panel, place, colour) {
    panel.points(place, { colour: "paper", radius: 6 });
    panel.points(place, { colour, radius: 4.5 });
  }

  /** A ring through which one sees what lies there. */
  function ring(panel, [x, y]) {
    panel.inside((pen) => {
      pen.beginPath();
      pen.arc(panel.x(x), panel.y(y), 6, 0, 2 * Math.PI);
      for (const [strokeStyle, lineWidth] of [["#000000", 4.5], ["#ffffff", 2]]) {
        Object.assign(pen, { strokeStyle, lineWidth });
        pen.stroke();
      }
    });
  }

  /** A name, `up` letters above a place, readable on everything. */
  function name(panel, [x, y], words, colour, up) {
    panel.inside((pen) => {
      const { fontSize, fontFamily } = getComputedStyle(panel.box);
      Object.assign(pen, { font: `600 ${fontSize} ${fontFamily}`, textAlign: "center", textBaseline: "middle" });
      Object.assign(pen, { lineWidth: 4, lineJoin: "round", strokeStyle: panel.colour("paper") });
      pen.fillStyle = panel.colour(colour);
      const place = [panel.x(x), panel.y(y) - up * parseFloat(fontSize)];
      pen.strokeText(words, ...place);
      pen.fillText(words, ...place);
    });
  }

  return { arrow, dot, ring, name };
})();
