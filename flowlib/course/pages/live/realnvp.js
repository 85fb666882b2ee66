/* Lesson 4: one coupling by hand, eight that were trained, and temperature. */
"use strict";

const EDGES = Live.linspace(-2, 2, 9);
const FINE = Live.linspace(-2, 2, 161);
const ROWS = EDGES.reduce((lines, y) => [...lines, -2, y, 2, y, NaN, NaN], []);
const COLUMNS = Array.from(EDGES).flatMap((x) => [...Live.zip(FINE.map(() => x), FINE), NaN, NaN]);

/** Area inside a polygon, by the shoelace formula. */
function area(points) {
  const n = points.length;
  const twice = d3.sum(d3.range(0, n, 2), (i) => points[i] * points[(i + 3) % n] - points[(i + 2) % n] * points[i + 1]);
  return Math.abs(twice) / 2;
}

Live.figure("couple-slider", {
  title: "A grid, and its image under x₁ = z₁ exp(s(z₂)) + t(z₂), x₂ = z₂",
  below: true,
  height: 15,
  panels: [
    { x: [-2.4, 2.4], y: [-2.4, 2.4], equal: true, wide: 5.4, xlabel: "z₁", ylabel: "z₂" },
    { x: [-6.1, 6.1], y: [-2.4, 2.4], equal: true, wide: 12.2, xlabel: "x₁", ylabel: "x₂" },
  ],
  controls: [
    { name: "shift", min: -1.5, max: 1.5, step: 0.1, value: 1 },
    { name: "wiggle", min: 0, max: 6, step: 0.25, value: 2 },
    { name: "stretch", min: -0.8, max: 0.8, step: 0.1, value: 0.6 },
    { name: "row", label: "cell's row", min: 0, max: 7, step: 1, value: 6 },
  ],
  play: { control: "shift", from: -1.5, to: 1.5, seconds: 6, smooth: true },
  drag: (panel, x, y) => ({ row: 2 * (y + 2) - 0.5 }),
  draw(panels, { shift, wiggle, stretch, row }) {
    const s = (z2) => stretch * Math.tanh(z2);
    const t = (z2) => shift * Math.sin(wiggle * z2);
    const couple = (z) => Float64Array.from(z, (value, i) => (i % 2 ? value : value * Math.exp(s(z[i + 1])) + t(z[i + 1])));
    const up = Live.linspace(EDGES[row], EDGES[row] + 0.5, 41);
    const cell = [...Live.zip(up.map(() => 0), up), ...Live.zip(up.map(() => 0.5), [...up].reverse())];
    panels.forEach((panel, i) => {
      const move = i ? couple : (z) => z;
      panel.curve(move(ROWS), { colour: "grid", width: 1.2 });
      panel.curve(move(COLUMNS), { width: 2 });
      panel.polygon(move(cell), { colour: i ? "x" : "z" });
    });
    const grown = area(couple(cell)) / area(cell);
    const stretched = Math.exp(s(EDGES[row] + 0.25));
    return `cell's area × ${Live.number(grown)}, where exp(s) = ${Live.number(stretched)}`;
  },
});

const WIDE = Live.linspace(-5.4, 5.4, 201);
const BOARD = { x: [-5.4, 5.4], y: [-5.4, 5.4], equal: true, xticks: [-4, 0, 4], yticks: [-4, 0, 4] };

Live.figure("layers-slider", {
  title: "A cloud, coloured by angle, moved by eight couplings in turn; and what each network answers",
  panels: [{ ...BOARD, xlabel: "first", ylabel: "second" }, BOARD],
  controls: [{ name: "time", min: 0, max: 32, step: 1, value: 0 }],
  answer: { time: 14 },
  play: { control: "time", from: 0, to: 32, seconds: 16, smooth: true },
  prepare({ flow, draws }) {
    const built = Flow.build(flow);
    // For each layer which coordinate stays, and t and s as curves over it: where 0 goes is t.
    const answers = built.layers.map((layer, k) => {
      const stay = flow.layers[k].mask[0] ? 0 : 1;
      const zeros = WIDE.map(() => 0);
      const { points, logDet: s } = layer.forward(stay ? Live.zip(zeros, WIDE) : Live.zip(WIDE, zeros), WIDE.length);
      const t = WIDE.map((_, i) => points[2 * i + 1 - stay]);
      return { stay, t, s };
    });
    return { stops: built.path(draws, draws.length / 2), answers, colours: Live.byAngle(draws) };
  },
  draw([left, right], { time }, { stops, answers, colours }) {
    const k = Math.min(Math.floor(time / 4), 7); // four positions of the slider for each layer
    const { stay, t, s } = answers[k];
    // A layer has no halfway: the straight path is for the eye only.
    left.points(Live.lerp(stops[k].points, stops[k + 1].points, time / 4 - k), { colours, radius: 3 });
    for (const [values, colour] of [[t, "map"], [s, "third"]])
      right.curve(stay ? Live.zip(values, WIDE) : Live.zip(WIDE, values), { colour, width: 4 });
    right.text(-3.4, 4.7, "shift t", { colour: "map" });
    right.text(2.8, 4.7, "log-scale s", { colour: "third" });
    left.title("points");
    right.title(`reads the ${["first", "second"][stay]}, which stays`);
    return time ? `layer ${k + 1} moves the ${["second", "first"][stay]} coordinate` : "z";
  },
});

const DARK = d3.cross([0, 1, 2, 3], [0, 1, 2, 3]).filter(([i, j]) => (i + j) % 2 === 0);

Live.figure("temperature-slider", {
  title: "1,500 draws of z at a temperature τ, and where the checkerboard's flow takes them",
  panels: [
    { ...BOARD, xlabel: "z₁", ylabel: "z₂" },
    { ...BOARD, xlabel: "x₁", ylabel: "x₂" },
  ],
  controls: [{ name: "tau", label: "τ", min: 0.05, max: 2, step: 0.05, value: 1 }],
  answer: { tau: 0.4 },
  play: { control: "tau", from: 1, to: 0.05, seconds: 8 },
  prepare: ({ flow, draws }) => ({ flow: Flow.build(flow), draws: Float64Array.from(draws) }),
  draw([left, right], { tau }, { flow, draws }) {
    const n = draws.length / 2;
    const z = draws.map((value) => tau * value);
    const { points: x } = flow.forward(z, n);
    const squares = d3.range(n).map((k) => [x[2 * k], x[2 * k + 1]].map((at) => Math.floor((at + 4) / 2)));
    const hits = squares.filter(([i, j]) => DARK.some(([a, b]) => a === i && b === j));
    const reached = DARK.filter(([i, j]) => d3.sum(hits, ([a, b]) => a === i && b === j) > 0.01 * n);
    for (const [i, j] of DARK) right.band({ x: [2 * i - 4, 2 * i - 2], y: [2 * j - 4, 2 * j - 2] }, { colour: "faint", alpha: 1 });
    left.points(z, { colour: "z", alpha: 0.6 });
    right.points(x, { colour: "x", alpha: 0.6 });
    left.title(`z, τ = ${Live.number(tau)}`);
    right.title("x");
    return `τ = ${Live.number(tau)}: ${Math.round((100 * hits.length) / n)}% on dark, ${reached.length} of 8 squares`;
  },
});

Live.figure("layers-end", Live.at("layers-slider", { time: 32 }));
