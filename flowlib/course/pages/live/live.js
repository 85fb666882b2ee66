/* Live figures: panels that draw and controls that move them, in a page without Python and without a network.

   A lesson registers a figure by name, `Live.figure(name, spec)`; a page holds an element for it,
   <div data-live="name">, which `Live.start()` fills. A figure draws itself anew at each change of a control:
   there is no state but `values`, so what is on the screen always belongs to the sliders beside it.

   Points are flat arrays, x and y in turn, as flow.js gives them; NaN lifts the pen of a line.
   Marks are drawn on a canvas, in the order of the calls; axes are SVG, made by d3. */
"use strict";

const Live = (() => {
  const figures = new Map(); // name -> spec
  const COLOURS = ["z", "x", "map", "reference", "grid", "faint", "third", "fourth", "fifth", "sixth"];
  // Twelve places of seaborn's palettes, which flowlib draws densities and differences with.
  const PALETTES = {
    mako: ["#0b0405", "#231526", "#35264c", "#403974", "#3d5296", "#366da0", "#3487a6", "#35a1ab", "#44bcad",
      "#6dd3ad", "#aee3c0", "#def5e5"],
    vlag: ["#2369bd", "#5782bc", "#7e9ac2", "#a3b4cd", "#cad0dd", "#efeef1", "#f7eae8", "#e6c5c3", "#d7a09d",
      "#c87e7b", "#b95b5a", "#a9373b"],
  };
  const tables = Object.fromEntries(
    Object.entries(PALETTES).map(([name, colours]) => [name, d3.quantize(d3.interpolateRgbBasis(colours), 256)]),
  );
  const stillness = window.matchMedia("(prefers-reduced-motion: reduce)");

  /** Register a figure. Its spec:
      title, panels, controls, play   what there is;
      prepare(data)                   made once of the lesson's data, for `draw`;
      draw(panels, values, ready)     draws all panels and returns the headline;
      say(values, ready)              a sentence for a screen reader, where the headline is none;
      drag(panel, x, y, values)       the values that follow a hand in a panel;
      height                          of the panels, in letters, where 22 are too many;
      answer, below                   for a deck: values to set with the answer; words above instead of beside. */
  function figure(name, spec) {
    figures.set(name, spec);
  }

  /** The spec of a figure, begun at other values. */
  function at(name, values) {
    const spec = figures.get(name);
    return { ...spec, controls: spec.controls.map((c) => ({ ...c, value: values[c.name] ?? c.value })) };
  }

  // ------------------------------------------------------------------------------------- small tools

  /** n numbers from `low` to `high`, both included. */
  const linspace = (low, high, n) => Float64Array.from({ length: n }, (_, i) => low + ((high - low) * i) / (n - 1));

  /** Two arrays as one flat array of points. */
  function zip(xs, ys) {
    const points = new Float64Array(2 * xs.length);
    xs.forEach((x, i) => {
      points[2 * i] = x;
      points[2 * i + 1] = ys[i];
    });
    return points;
  }

  /** Points on the way from `a` to `b`, both flat. */
  const lerp = (a, b, share) => Float64Array.from(a, (value, i) => value + share * (b[i] - value));

  /** A number with a true minus; with `sign`, a plus before what is not negative. */
  const number = (value, digits = 2, sign = false) =>
    Number.isFinite(value) ? d3.format(`${sign ? "+" : ""}.${digits}f`)(value) : String(value).replace("-", "−");

  /** A number that may be tiny or huge: 0.42, but 9.4 · 10⁻³. */
  function scientific(value, digits = 1) {
    if (Math.abs(value) >= 0.01 && Math.abs(value) < 1000) return number(value);
    const [mantissa, exponent] = value.toExponential(digits).split("e");
    const raised = [...exponent.replace("+", "")].map((sign) => (sign === "-" ? "⁻" : "⁰¹²³⁴⁵⁶⁷⁸⁹"[sign])).join("");
    return `${mantissa.replace("-", "−")} · 10${raised}`;
  }

  /** A number at an axis: as short as it can be. */
  const tick = (value) => d3.format(Math.abs(value) >= 10000 ? "~s" : ".4~g")(value);

  /** A colour for each point by its direction from the origin. */
  function byAngle(points) {
    const wheel = d3.range(64).map((k) => d3.hcl((360 * k) / 64, 62, 62).formatHex());
    return d3.range(points.length / 2).map((i) => {
      const turn = Math.atan2(points[2 * i + 1], points[2 * i]) / (2 * Math.PI);
      return wheel[Math.floor(64 * (turn + 1)) % 64];
    });
  }

  /** The lines of a square grid, one behind the other: every line bends, if its points are moved. */
  function grid(low, high, lines, perLine = 41) {
    const points = [];
    for (const across of [false, true])
      for (const at of linspace(low, high, lines)) {
        for (const along of linspace(low, high, perLine)) points.push(...(across ? [along, at] : [at, along]));
        points.push(NaN, NaN);
      }
    return Float64Array.from(points);
  }

  /** Values of a grid, row by row from the bottom, as a picture: a pixel for each. */
  function image(values, columns, rows, { low = d3.min(values), high = d3.max(values), palette = "mako" } = {}) {
    const canvas = document.createElement("canvas");
    [canvas.width, canvas.height] = [columns, rows];
    const pen = canvas.getContext("2d");
    const pixels = pen.createImageData(columns, rows);
    const colours = tables[palette].map((colour) => d3.rgb(colour));
    values.forEach((value, i) => {
      const { r, g, b } = colours[Math.max(0, Math.min(255, Math.round((255 * (value - low)) / (high - low)))) || 0];
      const row = rows - 1 - Math.floor(i / columns);
      pixels.data.set([r, g, b, 255], 4 * (row * columns + (i % columns)));
    });
    pen.putImageData(pixels, 0, 0);
    return canvas;
  }

  function element(parent, tag, attributes = {}, words = "") {
    const made = parent.appendChild(document.createElement(tag));
    for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
    if (words) made.textContent = words;
    return made;
  }

  // ------------------------------------------------------------------------------------- a panel

  class Panel {
    /** spec: {x: [low, high], y: [low, high], xlabel, ylabel, xticks, yticks, yright, equal, wide, outside}. */
    constructor(parent, spec, colours) {
      this.spec = spec;
      this.colours = colours;
      const holder = element(parent, "div", { class: "live-panel", style: `flex-grow: ${spec.wide ?? 1}` });
      this.heading = element(holder, "div", { class: "live-title" });
      this.box = element(holder, "div", { class: "live-box" });
      this.canvas = element(this.box, "canvas");
      this.svg = d3.select(this.box).append("svg");
      this.pen = this.canvas.getContext("2d");
      this.view(spec.x, spec.y);
    }

    /** Show this part of the plane. The axes are drawn anew only if it is another one. */
    view(x, y) {
      const wanted = [...x, ...y].join();
      if (wanted === this.shown) return;
      this.shown = wanted;
      this.domain = { x, y };
      if (this.width) this.fit();
    }

    /** Work out scales and axes for the size of the box; false while it has none. */
    fit() {
      const { spec, box } = this;
      const [width, height] = [box.clientWidth, box.clientHeight];
      if (!width || !height) return false;
      const em = parseFloat(getComputedStyle(box).fontSize);
      const { x, y } = this.domain;
      const few = (room) => Math.max(2, Math.min(6, Math.floor(room / (3.4 * em))));
      const ticks = {
        x: spec.xticks ?? d3.ticks(...x, few(width)),
        y: spec.yticks ?? d3.ticks(...y, few(height)),
      };
      const letters = ticks.y.length ? 0.7 + 0.64 * d3.max(ticks.y, (value) => tick(value).length) : 0.4;
      const beside = em * Math.max(letters, ticks.x.length ? 0.9 : 0); // half of the first number below stands here
      const left = beside;
      const bottom = em * ((ticks.x.length ? 1.7 : 0.4) + (spec.outside && spec.xlabel ? 1 : 0));
      const right = spec.yright ? beside : 0.8 * em;
      const top = em * (spec.outside && spec.ylabel ? 1.5 : 0.6);
      let [w, h] = [width - left - right, height - bottom - top];
      if (spec.equal) {
        const unit = Math.min(w / (x[1] - x[0]), h / (y[1] - y[0]));
        [w, h] = [unit * (x[1] - x[0]), unit * (y[1] - y[0])];
      }
      const start = left + (width - left - right - w) / 2;
      this.x = d3.scaleLinear(x, [start, start + w]);
      this.y = d3.scaleLinear(y, [top + h, top]);
      Object.assign(this, { width, height, frame: { start, top, w, h } });
      // A slide may be shown larger than it is laid out; the canvas has the pixels of the screen.
      const ratio = (window.devicePixelRatio || 1) * Math.max(1, box.getBoundingClientRect().width / width);
      this.canvas.width = Math.round(width * ratio);
      this.canvas.height = Math.round(height * ratio);
      this.pen.setTransform(ratio, 0, 0, ratio, 0, 0);
      this.drawAxes(em, ticks);
      return true;
    }

    drawAxes(em, ticks) {
      const { spec, svg, frame } = this;
      svg.selectAll("*").remove();
      const floor = frame.top + frame.h;
      const axis = (make, scale, values, x, y) =>
        svg.append("g").attr("transform", `translate(${x},${y})`).call(
          make(scale).tickSizeOuter(0).tickSizeInner(0.25 * em).tickPadding(0.2 * em).tickValues(values).tickFormat(tick),
        );
      if (ticks.x.length) axis(d3.axisBottom, this.x, ticks.x, 0, floor);
      if (ticks.y.length) axis(d3.axisLeft, this.y, ticks.y, frame.start, 0);
      if (spec.yright) axis(d3.axisRight, this.y, ticks.y, frame.start + frame.w, 0);
      // The name of an axis stands at its end: inside, where no room is lost, or `outside` of what is dark.
      const label = (words, x, y, anchor) =>
        svg.append("text").attr("class", "live-label").attr("text-anchor", anchor).attr("x", x).attr("y", y).text(words);
      const [across, up] = spec.outside ? [floor + 2.5 * em, frame.top - 0.5 * em] : [floor - 0.4 * em, frame.top + 0.8 * em];
      if (spec.xlabel) label(spec.xlabel, frame.start + frame.w - 0.2 * em, across, "end");
      if (spec.ylabel) label(spec.ylabel, frame.start + (spec.outside ? -0.6 : 0.3) * em, up, "start");
    }

    clear() {
      this.pen.clearRect(0, 0, this.width, this.height);
    }

    title(words) {
      if (this.heading.textContent !== words) this.heading.textContent = words;
    }

    /** Everything that is drawn stays in the frame. */
    inside(draw) {
      const { pen, frame } = this;
      pen.save();
      pen.beginPath();
      pen.rect(frame.start, frame.top, frame.w, frame.h);
      pen.clip();
      draw(pen);
      pen.restore();
    }

    colour(name = "map") {
      return this.colours[name] ?? name;
    }

    trace(pen, points, close = false) {
      pen.beginPath();
      let down = false;
      for (let i = 0; i < points.length; i += 2) {
        if (Number.isNaN(points[i]) || Number.isNaN(points[i + 1])) {
          down = false;
          continue;
        }
        const [x, y] = [this.x(points[i]), this.y(points[i + 1])];
        if (down) pen.lineTo(x, y);
        else pen.moveTo(x, y);
        down = true;
      }
      if (close) pen.closePath();
    }

    /** A line through the points. width in pixels; dash as [long, gap]. */
    curve(points, { colour, width = 2, dash = [], alpha = 1 } = {}) {
      this.inside((pen) => {
        this.trace(pen, points);
        Object.assign(pen, { strokeStyle: this.colour(colour), lineWidth: width, globalAlpha: alpha, lineJoin: "round" });
        pen.setLineDash(dash);
        pen.stroke();
      });
    }

    /** What the points enclose. */
    polygon(points, { colour, alpha = 1 } = {}) {
      this.inside((pen) => {
        this.trace(pen, points, true);
        Object.assign(pen, { fillStyle: this.colour(colour), globalAlpha: alpha });
        pen.fill();
      });
    }

    /** From the curve down to `foot`. */
    area(points, { foot = 0, ...style } = {}) {
      const n = points.length;
      this.polygon([points[0], foot, ...points, points[n - 2], foot], { alpha: 0.3, ...style });
    }

    /** Bars of a histogram: `edges`, one more than `heights`. */
    bars(edges, heights, style = {}) {
      heights.forEach((height, i) =>
        this.polygon([edges[i], 0, edges[i], height, edges[i + 1], height, edges[i + 1], 0], { alpha: 0.3, ...style }),
      );
    }

    /** A dot at each point: all in one colour, or each in its own of `colours`. */
    points(points, { colour, colours, radius = 2.5, alpha = 1 } = {}) {
      this.inside((pen) => {
        pen.globalAlpha = alpha;
        pen.fillStyle = this.colour(colour);
        for (let i = 0; i < points.length; i += 2) {
          if (colours) pen.fillStyle = colours[i / 2];
          pen.beginPath();
          pen.arc(this.x(points[i]), this.y(points[i + 1]), radius, 0, 2 * Math.PI);
          pen.fill();
        }
      });
    }

    /** A strip over the whole height, {x: [low, high]}, or over the whole width, {y: [low, high]}. */
    band({ x = this.domain.x, y = this.domain.y }, style = {}) {
      this.polygon([x[0], y[0], x[1], y[0], x[1], y[1], x[0], y[1]], { alpha: 0.25, ...style });
    }

    /** A line across, at one x or one y. */
    rule({ x, y }, style = {}) {
      const { x: across, y: up } = this.domain;
      const ends = y === undefined ? [x, up[0], x, up[1]] : [across[0], y, across[1], y];
      this.curve(ends, { colour: "reference", dash: [8, 6], ...style });
    }

    /** Values of a grid as colours over the box [left, right, bottom, top]; see `Live.image`. */
    heat(values, columns, rows, box, style) {
      this.picture(image(values, columns, rows, style), box, style);
    }

    /** A canvas or an image over the box [left, right, bottom, top]; `sharp` shows its pixels as squares. */
    picture(image, [left, right, bottom, top], { sharp = false } = {}) {
      this.inside((pen) => {
        pen.imageSmoothingEnabled = !sharp;
        pen.drawImage(image, this.x(left), this.y(top), this.x(right) - this.x(left), this.y(bottom) - this.y(top));
      });
    }

    /** Words in the panel; `align` as a canvas knows it. */
    text(x, y, words, { colour, size = 1, align = "center" } = {}) {
      const style = getComputedStyle(this.box);
      Object.assign(this.pen, {
        font: `${size * parseFloat(style.fontSize)}px ${style.fontFamily}`,
        fillStyle: this.colour(colour), textAlign: align, textBaseline: "middle",
      });
      this.pen.fillText(words, this.x(x), this.y(y));
    }
  }

  // ------------------------------------------------------------------------------------- a control

  /** A slider: {name, label, min, max, step, value}; with `power: 10` its place is the logarithm;
      with `options` it stops at each of them. */
  function slider(parent, spec, changed) {
    const stops = spec.options;
    const [low, high, step] = stops ? [0, stops.length - 1, 1] : [spec.min, spec.max, spec.step ?? 1];
    const value = (place) => (stops ? stops[Math.round(place)] : spec.power ? spec.power ** place : place);
    const place = (at) => (stops ? stops.indexOf(at) : spec.power ? Math.log(at) / Math.log(spec.power) : at);
    const digits = spec.digits ?? (spec.power ? 2 : (String(step).split(".")[1] ?? "").length);
    const words = spec.format ?? ((at) => (typeof at === "number" && !stops ? number(at, digits) : String(at)));
    const label = element(parent, "label", { class: "live-slider" });
    element(label, "span", {}, spec.label ?? spec.name);
    const input = element(label, "input", { type: "range", min: low, max: high, step, name: spec.name });
    const output = element(label, "output");
    const show = (at) => {
      input.value = place(at);
      output.textContent = words(at);
      input.setAttribute("aria-valuetext", words(at));
    };
    input.addEventListener("input", () => {
      // Sums of steps are not exact: 0.1 · 3 is shown and used as 0.3.
      const at = value(Number(Number(input.value).toFixed(10)));
      show(at);
      changed(at);
    });
    return show;
  }

  /** A choice of one among few: {name, label, options, value}. */
  function choice(parent, spec, changed) {
    const group = element(parent, "fieldset", { class: "live-choice" });
    element(group, "legend", {}, spec.label ?? spec.name);
    choice.count = (choice.count ?? 0) + 1; // radio buttons belong together by name, in the whole page
    const inputs = spec.options.map((option) => {
      const label = element(group, "label");
      const input = element(label, "input", { type: "radio", name: `${spec.name}-${choice.count}`, value: option });
      element(label, "span", {}, String(option));
      input.addEventListener("change", () => changed(option));
      return input;
    });
    return (value) => inputs.forEach((input, i) => (input.checked = spec.options[i] === value));
  }

  /** Yes or no: {name, label, value: true or false}. */
  function check(parent, spec, changed) {
    const label = element(parent, "label", { class: "live-check" });
    const input = element(label, "input", { type: "checkbox", name: spec.name });
    element(label, "span", {}, spec.label ?? spec.name);
    input.addEventListener("change", () => changed(input.checked));
    return (value) => (input.checked = value);
  }

  function control(parent, spec, changed) {
    if (typeof spec.value === "boolean") return check(parent, spec, changed);
    return spec.options && !spec.slider ? choice(parent, spec, changed) : slider(parent, spec, changed);
  }

  // ------------------------------------------------------------------------------------- a figure

  class Figure {
    constructor(root, name, data) {
      const spec = (this.spec = figures.get(name));
      if (!spec) throw new Error(`no live figure is called ${name}`);
      this.root = root;
      this.data = data;
      this.colours = {};
      this.values = Object.fromEntries(spec.controls.map((c) => [c.name, c.value]));
      root.classList.add("live");
      if (spec.height) root.style.setProperty("--live-height", `${spec.height}em`);
      root.setAttribute("role", "group");
      root.setAttribute("aria-label", spec.title);
      this.headline = element(root, "p", { class: "live-headline" });
      this.stage = element(root, "div", { class: "live-panels", role: "img", "aria-label": spec.title });
      this.panels = spec.panels.map((panel) => new Panel(this.stage, panel, this.colours));
      const controls = element(root, "div", { class: "live-controls" });
      if (spec.play) this.button = element(controls, "button", { type: "button", class: "live-play" }, "▶ Play");
      this.button?.addEventListener("click", () => (this.playing ? this.pause() : this.play()));
      const sliders = element(controls, "div", { class: "live-sliders" });
      this.shows = Object.fromEntries(
        spec.controls.map((c) => [c.name, control(sliders, c, (value) => this.moved({ [c.name]: value }))]),
      );
      this.words = element(root, "p", { class: "live-say", "aria-live": "polite" });
      for (const [key, value] of Object.entries(this.values)) this.shows[key](value);
      if (spec.drag) this.panels.forEach((panel, i) => this.follow(panel, i));
      const sizes = new ResizeObserver(() => this.resize());
      this.panels.forEach((panel) => sizes.observe(panel.box));
    }

    resize() {
      this.panels.forEach((panel) => panel.fit());
      this.recolour();
    }

    /** Read the colours of the page, which may have turned dark. */
    recolour() {
      const style = getComputedStyle(this.root);
      for (const name of COLOURS) this.colours[name] = style.getPropertyValue(`--live-${name}`).trim();
      this.draw();
    }

    /** A person moved something: what was playing stops. */
    moved(values) {
      this.pause();
      this.set(values);
    }

    /** Change values and draw at the next frame; many changes in one frame are drawn once. */
    set(values) {
      Object.assign(this.values, values);
      for (const name of Object.keys(values)) this.shows[name](values[name]);
      this.asked ??= performance.now();
      this.frame ??= requestAnimationFrame(() => this.draw());
    }

    draw() {
      cancelAnimationFrame(this.frame);
      this.frame = undefined;
      if (this.panels.some((panel) => !panel.width)) return; // not on the screen yet
      const { spec } = this;
      this.ready ??= spec.prepare ? spec.prepare(this.data) : this.data;
      this.panels.forEach((panel) => panel.clear());
      const headline = spec.draw(this.panels, this.values, this.ready) ?? "";
      if (this.headline.textContent !== headline) this.headline.textContent = headline;
      const sentence = spec.say ? spec.say(this.values, this.ready) : headline;
      this.stage.setAttribute("aria-label", `${spec.title}. ${sentence}`);
      clearTimeout(this.pending); // a screen reader hears where a slider came to rest, not each stop on the way
      this.pending = setTimeout(() => (this.words.textContent = sentence), 500);
      const milliseconds = performance.now() - (this.asked ?? performance.now());
      this.asked = undefined;
      this.root.dispatchEvent(new CustomEvent("drawn", { detail: { milliseconds } }));
    }

    /** Move one control from end to end. Whole steps are drawn halfway, too, if `smooth`. */
    play() {
      const { control: name, from, to, seconds, smooth = false } = this.spec.play;
      const { step = 1 } = this.spec.controls.find((c) => c.name === name);
      const parts = stillness.matches ? 6 : smooth ? Infinity : Math.round(Math.abs(to - from) / step);
      const started = performance.now();
      this.playing = true;
      this.button.textContent = "❚❚ Pause";
      const tick = () => {
        if (!this.playing) return;
        let share = Math.min(1, (performance.now() - started) / (1000 * seconds));
        if (parts < Infinity) share = Math.floor(share * parts + 1e-9) / parts;
        const at = from + share * (to - from);
        if (at !== this.values[name]) this.set({ [name]: Number(at.toFixed(10)) });
        if (share === 1) this.pause();
        else requestAnimationFrame(tick);
      };
      tick();
    }

    pause() {
      if (!this.playing) return;
      this.playing = false;
      this.button.textContent = "▶ Play";
      const { control: name } = this.spec.play;
      const { step = 1, min = 0 } = this.spec.controls.find((c) => c.name === name);
      const rest = min + step * Math.round((this.values[name] - min) / step);
      this.set({ [name]: Number(rest.toFixed(10)) });
    }

    /** A finger or a mouse in a panel: `spec.drag` says which values follow it. */
    follow(panel, index) {
      const move = (event) => {
        const shown = panel.width / panel.box.getBoundingClientRect().width; // a slide may be scaled
        const [px, py] = d3.pointer(event, panel.box).map((at) => at * shown);
        const values = this.spec.drag(index, panel.x.invert(px), panel.y.invert(py), this.values);
        if (values) this.moved(this.within(values));
      };
      panel.box.classList.add("live-draggable");
      panel.box.addEventListener("pointerdown", (event) => {
        panel.box.setPointerCapture(event.pointerId);
        move(event);
      });
      panel.box.addEventListener("pointermove", (event) => event.buttons && move(event));
    }

    /** Values as their sliders can show them: inside the range, on a step. */
    within(values) {
      const rounded = Object.entries(values).map(([name, value]) => {
        const { min, max, step = 1 } = this.spec.controls.find((c) => c.name === name);
        const place = min + step * Math.round((Math.max(min, Math.min(max, value)) - min) / step);
        return [name, Number(place.toFixed(10))];
      });
      return Object.fromEntries(rounded);
    }
  }

  // ------------------------------------------------------------------------------------- in a page

  const mounted = [];

  function mount(root, name, data) {
    const made = new Figure(root, name, data);
    mounted.push(made);
    return made;
  }

  /** Fill every element with `data-live`, from `Live.data`. */
  function start() {
    for (const root of document.querySelectorAll("[data-live]:not(.live)")) mount(root, root.dataset.live, Live.data);
    document.documentElement.classList.add("live-page"); // stills that a live figure replaces are for print now
  }

  const recolour = () => mounted.forEach((figure) => figure.recolour());
  window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", recolour);
  document.addEventListener("DOMContentLoaded", () =>
    new MutationObserver(recolour).observe(document.body, { attributeFilter: ["data-theme"] }),
  );

  return {
    data: {}, Panel, element, figure, at, mount, mounted, start, linspace, zip, lerp, number, scientific, byAngle, grid, image, palette: tables,
  };
})();
