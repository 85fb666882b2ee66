/* Lesson 3: one planar layer, its inverse as a root, 32 of them, and the bridge between two moons. */
"use strict";

const plane = (kind, reach) => ({
  x: [-reach, reach], y: [-reach, reach], equal: true, xlabel: `${kind}₁`, ylabel: `${kind}₂`,
});

Live.figure("layer-slider", {
  title: "A square grid and a cloud, under one planar layer",
  panels: [plane("z", 4), plane("x", 4)],
  controls: [
    { name: "along", min: -3, max: 5, step: 0.1, value: 3 },
    { name: "across", min: -2, max: 2, step: 0.1, value: 0 },
    { name: "turn", label: "turn (°)", min: -180, max: 180, step: 5, value: 30 },
    { name: "steep", label: "|w|", min: 0.3, max: 6, step: 0.1, value: 1.5 },
    { name: "b", min: -3, max: 3, step: 0.1, value: 0 },
  ],
  answer: { along: -2, across: 0.3 },
  play: { control: "along", from: 3, to: -2.5, seconds: 8, smooth: true },
  prepare: ({ cloud }) => ({ cloud, lines: Live.grid(-2.5, 2.5, 21) }),
  drag(panel, x, y, { turn, steep }) {
    const way = (turn * Math.PI) / 180;
    return panel === 0 ? { b: -steep * (Math.cos(way) * x + Math.sin(way) * y) } : undefined; // the line follows
  },
  draw(panels, { along, across, turn, steep, b }, { cloud, lines }) {
    const [cos, sin] = [Math.cos((turn * Math.PI) / 180), Math.sin((turn * Math.PI) / 180)];
    const w = [steep * cos, steep * sin];
    const u = [(along / steep) * cos - across * sin, (along / steep) * sin + across * cos]; // so that w·u = along
    const height = (points, i) => Math.tanh(w[0] * points[i] + w[1] * points[i + 1] + b);
    // Not flow.js's planar layer: that one moves u, so that it never folds.
    const layer = (points) => Float64Array.from(points, (value, i) => value + u[i % 2] * height(points, i - (i % 2)));
    const folded = (i) => 1 + along * (1 - height(cloud, 2 * i) ** 2) < 0;
    const turnedOver = d3.range(cloud.length / 2).filter(folded).flatMap((i) => [cloud[2 * i], cloud[2 * i + 1]]);
    panels.forEach((panel, i) => {
      const move = i ? layer : (points) => points;
      panel.curve(move(lines), { width: 1 });
      panel.points(move(cloud), { colour: i ? "x" : "z", radius: 3 });
      panel.points(move(turnedOver), { colour: "reference", radius: 4.5 });
    });
    const [right, up] = [(-b / steep) * cos, (-b / steep) * sin]; // the foot of the line w·z + b = 0
    panels[0].curve([right - 9 * sin, up + 9 * cos, right + 9 * sin, up - 9 * cos], { colour: "reference", dash: [10, 7], width: 2.5 });
    panels[0].title("z and the line w·z + b = 0");
    panels[1].title(along < -1 ? "x: FOLDS (black)" : "x");
    const [low, high] = [Math.min(1 + along, 1), Math.max(1 + along, 1)];
    return `w·u = ${Live.number(along, 1)}: det between ${Live.number(low, 1)} and ${Live.number(high, 1)}`;
  },
});

Live.figure("root-slider", {
  title: "Newton's method and bisection on g(a) = a + w·u tanh(a) = y",
  panels: [{ x: [-20, 20], y: [-28, 28], xlabel: "a", ylabel: "g(a)" }],
  controls: [
    { name: "wu", label: "w·u", min: -0.95, max: 10, step: 0.05, value: 2 },
    { name: "y", min: -5, max: 5, step: 0.25, value: 1 },
    { name: "step", min: 0, max: 20, step: 1, value: 0 },
  ],
  answer: { wu: 8, y: 3, step: 5 },
  play: { control: "step", from: 0, to: 12, seconds: 12 },
  drag: (panel, x, y) => ({ y }),
  draw([panel], { wu, y, step }) {
    const g = (a) => a + wu * Math.tanh(a);
    let [low, high, newton] = [y - Math.abs(wu), y + Math.abs(wu), y];
    const trail = [y, g(y)];
    for (let k = 0; k < step; k++) {
      const middle = (low + high) / 2;
      if (g(middle) < y) low = middle;
      else high = middle;
      newton -= (g(newton) - y) / (1 + wu * (1 - Math.tanh(newton) ** 2));
      trail.push(newton, g(newton));
    }
    const as = Live.linspace(-20, 20, 500);
    panel.band({ x: [low, high] }, { colour: "z" });
    panel.rule({ y });
    panel.curve(Live.zip(as, as.map(g)), { width: 3 });
    panel.curve(trail, { colour: "x", dash: [3, 5] });
    panel.points(trail, { colour: "x", radius: 5 });
    const missed = Math.abs(g(newton) - y);
    return `step ${step}: bracket (blue) ${Live.scientific(high - low)}, Newton misses y by ${Live.scientific(missed)}`;
  },
});

Live.figure("walk-slider", {
  title: "700 points, coloured by their angle at the start, on their way through 32 planar layers",
  panels: [{ x: [-4, 4], y: [-4, 4], equal: true }],
  controls: [{ name: "layer", min: 0, max: 32, step: 1, value: 0 }],
  answer: { layer: 32 },
  play: { control: "layer", from: 0, to: 32, seconds: 16, smooth: true },
  prepare({ sine, lines }) {
    const z = Flow.normals(2 * 700, 1);
    return { stops: Flow.build(sine).path(z, 700), lines, colours: Live.byAngle(z) };
  },
  draw([panel], { layer }, { stops, lines, colours }) {
    const below = Math.floor(layer);
    const above = Math.min(below + 1, 32);
    panel.points(Live.lerp(stops[below].points, stops[above].points, layer - below), { colours, radius: 4 });
    const at = Math.ceil(layer); // the layer at work, or just applied
    if (at === 0) return "z";
    const { w: [right, up], b } = lines[at - 1];
    const square = right * right + up * up;
    const [x, y] = [(-b * right) / square, (-b * up) / square];
    const far = 20 / Math.sqrt(square);
    panel.curve([x - far * up, y + far * right, x + far * up, y - far * right], { colour: "reference", dash: [10, 7], width: 2.5 });
    return `after layer ${at}, and its line`;
  },
});

Live.figure("bridge-slider", {
  title: "A straight walk in z, from one moon to the other, and its image in x over the log-density",
  panels: [
    { ...plane("z", 3.2), outside: true },
    { x: [-1.6, 2.6], y: [-1.1, 1.6], xlabel: "x₁", ylabel: "x₂", wide: 1.35, outside: true },
  ],
  controls: [{ name: "place", min: -60, max: 60, step: 1, value: -30 }],
  answer: { place: 0 },
  play: { control: "place", from: -60, to: 60, seconds: 10 },
  prepare({ moons, ends, home }) {
    const flow = Flow.build(moons);
    const [columns, rows] = [120, 80];
    const cells = d3.cross(Live.linspace(-1.1, 1.6, rows), Live.linspace(-1.6, 2.6, columns), (y, x) => [x, y]).flat();
    const shade = Live.image(flow.logProb(cells, columns * rows), columns, rows, { low: -12 });
    const walk = Live.linspace(0, 1, 10001);
    const between = (side) => walk.map((t) => ends[side] + t * (ends[2 + side] - ends[side]));
    const z = Live.zip(between(0), between(1));
    const { points: x, logDet } = flow.forward(z, walk.length);
    const logZ = flow.base.logProb(z, walk.length);
    const logX = logZ.map((value, k) => value - logDet[k]);
    return { shade, z, x, logZ, logX, logDet, home, lowest: d3.minIndex(logX) };
  },
  draw([left, right], { place }, { shade, z, x, logZ, logX, logDet, home, lowest }) {
    const k = Math.max(0, Math.min(10000, lowest + Math.round(place)));
    left.title(`step ${d3.format(",")(k)} of 10,000`);
    left.points(home, { colour: "z", alpha: 0.35, radius: 3 });
    left.curve(z, { width: 2 });
    left.points([z[2 * k], z[2 * k + 1]], { colour: "reference", radius: 8 });
    right.title("its image in x");
    right.picture(shade, [-1.6, 2.6, -1.1, 1.6]);
    right.curve(x, { colour: "#ffffff", width: 2 });
    right.points([x[2 * k], x[2 * k + 1]], { colour: "x", radius: 9 });
    const [pz, det, px] = [Live.number(logZ[k], 1), Live.number(logDet[k], 1, true), Live.number(logX[k], 1)];
    return `log p(z) = ${pz}, log_det ${det}, log p(x) = ${px}`;
  },
});
