// The playground: noise z becomes x, layer by layer.
//
// Drawn with live.js, computed with flow.js. Its data (playground.py): targets with held-out points and
// their exact log-density, flows by "target.flow", and for each layer what its picture needs.
"use strict";

const Playground = (() => {
  const { WINDOW, work } = Travel;
  const N = 2000; // points that move
  const SECONDS = { planar: 0.35, realnvp: 0.9, nsf: 1.3, maf: 1.5, cnf: 0.6 }; // to play one layer
  const still = window.matchMedia("(prefers-reduced-motion: reduce)");
  const dark = window.matchMedia("(prefers-color-scheme: dark)");
  const at = (id) => document.getElementById(id);
  const { number } = Live;

  let data;
  const state = { target: "moons", flow: "planar", depth: 0, pick: null, bridge: null };
  const panels = {};
  const colours = {};

  // ------------------------------------------------------------------------------------- what is chosen

  const kept = new Map();
  /** What `make` makes, made once for each key. */
  function once(key, make) {
    if (!kept.has(key)) kept.set(key, make());
    return kept.get(key);
  }

  const name = () => `${state.target}.${state.flow}`;
  const flowOf = () => once(`flow ${name()}`, () => Flow.build(data.specs[name()]));
  const layersShown = () => data.layers[name()];
  const depthOf = () => layersShown().length;
  const noise = () => once("noise", () => Flow.normals(2 * N, 7));

  const targetOf = (target = state.target) =>
    once(`target ${target}`, () => {
      const { title, parts, ...packed } = data.targets[target];
      const made = Object.fromEntries(Object.entries(packed).map(([key, values]) => [key, Travel.floats(values)]));
      return { title, parts, ...made, top: d3.max(made.density) };
    });

  /** The target's log-density at a point; below what the picture can show it is nothing. */
  function targetLogProb(x) {
    const found = Travel.readOff(targetOf().density, x);
    return found > data.lowest + 5 ? found : -Infinity;
  }

  /** A journey through the flow that is chosen; it starts, if nobody has made it yet. */
  function journey(what, z) {
    const key = `${what} ${name()}`;
    return once(key, () => {
      const made = new Travel.Journey(flowOf(), z());
      work(key, made.walk());
      return made;
    });
  }

  /** Points of a journey, or of a way, at the depth that is chosen. */
  const here = (stops) => Travel.between(stops, state.depth, layersShown()[activeLayer()].order);

  const points = () => journey("points", noise);
  const RAILS = d3.range(-3.6, 3.7, 0.6);
  const LINES = 19;
  const PER_LINE = 61;
  const gridLines = () =>
    journey("grid", () => Live.grid(-3, 3, LINES, PER_LINE).filter((value) => !Number.isNaN(value)));

  /** What one layer does to points of a grid: [before, after], where "before" are its inputs. */
  function push(layer) {
    return once(`push ${layer} ${name()}`, () => {
      const before = Float64Array.from(d3.cross(RAILS, RAILS).flat());
      return [before, flowOf().layers[layer].forward(before, before.length / 2).points];
    });
  }

  // ------------------------------------------------------------------------------------- density

  /** Values for a heat map, 0 to 1. `top` is the largest log-density of the target. */
  const shade = (values, top) =>
    at("faint").checked
      ? values.map((v) => Math.max(0, (v - top + 10) / 10))
      : values.map((v) => Math.sqrt(Math.exp(v - top)));

  function drawHeat(panel, values, size) {
    panel.clear();
    panel.heat(shade(values, targetOf().top), size, size, [...WINDOW, ...WINDOW], { low: 0, high: 1 });
  }

  function showDensity() {
    const layers = Math.round(state.depth);
    const key = `density ${layers} ${name()}`;
    if (showDensity.key !== key && kept.get(key)?.[1] !== data.cells) {
      const flow = flowOf();
      const keep = (...found) => {
        kept.set(key, found);
        draw();
      };
      work(
        "density",
        Travel.densityOver((x) => Travel.logProbAfter(flow, layers, x), data.cells, keep),
      );
    }
    showDensity.key = key;
    showDensity.last = kept.get(key) ?? showDensity.last; // until it is known, the picture before stays
    if (showDensity.last) drawHeat(panels.model, ...showDensity.last);
    ring(panels.model, way().stops[layers]);
    panels.model.title(layers === depthOf() ? "what the flow calls likely" : `density after ${layers} of ${depthOf()}`);
  }

  /** Nats missed on held-out points, with the standard error; undefined until it is known. */
  function missed() {
    const key = `missed ${name()}`;
    if (!kept.has(key)) {
      kept.set(key, undefined);
      const told = (found) => {
        kept.set(key, found);
        say();
      };
      work(key, Travel.missedOn(flowOf(), targetOf().points, targetOf().logProb, told));
    }
    return kept.get(key);
  }

  // ------------------------------------------------------------------------------------- a point that was clicked

  /** The way of the chosen x. */
  function way() {
    const key = `${name()} ${state.pick}`;
    if (way.key !== key) Object.assign(way, { key, found: Travel.wayOf(flowOf(), state.pick) });
    return way.found;
  }

  /** Choose the point that is at `place` after `layers` layers. */
  function pick(place, layers) {
    let x = Float64Array.from(place);
    for (const layer of flowOf().layers.slice(layers)) x = layer.forward(x, 1).points;
    choosePoint([...x]);
    draw();
    say();
  }

  /** Show x, and choose the pass between two parts of the target: where the flow's bridge is thinnest. */
  function findBridge() {
    const flow = flowOf();
    stop();
    moveTo(depthOf());
    at("faint").checked = true;
    const choose = (values, size) => {
      if (size < data.cells) return;
      const pass = Travel.passOf(values, ...targetOf().parts);
      const centres = Travel.cells(size);
      pick([centres[pass % size], centres[Math.floor(pass / size)]], depthOf());
      state.bridge = state.pick;
      say();
    };
    work(
      "bridge",
      Travel.densityOver((x) => flow.logProb(x, x.length / 2), data.cells, choose),
    );
  }

  function choosePoint(x) {
    state.pick = x.map((value) => Math.max(-9, Math.min(9, value)));
    ["x1", "x2"].forEach((id, i) => {
      if (document.activeElement !== at(id)) at(id).value = state.pick[i].toFixed(2);
    });
  }

  function ring(panel, place, colour = "reference") {
    panel.points(place, { colour: "paper", radius: 6 });
    panel.points(place, { colour, radius: 4.5 });
  }

  /** Bars from log p(z) to log p(x), one for each layer. */
  function drawStairs() {
    const { base, gains } = way();
    const box = at("stairs");
    const svg = d3.select(box).select("svg").empty() ? d3.select(box).append("svg") : d3.select(box).select("svg");
    svg.selectAll("*").remove();
    const [width, height] = [box.clientWidth, box.clientHeight];
    if (!width) return;
    const em = parseFloat(getComputedStyle(box).fontSize);
    const levels = d3.cumsum([base, ...gains]);
    const target = targetLogProb(state.pick);
    const shown = [...levels, ...(Number.isFinite(target) ? [target] : [])];
    const pad = Math.max(0.5, 0.15 * (d3.max(shown) - d3.min(shown)));
    const y = d3.scaleLinear([d3.min(shown) - pad, d3.max(shown) + pad], [height - 0.6 * em, 0.8 * em]);
    const x = d3.scaleLinear([-1, levels.length], [3 * em, width - 0.5 * em]);
    const step = x(1) - x(0);
    svg
      .append("g")
      .attr("transform", `translate(${x(-1)},0)`)
      .call(d3.axisLeft(y).ticks(4).tickSizeOuter(0));
    const line = (a, b, level, colour, dash = "") =>
      svg
        .append("line")
        .attr("x1", a)
        .attr("x2", b)
        .attr("y1", y(level))
        .attr("y2", y(level))
        .style("stroke", colours[colour])
        .style("stroke-width", 3)
        .style("stroke-dasharray", dash);
    const label = (words, px, level, colour, anchor, up) =>
      svg
        .append("text")
        .attr("x", px)
        .attr("y", y(level) + (up ? -0.45 : 1.1) * em)
        .attr("text-anchor", anchor)
        .style("fill", colours[colour])
        .text(words);
    if (Number.isFinite(target)) line(x(-1), x(levels.length), target, "reference", "6 5");
    gains.forEach((gain, k) =>
      svg
        .append("rect")
        .attr("x", x(k) + 0.1 * step)
        .attr("width", Math.max(2, 0.8 * step))
        .attr("y", y(Math.max(levels[k], levels[k + 1])))
        .attr("height", Math.max(1.5, Math.abs(y(levels[k]) - y(levels[k + 1]))))
        .style("fill", colours[gain > 0 ? "third" : "fourth"])
        .style("opacity", k < state.depth - 0.001 ? 1 : 0.3),
    );
    const last = levels.length - 1;
    line(x(-1), x(0), levels[0], "z");
    line(x(last), x(last + 1), levels[last], "x");
    label("log p(z)", x(-1) + 0.3 * em, levels[0], "z", "start", levels[0] >= levels[last]);
    label("log p(x)", x(last + 1), levels[last], "x", "end", levels[last] > levels[0]);
  }

  /** The sum that the staircase shows, in words. */
  function aboutSum() {
    const { base, gains, logProb } = way();
    const target = targetLogProb(state.pick);
    return (
      `log p(z) ${number(base)}, layers ${number(d3.sum(gains), 2, true)}: log p(x) = ${number(logProb)} nats. ` +
      (Number.isFinite(target) ? `The target has ${number(target)} there (dashed).` : "The target has nothing there.")
    );
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
      const colour = panel.colour("grid");
      Object.assign(pen, { strokeStyle: colour, fillStyle: colour, lineWidth: 1.2, globalAlpha: 0.8 });
      for (let i = 0; i < before.length; i += 2) {
        const from = [before[i], before[i + 1]];
        const to = [after[i], after[i + 1]];
        if (order && moving === order[0]) to[order[1]] = from[order[1]];
        if (order && moving === order[1]) from[order[0]] = to[order[0]];
        arrow(
          pen,
          panel.x(from[0]),
          panel.y(from[1]),
          panel.x(from[0] + longer * (to[0] - from[0])),
          panel.y(from[1] + longer * (to[1] - from[1])),
        );
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
      panel.curve([foot[0] - along[0], foot[1] - along[1], foot[0] + along[0], foot[1] + along[1]], {
        colour: "reference",
        width: 2.5,
      });
    }
    const moving = mover();
    if (moving === null) return;
    for (const place of RAILS)
      panel.curve(moving === 1 ? [place, -9, place, 9] : [-9, place, 9, place], { colour: "faint", width: 1 });
  }

  function drawGrid(panel) {
    const moved = here(gridLines().stops);
    for (let line = 0; line < 2 * LINES; line++)
      panel.curve(moved.subarray(2 * PER_LINE * line, 2 * PER_LINE * (line + 1)), {
        colour: "map",
        width: 1,
        alpha: 0.75,
      });
  }

  function pointColours() {
    if (at("by-angle").checked) return once("angles", () => Live.byAngle(noise()));
    const logProb = points().logProb[Math.min(Math.round(state.depth), depthOf())];
    const { top } = targetOf();
    // Dense points stand out from the paper: dark on white, light on black.
    const tone = (v) => Math.max(0, Math.min(1, Math.sqrt(Math.exp(v - top))));
    return Array.from(
      logProb,
      (v) => Live.palette.mako[Math.round(255 * (dark.matches ? 0.25 + 0.75 * tone(v) : 0.85 - 0.7 * tone(v)))],
    );
  }

  /** The way of the chosen point: as far as it has come, and faintly the rest. */
  function drawWay(panel) {
    const { stops } = way();
    const flat = (places) => places.flatMap((place) => [...place]);
    const now = here(stops);
    const soFar = flat([...stops.slice(0, Math.floor(state.depth) + 1), now]);
    panel.curve(flat(stops), { colour: "reference", width: 1, alpha: 0.3 });
    panel.curve(soFar, { colour: "reference", width: 1.8 });
    panel.points(soFar, { colour: "reference", radius: 2.5 });
    ring(panel, now);
    ring(panel, stops[0], "z");
    ring(panel, stops.at(-1), "x");
  }

  function drawStage() {
    const panel = panels.stage;
    panel.clear();
    const moving = state.depth > 0.001;
    if (moving) drawMechanism(panel);
    if (moving && at("arrows").checked) drawArrows(panel);
    panel.points(here(points().stops), { colours: pointColours(), radius: 2.2, alpha: 0.85 });
    if (at("grid").checked) drawGrid(panel);
    drawWay(panel);
    const title = `${state.flow === "cnf" ? "time" : "layer"} ${activeLayer() + 1} of ${depthOf()}`;
    panel.title(state.depth === 0 ? "noise z" : state.depth === depthOf() ? "x: what the flow makes of noise" : title);
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
    document.body.dispatchEvent(
      new CustomEvent("drawn", { detail: { milliseconds: performance.now() - (draw.asked ?? started) } }),
    );
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
      return (
        `All points slide along one direction, ${outward > 0 ? "away from" : "towards"} the black line; on the line nothing moves. ` +
        "One line and one direction are all that a planar layer has."
      );
    }
    if (stays !== undefined) {
      const how = state.flow === "nsf" ? "bent by a curve" : "stretched and shifted";
      return (
        `The ${ORDINAL[stays]} coordinate is frozen, points move only ${AXIS[1 - stays]}. ` +
        `Each rail is ${how} in its own way, and only the frozen coordinate says how.`
      );
    }
    if (order)
      return (
        `One after the other: the ${ORDINAL[order[0]]} coordinate by one rule for all points, ` +
        `then the ${ORDINAL[order[1]]} by a rule that the new ${ORDINAL[order[0]]} one decides.`
      );
    return "Every point is carried by the wind that the arrows show (drawn twice as long). Neighbours stay neighbours: no path crosses another.";
  }

  function aboutPick() {
    const { logProb } = way();
    const { top } = targetOf();
    const target = targetLogProb(state.pick);
    const share = (logP) => {
      const times = Math.round(Math.exp(top - logP));
      return times > 1e6 ? "nothing" : times > 1 ? `1/${times}` : "about 1";
    };
    const beside = `of the target's peak the flow has ${share(logProb)} there, the target ${share(target)}.`;
    const whole = "A flow bends noise and never tears it: what was one cloud stays connected.";
    if (state.bridge === state.pick) return ` This is the bridge at its thinnest: ${beside} ${whole}`;
    if (logProb - target > 1.5 && logProb > top - 9) return ` The flow leaks here: ${beside} ${whole}`;
    return "";
  }

  /** Words that screen readers hear when they change. */
  function tell(id, words) {
    if (at(id).textContent !== words) at(id).textContent = words;
  }

  function say() {
    const gap = missed();
    at("missed").textContent = gap
      ? `The flow misses ${number(gap.mean, 3)} ± ${number(gap.error, 3)} nats; 0 would be the target itself.`
      : "";
    const start = "Round noise. Colour is the direction of z: watch where each colour goes.";
    tell("caption", state.depth === 0 ? start : aboutLayer());
    tell("sum", aboutSum() + aboutPick());
    at("stairs").setAttribute("aria-label", `Staircase of the log-density. ${aboutSum()}`);
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
    at("bridge").hidden = !targetOf().parts;
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
    for (const name of ["stage", "model", "target"]) panels[name] = new Live.Panel(at(name), axes, colours);
    choices(
      "target-choice",
      Object.entries(data.targets).map(([key, { title }]) => [key, title]),
      (target) => choose({ target }),
      thumbnail,
    );
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

  return { start, state, data: () => data, points, way, pick, choose, flowOf };
})();
