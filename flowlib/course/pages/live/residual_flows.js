/* Lesson 9: a cobweb, a lattice that rounds straighten, a cut series, a map that keeps every area. */
"use strict";

const small = (value) => (value < 1e-12 ? "0" : value < 0.01 ? Live.scientific(value) : Live.number(value, 2));
const rounds = (count) => `${count} ${count === 1 ? "round" : "rounds"}`;

// ---------------------------------------------------------------- the way back

const LINE = Live.linspace(-3, 3, 601);

/** The staircase between a curve and the diagonal: to the curve, then across to the diagonal. */
function web(places, floor) {
  const line = [places[0], floor];
  for (let i = 0; i + 1 < places.length; i++) line.push(places[i], places[i + 1], places[i + 1], places[i + 1]);
  return line;
}

Live.figure("cobweb-slider", {
  title: "The layer x = z + L sin z, and the rounds that undo it",
  panels: [
    { x: [-3, 3], y: [-3, 3], equal: true, xlabel: "z", ylabel: "x", xticks: [-2, 0, 2], yticks: [-2, 0, 2] },
    { x: [-3, 3], y: [-3, 3], equal: true, xlabel: "zₙ", ylabel: "zₙ₊₁", xticks: [-2, 0, 2], yticks: [-2, 0, 2] },
  ],
  controls: [
    { name: "slope", label: "L", min: -1.2, max: 1.2, step: 0.05, value: 0.9 },
    { name: "x", min: -2.5, max: 2.5, step: 0.05, value: 0.8 },
    { name: "count", label: "rounds", min: 0, max: 40, step: 1, value: 0 },
  ],
  answer: { slope: 1.2, x: 0.6, count: 20 },
  play: { control: "count", from: 0, to: 40, seconds: 10 },
  draw([left, right], { slope, x, count }) {
    const layer = LINE.map((z) => z + slope * Math.sin(z));
    const crossings = [];
    for (let i = 0; i + 1 < LINE.length; i++) {
      if (layer[i] <= x !== layer[i + 1] <= x) crossings.push(LINE[i], x);
    }
    left.title(crossings.length === 2 ? "one z has this x" : `${crossings.length / 2} z have this x`);
    left.rule({ y: x }, { colour: "x", width: 2 });
    left.curve(Live.zip(LINE, layer), { width: 3 });
    left.points(crossings, { colour: "z", radius: 6 });
    const places = [x];
    for (let i = 0; i < count; i++) places.push(x - slope * Math.sin(places[i]));
    const last = places[count];
    right.title(rounds(count));
    right.curve([-3, -3, 3, 3], { colour: "reference", dash: [6, 5], width: 1.5 });
    right.curve(Live.zip(LINE, LINE.map((z) => x - slope * Math.sin(z))), { width: 3 });
    right.curve(web(places, -3), { colour: "z", width: 2 });
    right.points([x, -3], { colour: "x", radius: 6 });
    right.points([last, count ? last : -3], { colour: "z", radius: 6 });
    return `${rounds(count)}: x missed by ${small(Math.abs(x - last - slope * Math.sin(last)))}`;
  },
});

// ---------------------------------------------------------------- the plane

const LATTICE = Live.grid(-3, 3, 13);
const PLANE = { x: [-4.2, 4.2], y: [-4.2, 4.2], equal: true, xticks: [-3, 0, 3], yticks: [-3, 0, 3] };

/** g of the plane, of Lipschitz constant `slope`: flowlib.pictures.residual_flows.twist. */
const twist = (points, slope) =>
  Float64Array.from(points, (value, i) =>
    (slope / 1.3) * (i % 2 ? Math.cos(1.3 * points[i - 1] + 1) : Math.sin(1.3 * points[i + 1])),
  );
const sum = (a, b, sign) => Float64Array.from(a, (value, i) => value + sign * b[i]);

Live.figure("unwarp-slider", {
  title: "A lattice that a layer has bent, and the rounds that straighten it",
  panels: [
    { ...PLANE, xlabel: "x₁", ylabel: "x₂" },
    { ...PLANE, xlabel: "z₁", ylabel: "z₂" },
  ],
  controls: [
    { name: "slope", label: "L", min: 0.05, max: 0.95, step: 0.05, value: 0.8 },
    { name: "count", label: "rounds", min: 0, max: 40, step: 1, value: 0 },
  ],
  answer: { slope: 0.8, count: 5 },
  play: { control: "count", from: 0, to: 40, seconds: 10 },
  draw([left, right], { slope, count }) {
    const bent = sum(LATTICE, twist(LATTICE, slope), 1);
    let found = bent;
    for (let i = 0; i < count; i++) found = sum(bent, twist(found, slope), -1);
    const off = d3.range(0, LATTICE.length, 2).map((i) => Math.hypot(found[i] - LATTICE[i], found[i + 1] - LATTICE[i + 1]));
    left.curve(bent, { colour: "x", width: 1.3 });
    right.curve(LATTICE, { colour: "faint", width: 1.3 });
    right.curve(found, { colour: "z", width: 1.3 });
    left.title("x = z + g(z)");
    right.title("z ← x − g(z)");
    return `${rounds(count)}: off by ${small(d3.max(off))}`; // gaps between lines are NaN, which max leaves out
  },
});

// ---------------------------------------------------------------- the series

const EIGEN = Live.linspace(-0.995, 1.2, 440);

function cutSeries(s, terms) {
  let [power, total] = [1, 0];
  for (let k = 1; k <= terms; k++) {
    power *= s;
    total += ((k % 2 ? 1 : -1) * power) / k;
  }
  return total;
}

Live.figure("series-slider", {
  title: "log(1 + s) for one eigenvalue s of J, and its series cut after some terms",
  panels: [{ x: [-1.05, 1.2], y: [-3.5, 1.6], xlabel: "eigenvalue s of J", ylabel: "log-determinant" }],
  controls: [
    { name: "terms", min: 1, max: 30, step: 1, value: 2 },
    { name: "lipschitz", label: "L", min: 0.05, max: 0.99, step: 0.01, value: 0.9 },
  ],
  answer: { terms: 5, lipschitz: 0.97 },
  play: { control: "terms", from: 1, to: 30, seconds: 8 },
  draw([panel], { terms, lipschitz }) {
    panel.band({ x: [-lipschitz, lipschitz] }, { colour: "z", alpha: 0.1 });
    panel.curve(Live.zip(EIGEN, EIGEN.map(Math.log1p)), { colour: "reference", dash: [7, 5], width: 2.5 });
    panel.curve(Live.zip(EIGEN, EIGEN.map((s) => cutSeries(s, terms))), { colour: "x", width: 3 });
    const worst = Math.abs(Math.log1p(-lipschitz) - cutSeries(-lipschitz, terms));
    return `${terms} ${terms === 1 ? "term" : "terms"}: off by up to ${small(worst)} where |s| ≤ ${Live.number(lipschitz, 2)}`;
  },
});

// ---------------------------------------------------------------- determinant 1

const CHEQUERS = 8; // cells a side, of [-1, 1]^2
const ANGLES = Live.linspace(0, 2 * Math.PI, 2001);
const RIM = Live.zip(ANGLES.map(Math.cos), ANGLES.map(Math.sin));

/** Squares of every other cell of the disc, their sides in eight pieces so that they can bend. */
const CELLS = d3.cross(d3.range(CHEQUERS), d3.range(CHEQUERS)).filter(([i, j]) => (i + j) % 2).map(([i, j]) => {
  const [left, low, side] = [(2 * i) / CHEQUERS - 1, (2 * j) / CHEQUERS - 1, 2 / CHEQUERS];
  const rim = [];
  const corners = [[0, 0], [1, 0], [1, 1], [0, 1], [0, 0]];
  for (let c = 0; c < 4; c++) {
    for (let t = 0; t < 1; t += 1 / 8) {
      const [u, v] = [0, 1].map((axis) => Live.lerp([corners[c][axis]], [corners[c + 1][axis]], t)[0]);
      rim.push(left + side * u, low + side * v);
    }
  }
  return Float64Array.from(rim, (value, i) => {
    const radius = Math.hypot(rim[i - (i % 2)], rim[i - (i % 2) + 1]);
    return value / Math.max(1, radius); // what lies outside of the disc is pulled to its rim
  });
});

/** x1 = 1 - a z1^2 + z2, x2 = z1. */
const henon = (points, a) =>
  Float64Array.from(points, (value, i) => (i % 2 ? points[i - 1] : 1 - a * value ** 2 + points[i + 1]));

function area(rim) {
  let twice = 0;
  for (let i = 0; i + 3 < rim.length; i += 2) twice += rim[i] * rim[i + 3] - rim[i + 2] * rim[i + 1];
  return Math.abs(twice) / 2;
}

Live.figure("henon-slider", {
  title: "A chequered disc, and where the Hénon map carries it",
  panels: [
    { x: [-1.3, 1.3], y: [-1.3, 1.3], equal: true, xlabel: "z₁", ylabel: "z₂", xticks: [-1, 0, 1], yticks: [-1, 0, 1] },
    { x: [-3, 3], y: [-3, 3], xlabel: "x₁", ylabel: "x₂" },
  ],
  controls: [
    { name: "a", min: 0, max: 1.4, step: 0.05, value: 0.6 },
    { name: "times", min: 0, max: 5, step: 1, value: 2 },
  ],
  answer: { a: 1, times: 3 },
  play: { control: "a", from: 0, to: 1.4, seconds: 8, smooth: true },
  draw([left, right], { a, times }) {
    const carry = (points) => {
      for (let i = 0; i < times; i++) points = henon(points, a);
      return points;
    };
    const rim = carry(RIM);
    const sides = [0, 1].map((axis) => {
      const [low, high] = d3.extent(rim.filter((_, i) => i % 2 === axis));
      return [low - 0.08 * (high - low), high + 0.08 * (high - low)];
    });
    right.view(...sides);
    left.polygon(RIM, { colour: "z", alpha: 0.4 });
    right.polygon(rim, { colour: "x", alpha: 0.4 });
    for (const cell of CELLS) {
      left.polygon(cell, { colour: "z" });
      right.polygon(carry(cell), { colour: "x" });
    }
    left.title(`area ${Live.number(area(RIM), 2)}`);
    right.title(`area ${Live.number(area(rim), 2)}`);
    return `used ${times === 1 ? "once" : `${times} times`} with a = ${Live.number(a, 2)}`;
  },
});
