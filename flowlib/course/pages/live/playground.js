// The playground: noise z becomes x, layer by layer.
//
// Drawn with live.js, marks.js and stairs.js, computed with flow.js. Its data (playground.py): targets with
// points of theirs and the exact log-density of every cell, flows by "target.flow", how much each misses, and for each layer
// what its picture needs.
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
  const state = { target: "moons", flow: "planar", depth: 0, halted: false, pick: null, bridge: null, searching: false };
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
  const wholeLayers = () => Math.floor(state.depth + 1e-9); // that have been applied
  const piece = () => (state.flow === "cnf" ? "time step" : "layer");
  /** A play stops after whole layers; in a MAF, which moves one coordinate after the other, after half ones, too. */
  const pace = () => (state.flow === "maf" ? 0.5 : 1);
  const noise = () => once("noise", () => Flow.normals(2 * N, 7));

  const targetOf = (target = state.target) =>
    once(`target ${target}`, () => {
      const { title, parts, whole, ...packed } = data.targets[target];
      const made = Object.fromEntries(Object.entries(packed).map(([key, values]) => [key, Travel.floats(values)]));
      return { title, parts, whole, ...made, top: d3.max(made.density) };
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
    const layers = wholeLayers();
    const key = `density ${layers} ${name()}`;
    if (showDensity.key !== key && kept.get(key)?.[1] !== Travel.sizes(data.cells).at(-1)) {
      const flow = flowOf();
      const keep = (...found) => {
        kept.set(key, found);
        draw();
      };
      work(
        "density",
        Travel.densityOver((x) => Travel.logProbAfter(flow, layers, x), Travel.sizes(data.cells), keep),
      );
    }
    showDensity.key = key;
    showDensity.last = kept.get(key) ?? showDensity.last; // until it is known, the picture before stays
    if (showDensity.last) drawHeat(panels.model, ...showDensity.last);
    if (!state.searching) Marks.ring(panels.model, way().stops[layers]);
    const title = `density after ${piece()} ${layers} of ${depthOf()}`;
    panels.model.title(layers === depthOf() ? "what the flow calls likely" : title);
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
    state.searching = true;
    at("faint").checked = true;
    moveTo(depthOf());
    say();
    const choose = (values, size) => {
      if (!state.searching) return; // a person has chosen something else
      const pass = Travel.passOf(values, ...targetOf().parts);
      const centres = Travel.cells(size);
      pick([centres[pass % size], centres[Math.floor(pass / size)]], depthOf());
      state.bridge = state.pick;
      say();
    };
    work(
      "bridge",
      Travel.densityOver((x) => flow.logProb(x, x.length / 2), [data.cells], choose),
    );
  }

  function choosePoint(x) {
    state.searching = false;
    state.pick = x.map((value) => Math.max(-9, Math.min(9, value)));
    ["x1", "x2"].forEach((id, i) => {
      if (document.activeElement !== at(id)) at(id).value = state.pick[i].toFixed(2);
    });
  }

  /** The sum that the staircase shows, in words. */
  function aboutSum() {
    const { base, gains, logProb } = way();
    const target = targetLogProb(state.pick);
    return (
      `log p(z) ${number(base)}, ${piece()}s ${number(d3.sum(gains), 2, true)}: log p(x) = ${number(logProb)} nats. ` +
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
        Marks.arrow(
          pen,
          panel.x(from[0]),
          panel.y(from[1]),
          panel.x(from[0] + longer * (to[0] - from[0])),
          panel.y(from[1] + longer * (to[1] - from[1])),
        );
      }
    });
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
        colour: "z",
        width: 1,
        alpha: 0.5,
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

  /** The way of the chosen point: each step fainter than the next, and faintly what is still to come. */
  function drawWay(panel) {
    if (state.searching) return;
    const { stops } = way();
    const layerAt = (depth) => layersShown()[Math.min(Math.floor(depth), depthOf() - 1)];
    const placeAt = (depth) => Travel.between(stops, depth, layerAt(depth).order);
    const depths = d3.range(0, state.depth, pace());
    const soFar = [...depths, state.depth].map(placeAt);
    panel.curve(d3.range(0, depthOf() + 0.1, pace()).flatMap((depth) => [...placeAt(depth)]), {
      colour: "reference",
      width: 1,
      alpha: 0.2,
    });
    depths.forEach((_, k) => {
      const alpha = Math.max(0.15, 0.7 ** (depths.length - 1 - k));
      panel.curve([...soFar[k], ...soFar[k + 1]], { colour: "reference", width: 2, alpha });
      panel.points(soFar[k], { colour: "reference", radius: 2.5, alpha });
    });
    Marks.dot(panel, soFar.at(-1), "reference");
    Marks.dot(panel, stops[0], "z");
    Marks.dot(panel, stops.at(-1), "x");
    if (state.depth > 0.001 && state.depth < depthOf()) Marks.name(panel, soFar.at(-1), "now", "reference", 1.1);
    Marks.name(panel, stops[0], "z", "z", -0.9);
    Marks.name(panel, stops.at(-1), "x", "x", -0.9);
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
    const done = Math.round(100 * (state.depth - wholeLayers()));
    const title = done
      ? `${piece()} ${wholeLayers() + 1} of ${depthOf()}, ${done} % done`
      : `after ${piece()} ${wholeLayers()} of ${depthOf()}`;
    const ends = { 0: "noise z", [depthOf()]: "x: what the flow makes of noise" };
    panel.title((ends[state.depth] ?? title) + (points().done && gridLines().done ? "" : " (computing …)"));
  }

  function drawTarget() {
    drawHeat(panels.target, targetOf().density, data.cells);
    if (!state.searching) Marks.ring(panels.target, state.pick);
    panels.target.title(`the target: ${targetOf().title}`);
  }

  function drawNow() {
    draw.frame = undefined;
    if (!panels.stage.width) return;
    const started = performance.now();
    drawStage();
    showDensity();
    drawTarget();
    at("stairs").style.opacity = state.searching ? 0.2 : 1;
    Stairs.draw(at("stairs"), way(), { depth: state.depth, target: targetLogProb(state.pick), colours });
    at("depth").value = state.depth;
    at("depth").setAttribute("aria-valuetext", `${number(state.depth, 1)} of ${depthOf()} ${piece()}s`);
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

  function aboutLine(line) {
    const outward = Travel.outward(line, ...push(activeLayer()));
    if (Math.abs(outward) < 0.4) return "along the line, which shears space there";
    const slant = Math.abs(outward) < 0.85 ? ", at a slant" : "";
    return outward > 0
      ? `away from the line${slant}, which stretches space there`
      : `towards the line${slant}, which squeezes space there`;
  }

  function aboutLayer() {
    const { line, stays, order } = layersShown()[activeLayer()];
    if (line)
      return (
        "The thick line stays. On its two sides this layer pushes points in opposite directions: " +
        `${aboutLine(line)}. Each layer kinks the cloud along another line, and ${depthOf()} kinks make a bow.`
      );
    if (stays !== undefined) {
      const how = state.flow === "nsf" ? "bent by a curve" : "stretched and shifted";
      return (
        `This layer's mask freezes the ${ORDINAL[stays]} coordinate: points move only ${AXIS[1 - stays]}. ` +
        `Each rail is ${how} as the frozen coordinate decides. The next mask is the other one.`
      );
    }
    if (order) {
      const [first, second] = order.map((coordinate) => ORDINAL[coordinate]);
      return mover() === order[0]
        ? `First half of the layer: the ${first} coordinate moves, ${AXIS[order[0]]}, by one rule for all points.`
        : `Second half of the layer: the ${second} coordinate moves, ${AXIS[order[1]]}. Each rail has its own rule, ` +
            `which the new ${first} one decides: no coordinate stays frozen, but the order counts.`;
    }
    const times = [0, 1].map((end) => number((activeLayer() + end) / depthOf(), 2));
    return (
      `The arrows are the wind from time ${times.join(" to ")}, drawn twice as long; each step has another wind. ` +
      "It carries all points at once, and neighbours stay neighbours."
    );
  }

  /** The flow's score beside the best of the five on this target. */
  function aboutFit() {
    const gapOf = (flow) => data.missed[`${state.target}.${flow}`].mean;
    const best = d3.least(Object.keys(data.flows), gapOf);
    const { mean, error } = data.missed[name()];
    const beside = best === state.flow ? " here" : `: ${data.flows[best][0]}, ${number(gapOf(best), 3)}`;
    return `The flow misses ${number(mean, 3)} ± ${number(error, 3)} nats; best of the five${beside}.`;
  }

  function aboutPick() {
    const { logProb } = way();
    const { top } = targetOf();
    const target = targetLogProb(state.pick);
    const share = (logP) => {
      const times = Math.round(Math.exp(top - logP));
      return times > 1e6 ? "nothing" : times > 1 ? `1 in ${d3.format(",")(Number(times.toPrecision(2)))}` : "about 1";
    };
    const beside = `of the target's peak density the flow has ${share(logProb)} there, the target ${share(target)}.`;
    const whole = "A flow bends noise and never tears it: what was one cloud stays connected.";
    if (state.bridge === state.pick)
      return ` Faint density is shown, too. This is the finished flow's bridge at its thinnest: ${beside} ${whole}`;
    if (logProb - target > 1.5 && logProb > top - 9) return ` The flow leaks here: ${beside} ${whole}`;
    if (way().stops[0].some((value) => Math.abs(value) > 4))
      return " z lies off the picture: noise nearly never starts there, so the flow nearly never comes here.";
    return "";
  }

  /** Words that screen readers hear when they change. */
  function tell(id, words) {
    if (at(id).textContent !== words) at(id).textContent = words;
  }

  function say() {
    at("missed").textContent = aboutFit();
    const start = "Round noise. Colour is the direction of z: watch where each colour goes.";
    tell("caption", `${data.flows[state.flow][1]}. ${state.depth === 0 ? start : aboutLayer()}`);
    const search =
      "Depth goes to the end, faint density is shown. Searching for the thinnest place between two parts …";
    tell("sum", state.searching ? search : aboutSum() + aboutPick());
    at("stairs").setAttribute("aria-label", `Staircase of the log-density. ${aboutSum()}`);
  }

  // ------------------------------------------------------------------------------------- controls

  /** The stop before (-1) or after (+1) this depth. */
  function nextStop(step) {
    const stops = state.depth / pace();
    return Math.max(0, Math.min(depthOf(), pace() * (step > 0 ? Math.floor(stops + 1) : Math.ceil(stops - 1))));
  }

  function moveTo(depth) {
    const scene = () => `${activeLayer()} ${mover()}`;
    const [before, shown] = [state.depth, scene()];
    state.depth = Math.max(0, Math.min(depthOf(), depth));
    if (shown !== scene() || before === 0 || state.depth === 0) say();
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
    state.halted = false;
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

  /** A person wants the picture to stay where it is, also when another flow is chosen. */
  function halt() {
    if (playing) state.halted = true;
    stop();
  }

  function stop() {
    playing = null;
    at("play").textContent = "▶ Play";
  }

  /** Another target or another flow: from noise on, or, where a person has halted, about as deep as before. */
  function choose(changes) {
    stop();
    const share = state.depth / depthOf();
    if (state.bridge) at("faint").checked = false; // ticked for the bridge, which was another flow's
    state.bridge = null;
    state.searching = false;
    Object.assign(state, changes);
    for (const name of ["target", "flow"]) at(`${name}-choice`).querySelector(`[value=${state[name]}]`).checked = true;
    if (changes.target) choosePoint([...targetOf().points.slice(0, 2)]);
    at("depth").max = depthOf();
    at("bridge").hidden = !targetOf().parts;
    at("no-bridge").textContent = targetOf().whole;
    at("ticks").textContent = `${depthOf()} ${piece()}s`;
    at("bar").textContent = `a ${piece()}`;
    state.depth = state.halted ? Math.round(share * depthOf()) : 0;
    say();
    draw();
    if (state.halted) return;
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
      halt();
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
    choices(
      "flow-choice",
      Object.entries(data.flows).map(([key, [title]]) => [key, title]),
      (flow) => choose({ flow }),
      (label, key) => (label.title = data.flows[key][1]),
    );
    at("depth").addEventListener("input", () => {
      stop();
      state.halted = true;
      moveTo(Number(at("depth").value));
    });
    at("depth").addEventListener("keydown", (event) => {
      const step = { ArrowRight: 1, ArrowUp: 1, ArrowLeft: -1, ArrowDown: -1 }[event.key];
      if (!step) return;
      event.preventDefault(); // a key goes to the next stop
      stop();
      state.halted = true;
      moveTo(nextStop(step));
    });
    at("play").addEventListener("click", () => {
      if (playing) return halt();
      if (state.depth === depthOf()) state.depth = 0;
      play(depthOf());
    });
    at("bridge").addEventListener("click", findBridge);
    for (const [id, step] of Object.entries({ back: -1, next: 1 }))
      at(id).addEventListener("click", () => {
        play(nextStop(step));
        state.halted = true;
      });
    for (const id of ["arrows", "grid", "faint", "by-angle", "by-density"]) at(id).addEventListener("change", draw);
    for (const id of ["x1", "x2"])
      at(id).addEventListener("input", () => {
        const place = [Number(at("x1").value), Number(at("x2").value)];
        if (place.every(Number.isFinite)) pick(place, depthOf());
      });
    // A click between two layers counts as one at the nearer stop.
    follow(panels.stage, () => Math.round(state.depth));
    follow(panels.model, wholeLayers);
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
