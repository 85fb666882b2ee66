/* Lesson 7: points that drift, solvers that flatter, and a trace by one random vector. */
"use strict";

// --------------------------------------------------------------------------- drift

const POND = { x: [-3.8, 3.8], y: [-3.8, 3.8], equal: true, xticks: [-2, 0, 2], yticks: [-2, 0, 2] };

/** Arrows at some places, as one line with heads; long ones are shortened, for they would cover others. */
function arrows(places, velocities) {
  const line = [];
  for (let i = 0; i < places.length; i += 2) {
    const [x, y, v, w] = [places[i], places[i + 1], velocities[i], velocities[i + 1]];
    const size = 0.28 / Math.sqrt(Math.max(Math.hypot(v, w), 1e-6));
    const [dx, dy] = [size * v, size * w];
    const [tipX, tipY] = [x + dx, y + dy];
    line.push(x, y, tipX, tipY, NaN, NaN);
    line.push(tipX - 0.3 * (dx + 0.6 * dy), tipY - 0.3 * (dy - 0.6 * dx), tipX, tipY);
    line.push(tipX - 0.3 * (dx - 0.6 * dy), tipY - 0.3 * (dy + 0.6 * dx), NaN, NaN);
  }
  return line;
}

Live.figure("drift-slider", {
  title: "Points carried by a velocity field: coloured by where they began, and by their density",
  panels: [POND, POND],
  controls: [{ name: "frame", label: "time", min: 0, max: 32, step: 1, value: 0 }],
  answer: { frame: 16 },
  play: { control: "frame", from: 0, to: 32, seconds: 9, smooth: true },
  prepare: ({ drift, nodes }) => ({ drift, nodes, colours: Live.byAngle(drift[0].points) }),
  draw([left, right], { frame }, { drift, nodes, colours }) {
    const before = Math.min(Math.floor(frame / 2), drift.length - 2); // a stop for every second frame
    const [from, to, share] = [drift[before], drift[before + 1], frame / 2 - before];
    const between = (name) => Live.lerp(from[name], to[name], share);
    const points = between("points");
    const logP = between("logP");
    const shades = Array.from(logP, (value) => {
      const place = Math.round((255 * (value + 5)) / 3.5);
      return Live.palette.mako[Math.max(0, Math.min(255, place))];
    });
    left.title(`t = ${Live.number(frame / 32)}`);
    left.curve(arrows(nodes, between("arrows")), { colour: "grid", width: 1.3 });
    left.points(points, { colours, radius: 3.2 });
    right.title("bright: dense");
    right.polygon([-4, -4, 4, -4, 4, 4, -4, 4], { colour: "#000000" });
    right.points(points, { colours: shades, radius: 3.2 });
    return `t = ${Live.number(frame / 32)}: mean of log p ${Live.number(d3.mean(logP))} nats`;
  },
});

Live.figure("drift-end", Live.at("drift-slider", { frame: 32 }));

// --------------------------------------------------------------------------- solvers

const STEPS = [1, 2, 4, 8, 16];

Live.figure("solver-slider", {
  title: "A solver's polygons from x back to z on the true paths, and the negative log-likelihood that it reports",
  panels: [
    { x: [-2.7, 2.7], y: [-2.6, 3.2], equal: true, xticks: [-2, 0, 2], yticks: [-2, 0, 2] },
    { x: [-0.2, 4.2], y: [0.75, 1.8], xlabel: "steps 1, 2, 4, 8, 16", ylabel: "NLL", xticks: [] },
  ],
  controls: [
    { name: "field", options: ["free", "straight"], value: "free" },
    { name: "method", label: "solver", options: ["euler", "rk4"], value: "euler" },
    { name: "steps", options: STEPS, slider: true, value: 4 },
  ],
  play: { control: "steps", from: 1, to: 16, seconds: 5 },
  draw([left, right], { field, method, steps }, { fields, x, exact, reports }) {
    const back = (how, count) => {
      const layer = Flow.ode({ ...fields[field], method: how, steps: count });
      return layer.trajectory(x, x.length / 2, { inverse: true, trace: false }).map((stop) => stop.points);
    };
    const lines = (stops) => d3.range(0, x.length, 2).flatMap((i) => [...stops.flatMap((at) => [at[i], at[i + 1]]), NaN, NaN]);
    const path = back(method, steps);
    left.title("from x back to z");
    left.curve(lines(back("rk4", 16)), { colour: "faint", width: 5 });
    left.curve(lines(path), { width: 1.6 });
    left.points(x, { colour: "x", radius: 5 });
    left.points(path[steps], { colour: "z", radius: 5 });
    const place = STEPS.indexOf(steps);
    right.title("reported NLL");
    right.rule({ y: exact });
    for (const [how, colour] of [["euler", "map"], ["rk4", "x"]]) {
      const points = STEPS.flatMap((count, i) => [i, reports[`${field} ${how} ${count}`].nll]);
      right.curve(points, { colour, width: 3 });
      right.points(points, { colour, radius: 6 });
    }
    const { nll, mass } = reports[`${field} ${method} ${steps}`];
    right.points([place, nll], { colour: "reference", radius: 10 });
    right.points([place, nll], { colour: method === "euler" ? "map" : "x", radius: 6.5 });
    right.text(4.1, 0.98, "euler", { colour: "map", align: "right" });
    right.text(4.1, 0.9, "rk4", { colour: "x", align: "right" });
    return `${method}, ${steps} step${steps === 1 ? "" : "s"}: ${Live.number(nll)} nats, mass ${Live.number(mass)}; truth ${Live.number(exact)}`;
  },
});

Live.figure("solver-straight", Live.at("solver-slider", { field: "straight", method: "euler", steps: 4 }));

// --------------------------------------------------------------------------- traces

const DRAWS = 4000;
const BINS = Array.from(Live.linspace(-6, 4, 61));

/** A random matrix with nothing on its diagonal; for two kinds of noise e, e'Ne and e'e for every draw. From
    these follow e'Je for any diagonal, and for any multiple of what lies off it. */
function traces(dim) {
  const N = Flow.normals(dim * dim, dim).map((value, place) => (place % (dim + 1) ? value : 0));
  const gaussian = Flow.normals(DRAWS * dim, dim + 1000);
  const sums = [gaussian, gaussian.map(Math.sign)].map((noise) => {
    const form = new Float64Array(DRAWS);
    const square = new Float64Array(DRAWS);
    for (let draw = 0; draw < DRAWS; draw++) {
      const e = noise.subarray(draw * dim, (draw + 1) * dim);
      for (let i = 0; i < dim; i++) {
        let row = 0;
        for (let j = 0; j < dim; j++) row += N[i * dim + j] * e[j];
        form[draw] += e[i] * row;
        square[draw] += e[i] * e[i];
      }
    }
    return { form, square };
  });
  return { N, sums };
}

Live.figure("trace-slider", {
  title: "A random matrix J, and histograms of 4,000 estimates of its trace by one random vector each",
  panels: [
    { x: [0, 1], y: [0, 1], equal: true, xticks: [], yticks: [] },
    { x: [-6, 4], y: [0, 1], xlabel: "estimate of tr J / D", yticks: [], wide: 1.6 },
  ],
  controls: [
    { name: "dim", label: "D", min: 1, max: 64, step: 1, value: 16 },
    { name: "diagonal", min: -3, max: 1, step: 0.25, value: -2 },
    { name: "off", label: "off it", min: 0, max: 3, step: 0.25, value: 1 },
  ],
  answer: { off: 0 },
  play: { control: "off", from: 3, to: 0, seconds: 6 },
  prepare: () => ({ known: new Map() }),
  draw([left, right], { dim, diagonal, off }, { known }) {
    if (!known.has(dim)) known.set(dim, traces(dim));
    const { N, sums } = known.get(dim);
    const J = N.map((value, place) => (place % (dim + 1) ? (off * value) / Math.sqrt(dim) : diagonal));
    const topFirst = d3.range(dim * dim).map((place) => J[(dim - 1 - Math.floor(place / dim)) * dim + (place % dim)]);
    left.title(`J, ${dim} × ${dim}`);
    left.heat(topFirst, dim, dim, [0, 1, 0, 1], { low: -3, high: 3, palette: "vlag", sharp: true });
    const spreads = sums.map(({ form, square }, kind) => {
      const values = form.map((sum, draw) => ((off * sum) / Math.sqrt(dim) + diagonal * square[draw]) / dim);
      const bins = d3.bin().domain([-6, 4]).thresholds(BINS.slice(1, -1))(values.filter((value) => value >= -6 && value <= 4));
      const highest = d3.max(bins, (bin) => bin.length) || 1;
      right.bars(BINS, bins.map((bin) => (0.9 * bin.length) / highest), { colour: ["z", "x"][kind], alpha: 0.5 });
      return d3.deviation(values) ?? 0;
    });
    right.title("estimates, deviation");
    right.rule({ x: diagonal });
    right.text(3.8, 0.93, `Gaussian: ${Live.number(spreads[0])}`, { colour: "z", align: "right" });
    right.text(3.8, 0.83, `±1: ${Live.number(spreads[1])}`, { colour: "x", align: "right" });
    return `tr J / D = ${Live.number(diagonal)}; deviation ${Live.number(spreads[0])} (Gaussian), ${Live.number(spreads[1])} (±1)`;
  },
});
