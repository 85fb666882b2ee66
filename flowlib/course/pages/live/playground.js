// The playground: noise z becomes x, layer by layer.
//
// Drawn with live.js, computed with flow.js. Its data (playground.py): targets with held-out points and
// their exact log-density, flows by "target.flow", and for each layer what its picture needs.
"use strict";

const Playground = (() => {
  const N = 2000; // points that move
  const WINDOW = [-4, 4];
  const CHUNK = 100; // points that go through a flow at once, so that the page goes on answering
  const COARSE = 30; // cells along a side of a first, quick picture of a density
  const EMPTY = 6; // nats below the target's peak: next to nothing
  const SECONDS = { planar: 0.35, realnvp: 0.9, nsf: 1.3, maf: 1.5, cnf: 0.6 }; // to play one layer
  const still = window.matchMedia("(prefers-reduced-motion: reduce)");
  const dark = window.matchMedia("(prefers-color-scheme: dark)");
  const at = (id) => document.getElementById(id);
  const { number } = Live;

  let data;
  const state = { target: "moons", flow: "planar", depth: 0, pick: null };
  const panels = {};
  const colours = {};

  // ------------------------------------------------------------------------------------- work in slices

  const jobs = new Map();

  /** Do the work of a generator, 10 ms at a time. A new job ends the one that has its name. */
  function work(name, steps) {
    jobs.set(name, steps);
    const slice = () => {
      if (jobs.get(name) !== steps) return;
      const end = performance.now() + 10;
      while (performance.now() < end) if (steps.next().done) return void jobs.delete(name);
      setTimeout(slice);
    };
    slice();
  }

  const kept = new Map();
  /** What `make` makes, made once for each key. */
  function once(key, make) {
    if (!kept.has(key)) kept.set(key, make());
    return kept.get(key);
  }

  function floats(base64) {
    const bytes = Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
    return Float64Array.from(new Float32Array(bytes.buffer));
  }

  // ------------------------------------------------------------------------------------- points on their way

  /** Where points are after every layer; `walk` fills it in. */
  class Journey {
    constructor(flow, z) {
      this.flow = flow;
      this.n = z.length / 2;
      this.stops = flow.layers.map(() => new Float64Array(z.length).fill(NaN));
      this.stops.unshift(z);
      this.logProb = this.stops.map(() => new Float64Array(this.n)); // log-density of each point at each stop
    }

    *walk() {
      for (let from = 0; from < this.n; from += CHUNK) {
        const to = Math.min(this.n, from + CHUNK);
        const z = this.stops[0].slice(2 * from, 2 * to);
        const base = this.flow.base.logProb(z, to - from);
        this.flow.path(z, to - from).forEach((stop, k) => {
          this.stops[k].set(stop.points, 2 * from);
          this.logProb[k].set(stop.logDet.map((d, r) => base[r] - d), from);
        });
        yield;
      }
      this.done = true;
    }

    points(depth) {
      return between(this.stops, depth);
    }
  }

  /** Points at a depth: between two stops on the straight way, in a MAF one coordinate after the other. */
  function between(stops, depth) {
    const k = Math.min(Math.floor(depth), stops.length - 2);
    const [a, b, share] = [stops[k], stops[k + 1], depth - k];
    const { order } = layersShown()[k];
    const shares = [share, share];
    order?.forEach((coordinate, place) => (shares[coordinate] = Math.max(0, Math.min(1, 2 * share - place))));
    return a.map((value, i) => value + shares[i % 2] * (b[i] - value));
  }

  const flowOf = (target = state.target, flow = state.flow) =>
    once(`flow ${target}.${flow}`, () => Flow.build(data.specs[`${target}.${flow}`]));
  const layersShown = () => data.layers[`${state.target}.${state.flow}`];
  const depthOf = () => layersShown().length;
  const noise = () => once("noise", () => Flow.normals(2 * N, 7));

  /** A journey through the flow that is chosen; it starts, if nobody has made it yet. */
  function journey(name, z) {
    const key = `${name} ${state.target}.${state.flow}`;
    return once(key, () => {
      const made = new Journey(flowOf(), z());
      work(key, made.walk());
      return made;
    });
  }

  const points = () => journey("points", noise);
  const LINES = 19;
  const PER_LINE = 61;
  const gridLines = () =>
    journey("grid", () => Live.grid(-3, 3, LINES, PER_LINE).filter((value) => !Number.isNaN(value)));

  /** What one layer does to points of a grid: [before, after], where "before" are its inputs. */
  function push(layer) {
    return once(`push ${layer} ${state.target}.${state.flow}`, () => {
      const before = Float64Array.from(d3.cross(d3.range(-3.6, 3.7, 0.6), d3.range(-3.6, 3.7, 0.6)).flat());
      return [before, flowOf().layers[layer].forward(before, before.length / 2).points];
    });
  }

  // ------------------------------------------------------------------------------------- density

  const cells = (size) => d3.range(size).map((i) => WINDOW[0] + ((i + 0.5) * (WINDOW[1] - WINDOW[0])) / size);

  /** log p after `layers` layers at any points: each asks where it came from. */
  function logProbAfter(flow, layers, at) {
    let here = { points: at, logDet: null };
    const total = new Float64Array(at.length / 2);
    for (let k = layers - 1; k >= 0; k--) {
      here = flow.layers[k].inverse(here.points, total.length);
      here.logDet.forEach((d, r) => (total[r] += d));
    }
    return flow.base.logProb(here.points, total.length).map((logP, r) => logP + total[r]);
  }

  /** The log-density over the window, first coarse, then fine; `shown(values, size)` after each. */
  function* densityOver(score, shown) {
    for (const size of [COARSE, data.cells]) {
      const values = new Float64Array(size * size);
      const centres = cells(size);
      for (let row = 0; row < size; row++) {
        values.set(score(Live.zip(centres, centres.map(() => centres[row]))), row * size);
        yield;
      }
      shown(values, size);
    }
  }

  /** Values for a heat map, 0 to 1. `top` is the largest log-density of the target. */
  const shade = (values, top) =>
    at("faint").checked
      ? values.map((v) => Math.max(0, (v - top + 10) / 10))
      : values.map((v) => Math.sqrt(Math.exp(v - top)));

  function drawHeat(panel, values, size) {
    panel.clear();
    panel.heat(shade(values, targetOf().top), size, size, [...WINDOW, ...WINDOW], { low: 0, high: 1 });
  }

  const targetOf = (name = state.target) =>
    once(`target ${name}`, () => {
      const { points: x, logProb, density, ...rest } = data.targets[name];
      const made = { ...rest, points: floats(x), logProb: floats(logProb), density: floats(density) };
      return { ...made, top: d3.max(made.density) };
    });

  /** The target's log-density at a point, between the centres of the four cells around it. */
  function targetLogProb(x) {
    const place = x.map((value) => ((value - WINDOW[0]) / (WINDOW[1] - WINDOW[0])) * data.cells - 0.5);
    const [column, row] = place.map(Math.floor);
    const [right, up] = [place[0] - column, place[1] - row];
    if (Math.min(column, row) < 0 || Math.max(column, row) > data.cells - 2) return -Infinity;
    const { density } = targetOf();
    const along = (r) => (1 - right) * density[r * data.cells + column] + right * density[r * data.cells + column + 1];
    const found = (1 - up) * along(row) + up * along(row + 1);
    return found > -25 ? found : -Infinity;
  }

  function showDensity() {
    const layers = Math.round(state.depth);
    const key = `density ${layers} ${state.target}.${state.flow}`;
    if (showDensity.key !== key && !kept.has(key)) {
      const flow = flowOf();
      const keep = (...found) => {
        kept.set(key, found);
        draw();
      };
      work("density", densityOver((x) => logProbAfter(flow, layers, x), keep));
    }
    showDensity.key = key;
    showDensity.last = kept.get(key) ?? showDensity.last; // until it is known, the picture before stays
    if (showDensity.last) drawHeat(panels.model, ...showDensity.last);
    ring(panels.model, way()?.stops[layers]);
    panels.model.title(layers === depthOf() ? "what the flow calls likely" : `density after ${layers} of ${depthOf()}`);
  }

  /** Nats missed on held-out points, with the standard error; undefined until it is known. */
  function missed() {
    const key = `missed ${state.target}.${state.flow}`;
    if (!kept.has(key)) {
      kept.set(key, undefined);
      const flow = flowOf();
      const { points: x, logProb } = targetOf();
      work(key, (function* () {
        const gaps = [];
        for (let from = 0; from < logProb.length; from += CHUNK) {
          const part = x.slice(2 * from, 2 * (from + CHUNK));
          flow.logProb(part, part.length / 2).forEach((logP, r) => gaps.push(logProb[from + r] - logP));
          yield;
        }
        kept.set(key, { mean: d3.mean(gaps), error: d3.deviation(gaps) / Math.sqrt(gaps.length) });
        say();
      })());
    }
    return kept.get(key);
  }

  // ------------------------------------------------------------------------------------- a point that was clicked

  /** The way of the clicked x, from z on, and the log-density that adds up along it. */
  function way() {
    if (!state.pick) return null;
    const key = `${state.target}.${state.flow} ${state.pick}`;
    if (way.key !== key) {
      const flow = flowOf();
      const back = flow.path(state.pick, 1, true).reverse(); // z first; logDet is the sum from x on
      const base = flow.base.logProb(back[0].points, 1)[0];
      const gains = back.slice(0, -1).map((stop, k) => stop.logDet[0] - back[k + 1].logDet[0]);
      way.found = { stops: back.map((stop) => stop.points), base, gains, logProb: base + d3.sum(gains) };
      way.key = key;
    }
    return way.found;
  }

  /** Choose the point that is at `place` after `layers` layers. */
  function pick(place, layers) {
    const flow = flowOf();
    let here = Float64Array.from(place);
    for (const layer of flow.layers.slice(layers)) here = layer.forward(here, 1).points;
    choosePoint([...here]);
    draw();
    say();
  }

  /** Choose the place that the flow likes best of those where the target has next to nothing. */
  function findBridge() {
    const target = targetOf();
    const flow = flowOf();
    stop();
    work("bridge", densityOver((x) => flow.logProb(x, x.length / 2), (values, size) => {
      if (size !== data.cells) return;
      const best = d3.maxIndex(values, (logP, i) => (target.density[i] < target.top - EMPTY ? logP : -Infinity));
      const centres = cells(size);
      pick([centres[best % size], centres[Math.floor(best / size)]], depthOf());
    }));
  }

  function choosePoint(x) {
    state.pick = x.map((value) => Math.max(-9, Math.min(9, value)));
    ["x1", "x2"].forEach((id, i) => {
      if (document.activeElement !== at(id)) at(id).value = state.pick[i].toFixed(2);
    });
  }

  function ring(panel, place, colour = "reference") {
    if (!place) return;
    panel.points(place, { colour: "paper", radius: 6 });
    panel.points(place, { colour, radius: 4.5 });
  }

  /** Bars from log p(z) to log p(x), one for each layer. */
  function drawStairs() {
    const found = way();
    const box = at("stairs");
    const svg = d3.select(box).select("svg").empty() ? d3.select(box).append("svg") : d3.select(box).select("svg");
    svg.selectAll("*").remove();
    const [width, height] = [box.clientWidth, box.clientHeight];
    if (!found || !width) return;
    const em = parseFloat(getComputedStyle(box).fontSize);
    const levels = d3.cumsum([found.base, ...found.gains]);
    const target = targetLogProb(state.pick);
    const shown = [...levels, ...(Number.isFinite(target) ? [target] : [])];
    const pad = Math.max(0.5, 0.15 * (d3.max(shown) - d3.min(shown)));
    const y = d3.scaleLinear([d3.min(shown) - pad, d3.max(shown) + pad], [height - 0.6 * em, 0.8 * em]);
    const x = d3.scaleLinear([-1, levels.length], [3 * em, width - 0.5 * em]);
    const step = x(1) - x(0);
    svg.append("g").attr("transform", `translate(${x(-1)},0)`).call(d3.axisLeft(y).ticks(4).tickSizeOuter(0));
    const line = (a, b, level, colour, dash = "") =>
      svg.append("line").attr("x1", a).attr("x2", b).attr("y1", y(level)).attr("y2", y(level))
        .style("stroke", colours[colour]).style("stroke-width", 3).style("stroke-dasharray", dash);
    const label = (words, px, level, colour, anchor, up) =>
      svg.append("text").attr("x", px).attr("y", y(level) + (up ? -0.45 : 1.1) * em).attr("text-anchor", anchor)
        .style("fill", colours[colour]).text(words);
    if (Number.isFinite(target)) line(x(-1), x(levels.length), target, "reference", "6 5");
    found.gains.forEach((gain, k) =>
      svg.append("rect").attr("x", x(k) + 0.5 * step * 0.2).attr("width", Math.max(2, 0.8 * step))
        .attr("y", y(Math.max(levels[k], levels[k + 1]))).attr("height", Math.max(1.5, Math.abs(y(levels[k]) - y(levels[k + 1]))))
        .style("fill", colours[gain > 0 ? "third" : "fourth"]).style("opacity", k < state.depth - 0.001 ? 1 : 0.3));
    const last = levels.length - 1;
    line(x(-1), x(0), levels[0], "z");
    line(x(last), x(last + 1), levels[last], "x");
    label("log p(z)", x(-1) + 0.3 * em, levels[0], "z", "start", levels[0] >= levels[last]);
    label("log p(x)", x(last + 1), levels[last], "x", "end", levels[last] > levels[0]);
    const target2 = Number.isFinite(target) ? ` The target has ${number(target)} there (dashed).` : " The target has nothing there.";
    at("sum").textContent =
      `log p(z) ${number(found.base)}, layers ${number(d3.sum(found.gains), 2, true)}: log p(x) = ${number(found.logProb)} nats.${target2}`;
    box.setAttribute("aria-label", `Staircase of the log-density. ${at("sum").textContent}`);
  }

  // ------------------------------------------------------------------------------------- the stage

  const activeLayer = () => Math.max(0, Math.ceil(state.depth - 1e-9) - 1);

  /** Which coordinate moves at this depth: 0, 1, or null for both. */
  function mover() {
    const { stays, order } = layersShown()[activeLayer()];
    if (stays !== undefined) return 1 - stays;
    if (order) return order[state.depth - activeLayer() > 0.5 ? 1 : 0];
    return null;
  }

  function drawArrows(panel) {
    const [before, after] = push(activeLayer());
    const { order } = layersShown()[activeLayer()];
    const moving = mover();
    const longer = state.flow === "cnf" ? 2 : 1;
    panel.inside((pen) => {
      Object.assign(pen, { strokeStyle: panel.colour("grid"), fillStyle: panel.colour("grid"), lineWidth: 1.2, globalAlpha: 0.8 });
      for (let i = 0; i < before.length; i += 2) {
        const from = [before[i], before[i + 1]];
        const to = [after[i], after[i + 1]];
        if (order && moving === order[0]) to[order[1]] = from[order[1]];
        if (order && moving === order[1]) from[order[0]] = to[order[0]];
        arrow(pen, panel.x(from[0]), panel.y(from[1]), panel.x(from[0] + longer * (to[0] - from[0])), panel.y(from[1] + longer * (to[1] - from[1])));
      }
    });
  }

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

  /** What a layer of this family looks like: the line that stays, or the rails along which all move. */
  function drawMechanism(panel) {
    const { line } = layersShown()[activeLayer()];
    if (line) {
      const [w1, w2, b] = line;
      const size = Math.hypot(w1, w2) || 1;
      const foot = [(-b * w1) / size ** 2, (-b * w2) / size ** 2];
      const along = [(-9 * w2) / size, (9 * w1) / size];
      panel.curve([foot[0] - along[0], foot[1] - along[1], foot[0] + along[0], foot[1] + along[1]], { colour: "reference", width: 2.5 });
    }
    const moving = mover();
    if (moving === null) return;
    for (let place = -3.6; place < 3.7; place += 0.6)
      panel.curve(moving === 1 ? [place, -9, place, 9] : [-9, place, 9, place], { colour: "faint", width: 1 });
  }

  function drawGrid(panel) {
    const moved = gridLines().points(state.depth);
    for (let line = 0; line < 2 * LINES; line++)
      panel.curve(moved.subarray(2 * PER_LINE * line, 2 * PER_LINE * (line + 1)), { colour: "map", width: 1, alpha: 0.75 });
  }

  function pointColours() {
    if (at("by-angle").checked) return once("angles", () => Live.byAngle(noise()));
    const logProb = points().logProb[Math.min(Math.round(state.depth), depthOf())];
    const { top } = targetOf();
    // Dense points stand out from the paper: dark on white, light on black.
    const tone = (v) => Math.max(0, Math.min(1, Math.sqrt(Math.exp(v - top))));
    return Array.from(logProb, (v) => Live.palette.mako[Math.round(255 * (dark.matches ? 0.25 + 0.75 * tone(v) : 0.85 - 0.7 * tone(v)))]);
  }

  function drawStage() {
    const panel = panels.stage;
    panel.clear();
    const moving = state.depth > 0.001;
    if (moving) drawMechanism(panel);
    if (moving && at("arrows").checked) drawArrows(panel);
    panel.points(points().points(state.depth), { colours: pointColours(), radius: 2.2, alpha: 0.85 });
    if (at("grid").checked) drawGrid(panel);
    const found = way();
    if (found) {
      const here = between(found.stops, state.depth);
      const soFar = [...found.stops.slice(0, Math.floor(state.depth) + 1), here].flatMap((stop) => [...stop]);
      panel.curve(found.stops.flatMap((stop) => [...stop]), { colour: "reference", width: 1, alpha: 0.3 });
      panel.curve(soFar, { colour: "reference", width: 1.8 });
      panel.points(soFar, { colour: "reference", radius: 2.5 });
      ring(panel, here);
      ring(panel, found.stops[0], "z");
      ring(panel, found.stops.at(-1), "x");
    }
    const name = state.depth === 0 ? "noise z" : state.depth === depthOf() ? "x: what the flow makes of noise" : null;
    panel.title(name ?? `${state.flow === "cnf" ? "time" : "layer"} ${activeLayer() + 1} of ${depthOf()}`);
  }

  function drawTarget() {
    drawHeat(panels.target, targetOf().density, data.cells);
    ring(panels.target, state.pick);
    panels.target.title(`the target: ${targetOf().title}`);
  }

  function drawNow() {
    draw.frame = undefined;
    if (!panels.stage.width) return;
    const started = performance.now();
    drawStage();
    showDensity();
    drawTarget();
    drawStairs();
    at("depth").value = state.depth;
    at("depth").setAttribute("aria-valuetext", `${number(state.depth, 1)} of ${depthOf()} layers`);
    document.body.dispatchEvent(new CustomEvent("drawn", { detail: { milliseconds: performance.now() - (draw.asked ?? started) } }));
    draw.asked = undefined;
    if (!points().done || !gridLines().done) draw(); // more points arrive
  }

  /** Draw at the next frame; many changes in one frame are drawn once. */
  function draw() {
    draw.asked ??= performance.now();
    draw.frame ??= requestAnimationFrame(drawNow);
  }

  // ------------------------------------------------------------------------------------- words

  const ORDINAL = ["first", "second"];
  const AXIS = ["left and right", "up and down"];

  function aboutLayer() {
    const { line, stays, order } = layersShown()[activeLayer()];
    if (line) {
      const [before, after] = push(activeLayer());
      let outward = 0;
      for (let i = 0; i < before.length; i += 2) {
        const side = line[0] * before[i] + line[1] * before[i + 1] + line[2];
        outward += Math.sign(side) * (line[0] * (after[i] - before[i]) + line[1] * (after[i + 1] - before[i + 1]));
      }
      return `All points slide along one direction, ${outward > 0 ? "away from" : "towards"} the black line; on the line nothing moves. ` +
        "One line and one direction are all that a planar layer has.";
    }
    if (stays !== undefined) {
      const how = state.flow === "nsf" ? "bent by a curve" : "stretched and shifted";
      return `The ${ORDINAL[stays]} coordinate is frozen, points move only ${AXIS[1 - stays]}. ` +
        `Each rail is ${how} in its own way, and only the frozen coordinate says how.`;
    }
    if (order)
      return `One after the other: the ${ORDINAL[order[0]]} coordinate by one rule for all points, ` +
        `then the ${ORDINAL[order[1]]} by a rule that the new ${ORDINAL[order[0]]} one decides.`;
    return "Every point is carried by the wind that the arrows show (drawn twice as long). Neighbours stay neighbours: no path crosses another.";
  }

  function aboutPick() {
    const found = way();
    if (!found) return "";
    const target = targetLogProb(state.pick);
    const thin = Math.exp(targetOf().top - found.logProb);
    if (target < targetOf().top - EMPTY && found.logProb > target + 2 && found.logProb > targetOf().top - 10)
      return ` Your point is on a bridge: the target has next to nothing there, the flow 1/${Math.max(2, Math.round(thin))} of ` +
        "the target's peak. It moves noise without tearing it, so what was one cloud stays connected.";
    return "";
  }

  function say() {
    const gap = missed();
    at("missed").textContent = gap ? `The flow misses ${number(gap.mean, 3)} ± ${number(gap.error, 3)} nats; 0 would be the target itself.` : "";
    const start = "Round noise. Colour is the direction of z: watch where each colour goes.";
    const words = (state.depth === 0 ? start : aboutLayer()) + aboutPick();
    if (at("caption").textContent !== words) at("caption").textContent = words;
  }

  // ------------------------------------------------------------------------------------- controls

  function moveTo(depth) {
    const layer = activeLayer();
    const before = state.depth;
    state.depth = Math.max(0, Math.min(depthOf(), depth));
    if (layer !== activeLayer() || before === 0 || state.depth === 0) say();
    draw();
  }

  const ease = (t) => (state.flow === "cnf" ? t : t * t * (3 - 2 * t));
  let playing = null;

  /** Play to a depth, each layer in its own time. Without motion, whole layers come one by one. */
  function play(to) {
    stop();
    const from = state.depth;
    const way = Math.abs(to - from);
    const started = performance.now();
    const button = at("play");
    playing = {};
    const mine = playing;
    button.textContent = "❚❚ Pause";
    const tick = () => {
      if (playing !== mine) return;
      const gone = Math.min(way, (performance.now() - started) / 1000 / SECONDS[state.flow]);
      const whole = Math.floor(gone);
      const share = still.matches ? Math.floor(gone) : whole + ease(gone - whole);
      moveTo(gone === way ? to : from + Math.sign(to - from) * share);
      if (gone === way) stop();
      else requestAnimationFrame(tick);
    };
    tick();
  }

  function stop() {
    playing = null;
    at("play").textContent = "▶ Play";
  }

  /** Another target or another flow: from noise on, and with a point of the target to follow. */
  function choose(changes) {
    stop();
    Object.assign(state, changes);
    for (const name of ["target", "flow"]) at(`${name}-choice`).querySelector(`[value=${state[name]}]`).checked = true;
    if (changes.target) choosePoint([...targetOf().points.slice(0, 2)]);
    at("depth").max = depthOf();
    at("ticks").textContent = `${depthOf()} ${state.flow === "cnf" ? "steps of time" : "layers"}`;
    state.depth = 0;
    say();
    draw();
    if (still.matches) moveTo(depthOf());
    else play(depthOf());
  }

  function choices(id, names, chosen, make) {
    for (const [key, title] of names) {
      const label = Live.element(at(id), "label");
      const input = Live.element(label, "input", { type: "radio", name: id, value: key });
      make?.(label, key);
      Live.element(label, "span", {}, title);
      input.addEventListener("change", () => chosen(key));
    }
  }

  function thumbnail(label, key) {
    const canvas = Live.element(label, "canvas", { width: 88, height: 88, "aria-hidden": "true" });
    const pen = canvas.getContext("2d");
    pen.fillStyle = "#d55e00";
    const { points: x } = targetOf(key);
    for (let i = 0; i < 2000; i += 2) pen.fillRect(44 + 11 * x[i], 44 - 11 * x[i + 1], 1.6, 1.6);
  }

  /** Read the colours of the page, which may have turned dark. */
  function recolour() {
    const style = getComputedStyle(document.querySelector(".live"));
    for (const name of ["z", "x", "map", "reference", "grid", "faint", "third", "fourth", "paper"])
      colours[name] = style.getPropertyValue(`--live-${name}`).trim();
    draw();
  }

  /** Clicks and arrow keys in a panel choose a point; `layers` says where in the flow the panel stands. */
  function follow(panel, layers) {
    panel.box.addEventListener("click", (event) => {
      const [px, py] = d3.pointer(event, panel.box);
      stop();
      pick([panel.x.invert(px), panel.y.invert(py)], layers());
    });
  }

  function start(given) {
    data = given;
    const axes = { x: WINDOW, y: WINDOW, equal: true, xticks: [-4, -2, 0, 2, 4], yticks: [-4, -2, 0, 2, 4] };
    for (const name of ["stage", "model", "target"])
      panels[name] = new Live.Panel(at(name), axes, colours);
    choices("target-choice", Object.entries(data.targets).map(([key, { title }]) => [key, title]), (target) => choose({ target }), thumbnail);
    choices("flow-choice", Object.entries(data.flows), (flow) => choose({ flow }));
    at("depth").addEventListener("input", () => {
      stop();
      moveTo(Number(at("depth").value));
    });
    at("depth").addEventListener("keydown", (event) => {
      const step = { ArrowRight: 1, ArrowUp: 1, ArrowLeft: -1, ArrowDown: -1 }[event.key];
      if (!step) return;
      event.preventDefault(); // a key goes to the next whole layer
      stop();
      moveTo(step > 0 ? Math.floor(state.depth + 1) : Math.ceil(state.depth - 1));
    });
    at("play").addEventListener("click", () => {
      if (playing) return stop();
      if (state.depth === depthOf()) state.depth = 0;
      play(depthOf());
    });
    at("bridge").addEventListener("click", findBridge);
    at("back").addEventListener("click", () => play(Math.max(0, Math.ceil(state.depth - 1))));
    at("next").addEventListener("click", () => play(Math.min(depthOf(), Math.floor(state.depth + 1))));
    for (const id of ["arrows", "grid", "faint", "by-angle", "by-density"]) at(id).addEventListener("change", draw);
    for (const id of ["x1", "x2"])
      at(id).addEventListener("input", () => {
        const place = [Number(at("x1").value), Number(at("x2").value)];
        if (place.every(Number.isFinite)) pick(place, depthOf());
      });
    // A click between two layers counts as one at the nearer stop.
    follow(panels.stage, () => Math.round(state.depth));
    follow(panels.model, () => Math.round(state.depth));
    follow(panels.target, depthOf);
    dark.addEventListener("change", recolour);
    new ResizeObserver(() => {
      Object.values(panels).forEach((panel) => panel.fit());
      recolour();
    }).observe(at("stage"));
    choose({ target: "moons" });
  }

  return { start, state, data: () => data, work, floats, densityOver, points, way, pick, choose, flowOf };
})();
