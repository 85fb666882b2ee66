/* Lesson 8: increasing curves from x to z, and the densities of x that they make. */
"use strict";

/** Axes for a curve and for its density. */
const curveAndDensity = (reach, highest, ticks) => [
  { x: [-reach, reach], y: [-reach, reach], xlabel: "x", ylabel: "z", xticks: ticks, yticks: ticks },
  { x: [-reach, reach], y: [0, highest], xlabel: "x", xticks: ticks },
];

/** A line that jumps at each edge, from 0 to 0. */
function stairs(edges, heights) {
  const steps = heights.flatMap((height, i) => [edges[i], height, edges[i + 1], height]);
  return [edges[0], 0, ...steps, edges[edges.length - 1], 0];
}

/** The running sums of sizes, from `start` on. */
const runningSums = (sizes, start) => [start, ...d3.cumsum(sizes).map((sum) => start + sum)];

// --------------------------------------------------------------------------- straight pieces

Live.figure("pieces-slider", {
  title: "Straight pieces of equal width, and the histogram that they are; the target dashed",
  panels: curveAndDensity(4, 0.42, [-4, 0, 4]),
  controls: [{ name: "count", label: "pieces", min: 1, max: 60, step: 1, value: 10 }],
  answer: { count: 40 },
  play: { control: "count", from: 1, to: 60, seconds: 15 },
  prepare({ edges, shares, counts }) {
    const heights = shares.map((share, i) => share / (edges[i + 1] - edges[i]));
    const truth = (x) => heights[d3.bisectRight(edges, x) - 1];
    return { edges, heights, counts, grid: Live.linspace(-3.999, 3.999, 4000), truth };
  },
  draw([left, right], { count }, { edges, heights, counts, grid, truth }) {
    const found = counts[count - 1];
    const shares = found.map((points) => points / d3.sum(found)); // counting is maximum likelihood
    const bins = Array.from(Live.linspace(-4, 4, count + 1));
    const bars = shares.map((share) => (share * count) / 8);
    // The target's log-density against that of the bar over it, averaged over the target.
    const missing = 8 * d3.mean(grid, (x) => {
      const bar = bars[Math.min(count - 1, Math.floor(((x + 4) / 8) * count))];
      return truth(x) * Math.log(truth(x) / Math.max(bar, 1e-9));
    });
    const knots = Live.zip(bins, runningSums(shares.map((share) => 8 * share), -4));
    left.title("z as a function of x");
    left.curve(knots, { width: 3 });
    left.points(knots, { radius: 4 });
    right.title("density of x");
    right.bars(bins, bars, { colour: "x", alpha: 0.15 });
    right.curve(stairs(edges, heights), { colour: "reference", dash: [8, 6] });
    right.curve(stairs(bins, bars), { colour: "x", width: 3 });
    return `${count} piece${count === 1 ? "" : "s"}: ${Live.number(missing, 3)} nats missing`;
  },
});

// --------------------------------------------------------------------------- one knot

const LINE = Live.linspace(-4, 4, 801);
const NORMAL = Flow.base.normal({ dim: 1 });

/** z and log dz/dx of two straight pieces that meet at (x, z), in the form of a layer's answer. */
function straightPieces(x, z, bound) {
  const slopes = [(z + bound) / (x + bound), (bound - z) / (bound - x)];
  const inside = (at) => Math.abs(at) <= bound;
  const piece = (at) => slopes[Number(at >= x)];
  return {
    points: LINE.map((at) => (inside(at) ? z + piece(at) * (at - x) : at)),
    logDet: LINE.map((at) => (inside(at) ? Math.log(piece(at)) : 0)),
  };
}

/** The curve through a knot with its tangent, and the density that it makes of a normal z. */
function drawKnot([left, right], { x, z, slope, ends, bound, kind }) {
  const sizes = { widths: [x + bound, bound - x], heights: [z + bound, bound - z] };
  const spline = Flow.spline({ ...sizes, slopes: [ends, slope, ends], bound });
  const straight = kind === "straight";
  const curve = straight ? straightPieces(x, z, bound) : spline.inverse(LINE, LINE.length);
  const normal = NORMAL.logProb(LINE, LINE.length).map(Math.exp);
  const density = NORMAL.logProb(curve.points, LINE.length).map((logP, i) => Math.exp(logP + curve.logDet[i]));
  left.title("z as a function of x");
  left.curve(Live.zip(LINE, curve.points), { width: 3 });
  if (!straight) {
    const far = 0.9 / Math.hypot(1, slope);
    left.curve([x - far, z - slope * far, x + far, z + slope * far], { colour: "x", width: 4 });
  }
  left.points([-bound, -bound, x, z, bound, bound], { colour: "z", radius: 7 });
  right.title("density of x, z normal");
  right.curve(Live.zip(LINE, normal), { colour: "reference", dash: [8, 6] });
  right.curve(Live.zip(LINE, density), { colour: "x", width: 3 });
  return { curve, density };
}

Live.figure("knot-slider", {
  title: "Two pieces that meet in a knot, and the density that they make of a normal z, dashed",
  panels: curveAndDensity(4, 1.3, [-3, 0, 3]),
  controls: [
    { name: "x", min: -2.5, max: 2.5, step: 0.1, value: 0.5 },
    { name: "z", min: -2.5, max: 2.5, step: 0.1, value: -0.5 },
    { name: "slope", power: 10, min: -1.5, max: 1, step: 0.05, value: 2 },
    { name: "kind", label: "", options: ["rational", "straight"], value: "rational" },
  ],
  answer: { x: 0.5, z: 0.5, slope: 0.1 },
  play: { control: "x", from: -2, to: 2, seconds: 8, smooth: true },
  drag: (panel, x, y) => (panel === 0 ? { x, z: y } : undefined),
  draw(panels, values) {
    const { density } = drawKnot(panels, { ...values, ends: 1, bound: 3 });
    const { x, z, slope, kind } = values;
    const highest = LINE[d3.maxIndex(density)];
    const top = `highest at x = ${Live.number(highest, 1)}`;
    if (kind === "straight") return `straight: the density jumps at the knot; ${top}`;
    const normal = Math.exp(NORMAL.logProb([z], 1)[0]);
    return `at x = ${Live.number(x, 1)}: ${Live.number(normal)} · ${Live.number(slope)} = ${Live.number(normal * slope)}; ${top}`;
  },
});

Live.figure("ends-slider", {
  title: "A spline whose slope at both corners of its square is free, and its density",
  panels: curveAndDensity(4, 1.3, [-1.5, 0, 1.5]),
  controls: [{ name: "ends", label: "slope at ±1.5", power: 10, min: -1, max: 1, step: 0.05, value: 4 }],
  answer: { ends: 4 },
  play: { control: "ends", from: 0.1, to: 10, seconds: 8 },
  draw(panels, { ends }) {
    drawKnot(panels, { x: 0, z: 0, slope: 1, ends, bound: 1.5, kind: "rational" });
    const outside = Math.exp(NORMAL.logProb([1.5], 1)[0]);
    return `density beside 1.5: ${Live.number(ends * outside, 3)} inside, ${Live.number(outside, 3)} outside`;
  },
});

// --------------------------------------------------------------------------- a mixture

const FAR = Live.linspace(-6, 6, 1201);
const logistic = (a) => 1 / (1 + Math.exp(-a));

Live.figure("mixture-slider", {
  title: "The logit of the distribution function of two logistics, and the density it makes of a logistic z, dashed",
  panels: [
    { x: [-6, 6], y: [-9, 9], xlabel: "x", ylabel: "z", xticks: [-5, 0, 5], yticks: [-8, 0, 8] },
    { x: [-6, 6], y: [0, 0.62], xlabel: "x", xticks: [-5, 0, 5] },
  ],
  controls: [
    { name: "apart", min: 0, max: 9, step: 0.25, value: 3 },
    { name: "width", min: 0.2, max: 1.5, step: 0.05, value: 0.5 },
    { name: "share", min: 0.05, max: 0.95, step: 0.05, value: 0.5 },
  ],
  answer: { apart: 6, width: 0.4 },
  play: { control: "apart", from: 0, to: 9, seconds: 8, smooth: true },
  draw([left, right], { apart, width, share }) {
    const mixed = (value) => FAR.map((x) =>
      share * value((x + apart / 2) / width) + (1 - share) * value((x - apart / 2) / width));
    const cdf = mixed(logistic);
    const rest = mixed((a) => logistic(-a)); // 1 - F, without taking a difference
    const density = mixed((a) => (logistic(a) * logistic(-a)) / width);
    const z = cdf.map((f, i) => Math.log(f) - Math.log(rest[i]));
    left.title("z = logit F(x)");
    left.curve(Live.zip(FAR, z), { width: 3 });
    right.title("density of x, z logistic");
    right.view([-6, 6], [0, Math.max(0.3, 1.1 * d3.max(density))]);
    right.curve(Live.zip(FAR, FAR.map((a) => logistic(a) * logistic(-a))), { colour: "reference", dash: [8, 6] });
    right.curve(Live.zip(FAR, density), { colour: "x", width: 3 });
    const slope = density[600] / (cdf[600] * rest[600]);
    return `half-way: slope ${Live.scientific(slope)}, density ${Live.scientific(density[600])}`;
  },
});
