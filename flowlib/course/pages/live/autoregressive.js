/* Lesson 6: masks and the paths they leave, sampling step by step, and the order of the variables. */
"use strict";

// --------------------------------------------------------------------------- masks

/** A matrix as a sheet: cells where `dark(row, column)` holds, the first row on top. */
function sheet(panel, rows, columns, dark, colour = "map") {
  panel.view([0, columns], [0, rows]);
  for (let i = 0; i < rows; i++)
    for (let j = 0; j < columns; j++)
      if (dark(i, j)) panel.polygon([j, rows - i, j + 1, rows - i, j + 1, rows - i - 1, j, rows - i - 1], { colour });
  // A line between cells, and round all of them.
  for (let i = 0; i <= rows; i++) panel.curve([0, i, columns, i], { colour: "faint", width: 1 });
  for (let j = 0; j <= columns; j++) panel.curve([j, 0, j, rows], { colour: "faint", width: 1 });
}

const SHEET = { x: [0, 1], y: [0, 1], xticks: [], yticks: [] };

Live.figure("masks-slider", {
  title: "Which hidden units are joined to which inputs and outputs, and the paths that this leaves",
  panels: [SHEET, SHEET, { ...SHEET, equal: true, wide: 1.5 }],
  controls: [
    { name: "variables", min: 2, max: 9, step: 1, value: 6 },
    { name: "hidden", min: 8, max: 40, step: 1, value: 15 },
    { name: "shuffle", label: "another order", value: false },
    { name: "greater_or_equal", label: "≥ at the output", value: false },
  ],
  answer: { greater_or_equal: true },
  play: { control: "hidden", from: 8, to: 40, seconds: 8 },
  draw([into, out, through], { variables, hidden, shuffle, greater_or_equal: orEqual }, { places }) {
    const place = d3.range(variables).map((i) => (shuffle ? places[variables][i] + 1 : i + 1));
    const degree = d3.range(hidden).map((k) => 1 + Math.floor((k * (variables - 1)) / hidden));
    const sees = (k, j) => degree[k] >= place[j];
    const shows = (i, k) => place[i] > degree[k] || (orEqual && place[i] === degree[k]);
    // Two hidden layers with the same degrees: from unit k to unit l where the degree does not fall.
    const joined = (i, j) => degree.some((m, k) => sees(k, j) && degree.some((d, l) => d >= m && shows(i, l)));
    const forbidden = (i, j) => joined(i, j) && place[i] <= place[j];
    into.title("unit ← input j");
    sheet(into, hidden, variables, sees);
    out.title("unit → output i");
    sheet(out, hidden, variables, (k, i) => shows(i, k));
    through.title("output i ← input j");
    sheet(through, variables, variables, (i, j) => joined(i, j) && !forbidden(i, j));
    sheet(through, variables, variables, forbidden, "x");
    const cells = d3.cross(d3.range(variables), d3.range(variables));
    const [wrong, all] = [forbidden, joined].map((holds) => cells.filter(([i, j]) => holds(i, j)).length);
    return `${all} paths, ${wrong} of them forbidden${wrong ? " (vermilion)" : ": strictly triangular"}`;
  },
});

// --------------------------------------------------------------------------- sampling, step by step

const DIM = 8;
const HIDDEN = 10;

/** A masked net of two hidden layers: how many variables each unit waits for, and each connection with the
    step at which it can be used. */
function wires() {
  const inside = d3.range(HIDDEN).map((k) => 1 + Math.floor((k * (DIM - 1)) / HIDDEN));
  const columns = [d3.range(1, DIM + 1), inside, inside, d3.range(DIM)];
  const height = (layer, unit) => 1 - unit / (columns[layer].length - 1);
  const edges = [0, 1, 2].flatMap((layer) =>
    d3.cross(d3.range(columns[layer].length), d3.range(columns[layer + 1].length))
      .filter(([a, b]) => columns[layer + 1][b] >= columns[layer][a])
      .map(([a, b]) => ({
        line: [layer, height(layer, a), layer + 1, height(layer + 1, b), NaN, NaN],
        due: columns[layer + 1][b] + (layer === 2 ? 1 : 0),
      })));
  return { columns, height, edges };
}

Live.figure("net-slider", {
  title: "Eight variables are sampled one after another: the connections in use, and how many have been used so far",
  panels: [
    { x: [-0.15, 3.15], y: [-0.08, 1.08], xticks: [], yticks: [], wide: 1.5 },
    { x: [0, 8.3], y: [0, 1160], xlabel: "step", xticks: [0, 2, 4, 6, 8] },
  ],
  controls: [
    { name: "step", min: 0, max: DIM, step: 1, value: 0 },
    { name: "once", label: "each unit once", value: false },
  ],
  answer: { step: 4, once: true },
  play: { control: "step", from: 0, to: DIM, seconds: 7 },
  prepare: wires,
  draw([net, used], { step, once }, { columns, height, edges }) {
    const groups = d3.group(edges, ({ due }) => {
      if (once) return due === step ? "x" : due < step ? "grid" : "faint";
      return step > 0 ? "x" : "faint";
    });
    for (const colour of ["faint", "grid", "x"]) {
      const lines = (groups.get(colour) ?? []).flatMap(({ line }) => line);
      net.curve(lines, { colour, width: colour === "x" ? 2 : 1.2 });
    }
    columns.forEach((column, layer) => column.forEach((waits, unit) => {
      const known = waits <= step - (layer === 3 ? 1 : 0);
      const colour = known ? (layer === 0 ? "x" : "map") : "faint";
      net.points([layer, height(layer, unit)], { colour, radius: 8 });
    }));
    net.title("x → hidden units → μ, α");
    used.title("connections used");
    const steps = d3.range(step + 1);
    const counts = { all: steps.map((k) => k * edges.length), each: steps.map((k) => edges.filter((edge) => edge.due <= k).length) };
    for (const [kind, colour, words, y] of [["all", "map", "whole net", 1080], ["each", "x", "each unit once", 960]]) {
      const points = Live.zip(steps, counts[kind]);
      used.curve(points, { colour, width: 3 });
      used.points(points, { colour, radius: 5 });
      used.text(0.4, y, words, { colour, align: "left" });
    }
    const [all, each] = [counts.all[step], counts.each[step]];
    return `step ${step}: ${d3.format(",")(all)} by the whole net, ${each} with each unit once`;
  },
});

// --------------------------------------------------------------------------- order

const SIDE = Live.linspace(-6.5, 9, 90);
const FINE = Live.linspace(-6.5, 9, 300);
const logNormal = (x, mean, deviation) =>
  -0.5 * ((x - mean) / deviation) ** 2 - Math.log(deviation) - 0.5 * Math.log(2 * Math.PI);

/** The banana: x₂ is normal, and x₁, given x₂, is a normal around x₂² / 4. */
const banana = (x1, x2) => logNormal(x2, 0, 2) + logNormal(x1, (x2 * x2) / 4, 1);

/** Log-densities on the even grid FINE, scaled so that the density has the area 1. */
function conditional(logP) {
  const highest = d3.max(logP);
  const mass = d3.sum(logP, (value) => Math.exp(value - highest)) * (FINE[1] - FINE[0]);
  return logP.map((value) => value - highest - Math.log(mass));
}

Live.figure("order-slider", {
  title: "One affine layer fitted to the banana, and its conditional along a line beside the true one, dashed",
  panels: [
    { x: [-6.5, 9], y: [-6.5, 9], equal: true, outside: true, wide: 1.2, xlabel: "x₁", ylabel: "x₂" },
    { x: [-6.5, 9], y: [0, 0.62] },
  ],
  controls: [
    { name: "order", label: "", options: ["x₁ first", "x₂ first"], value: "x₁ first" },
    { name: "line", min: -3, max: 5, step: 0.25, value: -1 },
  ],
  answer: { order: "x₁ first", line: 4 },
  play: { control: "line", from: -3, to: 5, seconds: 8, smooth: true },
  drag: (panel, x, y, { order }) => (panel === 0 ? { line: order === "x₁ first" ? x : y } : undefined),
  prepare(data) {
    const cells = d3.cross(SIDE, SIDE, (x2, x1) => [x1, x2]).flat();
    return Object.fromEntries(["x₁ first", "x₂ first"].map((order) => {
      const flow = Flow.build(data[order]);
      return [order, { flow, shade: flow.logProb(cells, 90 * 90).map(Math.exp) }];
    }));
  },
  draw([left, right], { order, line }, ready) {
    const first = order === "x₁ first";
    const { flow, shade } = ready[order];
    const given = FINE.map(() => line);
    const along = first ? Live.zip(given, FINE) : Live.zip(FINE, given);
    const model = conditional(flow.logProb(along, FINE.length));
    const truth = conditional(FINE.map((x) => (first ? banana(line, x) : banana(x, line))));
    left.title(`one layer, ${order}`);
    left.heat(shade, 90, 90, [-6.5, 9, -6.5, 9], { low: 0, high: 0.08 });
    left.rule(first ? { x: line } : { y: line }, { colour: "#ffffff", width: 2.5, dash: [] });
    const [asked, known] = first ? ["x₂", "x₁"] : ["x₁", "x₂"];
    right.title(`p(${asked} | ${known} = ${Live.number(line)})`);
    right.curve(Live.zip(FINE, model.map(Math.exp)), { colour: "x", width: 3 });
    right.curve(Live.zip(FINE, truth.map(Math.exp)), { colour: "reference", dash: [8, 6], width: 2.5 });
    right.text(8.6, 0.03, asked, { align: "right" });
    const missing = d3.sum(FINE, (_, i) => Math.exp(truth[i]) * (truth[i] - model[i])) * (FINE[1] - FINE[0]);
    return `${order}, on this line: a normal misses ${Live.number(Math.abs(missing))} nats`;
  },
});
