/* Lesson 2: a matrix carries a box, an ellipse follows the banana, a stack is walked through. */
"use strict";

const RADIANS = Math.PI / 180;
const SQUARE = [0, 0, 1, 0, 1, 1, 0, 1];
const TURN = Live.linspace(0, 2 * Math.PI, 100);
const CIRCLE = Live.zip(TURN.map(Math.cos), TURN.map(Math.sin));

/** [a, b, c, d] for the matrix [[a, b], [c, d]]: a rotation by `degrees` after an upper triangle. */
function turned(degrees, [first, shear, second]) {
  const [cos, sin] = [Math.cos(degrees * RADIANS), Math.sin(degrees * RADIANS)];
  return [cos * first, cos * shear - sin * second, sin * first, sin * shear + cos * second];
}

/** Points under a matrix and a shift. The matrix may be flat, which no layer of flow.js may be. */
function carry([a, b, c, d], points, [right, up] = [0, 0]) {
  return Float64Array.from(points, (value, i) =>
    i % 2 ? c * points[i - 1] + d * value + up : a * value + b * points[i + 1] + right,
  );
}

const PLANES = ["z", "x"].map((kind) => ({
  x: [-4.5, 4.5], y: [-4.5, 4.5], equal: true, xlabel: `${kind}₁`, ylabel: `${kind}₂`,
}));

Live.figure("box-slider", {
  title: "The unit square and a round cloud, carried by a matrix",
  panels: PLANES,
  controls: [
    { name: "turn", label: "turn (°)", min: -180, max: 180, step: 5, value: 30 },
    { name: "first", label: "stretch", min: 0.1, max: 3, step: 0.1, value: 1.6 },
    { name: "second", min: -2, max: 3, step: 0.1, value: 0.7 },
    { name: "shear", min: -2, max: 2, step: 0.1, value: 0 },
  ],
  play: { control: "second", from: 3, to: -2, seconds: 8, smooth: true },
  draw(panels, { turn, first, second, shear }, { draws }) {
    const det = Math.abs(first * second) > 1e-9 ? first * second : 0;
    [[1, 0, 0, 1], turned(turn, [first, shear, second])].forEach((matrix, i) => {
      const colour = i ? "x" : "z";
      panels[i].points(carry(matrix, draws), { colour, alpha: 0.45 });
      panels[i].polygon(carry(matrix, SQUARE), { colour, alpha: 0.85 });
    });
    panels[0].title("area 1");
    panels[1].title(`area ${Live.number(Math.abs(det))}`);
    const words = det ? `log|det A| = ${Live.number(Math.log(Math.abs(det)), 2, true)}` : "flat: no inverse";
    return `det A = ${Live.number(det, 2, true)}, ${words}`;
  },
});

Live.figure("ellipse-slider", {
  title: "The banana under the ellipses of one affine map of a normal",
  panels: [{ x: [-6, 10], y: [-7, 7], equal: true, xlabel: "x₁", ylabel: "x₂" }],
  controls: [
    { name: "wide", min: 0.5, max: 4, step: 0.1, value: 1 },
    { name: "tall", min: 0.5, max: 4, step: 0.1, value: 1 },
    { name: "tilt", label: "tilt (°)", min: -90, max: 90, step: 5, value: 0 },
    { name: "right", min: -2, max: 3, step: 0.1, value: 0 },
  ],
  answer: { wide: 1.7, tall: 2, tilt: 0, right: 1 },
  drag: (panel, x) => ({ right: x }),
  draw([panel], { wide, tall, tilt, right }, { banana, entropy }) {
    panel.points(banana, { colour: "x", alpha: 0.5 });
    const matrix = turned(tilt, [wide, 0, tall]);
    for (const radius of [1, 2, 3]) panel.curve(carry(matrix, CIRCLE.map((v) => radius * v), [right, 0]), { width: 2.5 });
    // E log p of the banana, whose mean is (1, 0) and covariance diag(3, 4): the trace of S⁻¹ (cov + shift shiftᵀ),
    // S = A Aᵀ, whose eigenvectors are the axes of the ellipse.
    const [cos, sin] = [Math.cos(tilt * RADIANS), Math.sin(tilt * RADIANS)];
    const [across, up] = [3 + (1 - right) ** 2, 4];
    const spread = (cos * cos * across + sin * sin * up) / wide ** 2 + (sin * sin * across + cos * cos * up) / tall ** 2;
    const missing = Math.log(2 * Math.PI * wide * tall) + spread / 2 - entropy;
    return `${Live.number(missing, 3)} nats missing`;
  },
});

Live.figure("layers-slider", {
  title: "A cloud on its way through 31 layers, and the log-determinants of its points",
  panels: [
    { x: [-8, 9], y: [-7, 7], xlabel: "first", ylabel: "second" },
    { x: [0, 31], y: [-0.2, 1], xlabel: "layer", ylabel: "nats" },
  ],
  controls: [{ name: "layer", min: 0, max: 31, step: 1, value: 0 }],
  answer: { layer: 31 },
  play: { control: "layer", from: 0, to: 31, seconds: 20, smooth: true },
  prepare({ flow, draws }) {
    const n = draws.length / 2;
    const stops = Flow.build(flow).path(draws, n).map((stop) => {
      const middle = [0, 1].map((side) => d3.median(d3.range(n), (i) => stop.points[2 * i + side]));
      return { ...stop, middle };
    });
    // Many points share one way through the log-determinants: each is drawn once.
    const ways = d3.range(n).map((i) => stops.map((stop) => Number(stop.logDet[i].toFixed(4))));
    const shade = d3.piecewise(d3.interpolateRgb, ["#0072b2", "#8c7aa9", "#d55e00"]);
    const place = d3.scaleLinear(d3.extent(d3.range(n), (i) => draws[2 * i]), [0, 1]);
    const colours = d3.range(n).map((i) => shade(place(draws[2 * i])));
    return { stops, colours, ways: [...new Map(ways.map((way) => [way.join(), way])).values()] };
  },
  draw([plane, chart], { layer }, { stops, colours, ways }) {
    const below = Math.floor(layer);
    const [from, to, share] = [stops[below], stops[Math.min(below + 1, 31)], layer - below];
    const [right, up] = Live.lerp(from.middle, to.middle, share); // a layer may move all points far away
    plane.view([right - 8, right + 9], [up - 7, up + 7]);
    plane.points(Live.lerp(from.points, to.points, share), { colours, radius: 3.2 });
    for (const way of ways) {
      chart.curve(way.flatMap((value, k) => [k, value]), { width: 1.2, alpha: 0.7 });
      chart.points([layer, d3.interpolateNumber(way[below], way[Math.min(below + 1, 31)])(share)], { colour: "x", radius: 4.5 });
    }
    plane.title("points");
    chart.title("log_det so far");
    return layer === 0 ? "z" : `after layer ${Math.round(layer)}: ${stops[Math.round(layer)].name}`;
  },
});
