/* Lesson 1: a line of numbers is stretched, bent, and learned. */
"use strict";

// Twenty places that cut the standard normal into equal shares of probability: 2.5 %, 7.5 %, …
const SHARES = Live.linspace(0.025, 0.975, 20);
const WIDE = Live.linspace(-8, 8, 801);
const NORMAL = Flow.base.normal({ dim: 1 });
const Z_LINES = Flow.mixtureCDF({ weights: [1], means: [0], scales: [1] }).inverse(SHARES, 20).points;
const density = (logDensity) => logDensity.map(Math.exp);

/** Two densities, z at the left and x at the right, with lines that carry shares of probability across. */
function transport(panel, pX, xLines) {
  const pZ = density(NORMAL.logProb(WIDE, WIDE.length));
  for (const [p, foot, side, colour] of [[pZ, 0, -1, "z"], [pX, 1, 1, "x"]]) {
    const edge = Live.zip(p.map((value) => foot + side * Math.min(value, 0.95)), WIDE);
    panel.polygon([foot, -8, ...edge, foot, 8], { colour, alpha: 0.3 });
    panel.curve(edge, { colour, width: 3 });
  }
  const across = Live.linspace(0, 1, 30);
  const ease = across.map((t) => t * t * (3 - 2 * t));
  Z_LINES.forEach((z, i) => {
    panel.curve(Live.zip(across, ease.map((share) => z + share * (xLines[i] - z))), { width: 1.6 });
  });
  panel.text(-0.46, 5.4, "z", { colour: "z", size: 1.5 });
  panel.text(1.9, 5.4, "x", { colour: "x", size: 1.5 });
}

const TRANSPORT = [{ x: [-0.55, 2], y: [-6.5, 6.5], xticks: [], yticks: [-5, 0, 5], yright: true }];

Live.figure("affine-slider", {
  title: "Twenty lines at equal shares of probability, carried by x = a z + b",
  panels: TRANSPORT,
  controls: [
    { name: "a", min: -3, max: 3, step: 0.1, value: 0.6 },
    { name: "b", min: -3, max: 3, step: 0.1, value: 0 },
  ],
  answer: { a: 2, b: 1 },
  play: { control: "a", from: 0.6, to: 3, seconds: 6, smooth: true },
  draw([panel], { a, b }) {
    if (Math.abs(a) < 1e-9) {
      transport(panel, WIDE.map(() => 0), Z_LINES.map(() => b));
      return "a = 0: all z land on one x, nothing comes back";
    }
    const map = Flow.affine({ scale: [a], shift: [b] });
    const back = map.inverse(WIDE, WIDE.length);
    const pX = density(NORMAL.logProb(back.points, WIDE.length).map((value, i) => value + back.logDet[i]));
    transport(panel, pX, map.forward(Z_LINES, 20).points);
    const peak = 1 / (Math.sqrt(2 * Math.PI) * Math.abs(a));
    const words = `x = ${Live.number(a, 1)} z ${Live.number(b, 1, true)}: peak ${Live.number(peak)}`;
    return `${words}${peak > 0.95 ? " (cut off)" : ""}, log|a| = ${Live.number(Math.log(Math.abs(a)), 2, true)}`;
  },
});

Live.figure("mixture-slider", {
  title: "The same lines, carried by the inverse distribution function of two Gaussians",
  panels: TRANSPORT,
  controls: [
    { name: "weight", min: 0.05, max: 0.95, step: 0.05, value: 0.4 },
    { name: "gap", min: 0, max: 8, step: 0.2, value: 4 },
    { name: "width", min: 0.2, max: 2, step: 0.1, value: 0.7 },
  ],
  play: { control: "gap", from: 0, to: 8, seconds: 8, smooth: true },
  draw([panel], { weight, gap, width }) {
    const cdf = Flow.mixtureCDF({
      weights: [weight, 1 - weight], means: [-gap / 2, gap / 2], scales: [width, width],
    });
    const pX = density(cdf.forward(WIDE, WIDE.length).logDet); // the slope of a distribution function
    transport(panel, pX, cdf.inverse(SHARES, 20).points);
    const valleys = pX.filter((p, i) => Math.abs(WIDE[i]) < gap / 2 && p <= pX[i - 1] && p < pX[i + 1]);
    const note = valleys.length ? `density in the valley ${Live.scientific(d3.min(valleys))}` : "one hump: no valley";
    return `${Math.round(100 * weight)}% below, gap ${Live.number(gap, 1)}: ${note}${d3.max(pX) > 0.95 ? " (peak cut off)" : ""}`;
  },
});

const UNIT = Live.linspace(0.001, 0.999, 200);
const LINE = Live.linspace(-5, 5.5, 300);

/** Edges and heights of a histogram whose area is 1. */
function histogram(values, low, high, bins) {
  const edges = Array.from(Live.linspace(low, high, bins + 1));
  const counts = d3.bin().domain([low, high]).thresholds(edges.slice(1, -1))(values).map((bin) => bin.length);
  return [edges, counts.map((count) => (count * bins) / (values.length * (high - low)))];
}

Live.figure("learning-slider", {
  title: "A mixture CDF of four components learns 750 points on the base Beta(2, 5)",
  panels: [
    { x: [0, 1], y: [0, 4.5], xlabel: "z", xticks: [0, 0.5, 1], yticks: [0, 2, 4] },
    { x: [0, 1], y: [-5, 5.5], xlabel: "z", ylabel: "x", xticks: [0, 0.5, 1], yticks: [-4, 0, 4] },
    { x: [-5, 5.5], y: [0, 0.4], xlabel: "x", xticks: [-4, 0, 4], yticks: [0, 0.2, 0.4] },
  ],
  controls: [{ name: "step", min: 0, max: 600, step: 20, value: 0 }],
  answer: { step: 600 },
  play: { control: "step", from: 0, to: 600, seconds: 9 },
  prepare(data) {
    const { base } = Flow.build({ base: data.base, layers: [] });
    const points = Float64Array.from(data.points);
    return { ...data, base, points, pZ: density(base.logProb(UNIT, UNIT.length)), bars: histogram(points, -5, 5.5, 42) };
  },
  draw([left, middle, right], { step }, { base, points, stops, loss, pZ, bars }) {
    const cdf = Flow.mixtureCDF(stops[step / 20]);
    const { points: z, logDet } = cdf.forward(LINE, LINE.length);
    const pX = density(base.logProb(z, LINE.length).map((value, i) => value + logDet[i]));
    left.title("normalised points");
    left.bars(...histogram(cdf.forward(points, points.length).points, 0, 1, 30), { colour: "z" });
    left.curve(Live.zip(UNIT, pZ), { colour: "z", width: 3 });
    middle.title("the map");
    middle.curve(Live.zip(z, LINE), { width: 3 });
    right.title("data and density");
    right.bars(...bars, { colour: "x" });
    right.curve(Live.zip(LINE, pX), { colour: "x", width: 3 });
    return `step ${step}: NLL ${Live.number(loss[step / 20])} nats`;
  },
});
