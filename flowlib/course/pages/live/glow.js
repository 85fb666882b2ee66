/* Lesson 5: whole numbers and their spikes, a Jacobian counted, and digits that Glow made beforehand. */
"use strict";

// --------------------------------------------------------------------------- whole numbers

const LEVELS = d3.range(17);

Live.figure("spikes-slider", {
  title: "One Gaussian on each of 17 levels of a pixel; below, sixty pixels that the model has not seen",
  panels: [{ x: [-1.5, 18.5], y: [-0.09, 1], xlabel: "pixel", xticks: d3.range(0, 18, 2), yticks: [0, 0.5, 1] }],
  controls: [
    { name: "power", label: "log₁₀ width", min: -4, max: 0.5, step: 0.25, value: 0 },
    { name: "noise", label: "noise added", value: false },
  ],
  answer: { power: -1 },
  play: { control: "power", from: 0.5, to: -4, seconds: 9 },
  prepare({ pixels, unseen, some }) {
    const shares = (counts) => counts.map((count) => count / d3.sum(counts));
    const weights = shares(pixels);
    const inside = Live.linspace(0.0025, 0.9975, 200); // the noise in [0, 1), in 200 even parts
    const jitter = Flow.random(0);
    return { weights, unseen: shares(unseen), inside, whole: some, noisy: some.map((pixel) => pixel + jitter()) };
  },
  draw([panel], { power, noise }, { weights, unseen, inside, whole, noisy }) {
    const width = 10 ** power;
    const constant = Math.log(width * Math.sqrt(2 * Math.PI));
    const logDensity = (value) => {
      const terms = LEVELS.map((level) => Math.log(weights[level]) - 0.5 * ((value - level) / width) ** 2);
      const most = d3.max(terms);
      return most + Math.log(d3.sum(terms, (term) => Math.exp(term - most))) - constant;
    };
    // Narrow spikes need points of their own.
    const near = LEVELS.flatMap((level) => Array.from(Live.linspace(-4, 4, 41), (at) => level + width * at));
    const grid = Float64Array.from([...Live.linspace(-2, 19, 400), ...near]).sort();
    panel.area(Live.zip(grid, grid.map((value) => Math.exp(logDensity(value)))), { colour: "map", alpha: 1 });
    for (const pixel of noise ? noisy : whole)
      panel.curve([pixel, -0.06, pixel, -0.03], { colour: "x", width: 2 });
    const score = (level) => (noise ? d3.mean(inside, (u) => logDensity(level + u)) : logDensity(level));
    const mean = d3.sum(LEVELS, (level) => unseen[level] && unseen[level] * score(level));
    const words = noise ? "pixels with noise" : "whole numbers";
    panel.title("density, and sixty unseen pixels");
    return `${words}: ${d3.format(",.4~r")(mean).replace("-", "−")} nats a pixel`;
  },
});

// --------------------------------------------------------------------------- the factor H W

Live.figure("count-slider", {
  title: "The Jacobian of a 1 × 1 convolution of three channels, pixel by pixel, and its log-determinant",
  panels: [
    { x: [0, 1], y: [0, 1], equal: true, xticks: [], yticks: [] },
    { x: [-39, 39], y: [0, 1], xlabel: "log|det|", xticks: [-30, 0, 30], yticks: [] },
  ],
  controls: [
    { name: "side", label: "H = W", min: 1, max: 6, step: 1, value: 1 },
    { name: "stretch", min: -0.35, max: 0.35, step: 0.05, value: 0.3 },
  ],
  answer: { side: 4 },
  play: { control: "side", from: 1, to: 6, seconds: 6 },
  draw([left, right], { side, stretch }, { rotation }) {
    const pixels = side * side;
    const size = 3 * pixels;
    // W, the rotation times e^stretch, once for each pixel, and nothing between pixels. The first row is on top.
    const jacobian = d3.cross(d3.range(size - 1, -1, -1), d3.range(size), (row, column) =>
      Math.floor(row / 3) === Math.floor(column / 3) ? Math.exp(stretch) * rotation[3 * (row % 3) + (column % 3)] : 0);
    left.title(`${size} × ${size}, ${pixels} block${pixels > 1 ? "s" : ""}`);
    left.heat(jacobian, size, size, [0, 1, 0, 1], { low: -1.5, high: 1.5, palette: "vlag", sharp: true });
    const [one, every] = [3 * stretch, 3 * stretch * pixels];
    for (const [value, low, colour, words] of [[one, 0.6, "map", "one W"], [every, 0.15, "x", "all pixels"]]) {
      right.polygon([0, low, value, low, value, low + 0.2, 0, low + 0.2], { colour });
      right.text(-37, low + 0.27, words, { colour, align: "left" });
    }
    right.rule({ x: 0 }, { dash: [], width: 1 });
    return `${Live.number(one, 2, true)} × ${side} · ${side} = ${Live.number(every, 2, true)}`;
  },
});

// --------------------------------------------------------------------------- digits

const DIGIT = 64; // letters of one digit of 8 × 8 pixels

/** Digits side by side on one canvas, ink on paper, with grey gaps; an image is 64 letters, one a pixel. */
function page(letters, columns) {
  const rows = Math.ceil(letters.length / DIGIT / columns);
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [9 * columns - 1, 9 * rows - 1];
  const pen = canvas.getContext("2d");
  pen.fillStyle = "#c7c7c7";
  pen.fillRect(0, 0, canvas.width, canvas.height);
  [...letters].forEach((letter, place) => {
    const [image, pixel] = [Math.floor(place / DIGIT), place % DIGIT];
    const grey = Math.round(255 * (1 - parseInt(letter, 17) / 16));
    pen.fillStyle = `rgb(${grey}, ${grey}, ${grey})`;
    pen.fillRect(9 * (image % columns) + (pixel % 8), 9 * Math.floor(image / columns) + Math.floor(pixel / 8), 1, 1);
  });
  return canvas;
}

const nth = (letters, image) => letters.slice(DIGIT * image, DIGIT * (image + 1));

Live.figure("temperature-slider", {
  title: "Four digits of each class, from the same noise scaled by the temperature",
  below: true,
  panels: [{ x: [0, 89], y: [0, 35], equal: true, xticks: [], yticks: [] }],
  controls: [{ name: "tau", label: "τ", min: 0, max: 1.6, step: 0.05, value: 1 }],
  answer: { tau: 0.7 },
  play: { control: "tau", from: 0, to: 1.6, seconds: 10 },
  draw([panel], { tau }, { temperatures }) {
    const { images, bits } = temperatures[Math.round(20 * tau)];
    panel.picture(page(images, 10), [0, 89, 0, 35], { sharp: true });
    return `τ = ${Live.number(tau)}: ${Live.number(bits)} bits/dim (real digits: 2.09)`;
  },
});

Live.figure("walk-slider", {
  title: "Two digits; between them a blend of their pixels, and the image of a blend of their latents",
  below: true,
  panels: [{ x: [0, 32], y: [-1.5, 8.5], equal: true, xticks: [], yticks: [] }],
  controls: [
    { name: "t", min: -0.2, max: 1.2, step: 0.05, value: 0 },
    { name: "start", label: "from", min: 0, max: 9, step: 1, value: 3 },
    { name: "end", label: "to", min: 0, max: 9, step: 1, value: 8 },
  ],
  answer: { t: 0.5 },
  play: { control: "t", from: -0.2, to: 1.2, seconds: 9 },
  draw([panel], { t, start, end }, { digits, walks }) {
    const [a, b] = [digits[start], digits[end]];
    const mixed = [...a.image].map((letter, pixel) => {
      const [from, to] = [parseInt(letter, 17), parseInt(b.image[pixel], 17)];
      return Math.max(0, Math.min(16, Math.round(from + t * (to - from)))).toString(17);
    });
    // A walk from b to a is the walk from a to b read backwards.
    const place = Math.round(20 * (start < end ? t : 1 - t)) + 4;
    const walk = walks[`${Math.min(start, end)}${Math.max(start, end)}`];
    const between = walk ? nth(walk.images, place) : a.image; // from a digit to itself there is no way
    const [blend, latent] = walk ? [walk.pixels[place], walk.latents[place]] : [a.bits, a.bits];
    const sheets = [
      [a.image, 0, 5, `a: ${start}`], [mixed.join(""), 6, 8.5, "pixels"],
      [between, 15.5, 8.5, "latents"], [b.image, 27, 5, `b: ${end}`],
    ];
    for (const [letters, left, side, words] of sheets) {
      const foot = (8.5 - side) / 2;
      panel.picture(page(letters, 1), [left, left + side, foot, foot + side], { sharp: true });
      panel.text(left + side / 2, foot - 0.8, words);
    }
    return `t = ${Live.number(t)}: pixels ${Live.number(blend, 1)} bits/dim, latents ${Live.number(latent, 1)}`;
  },
});
