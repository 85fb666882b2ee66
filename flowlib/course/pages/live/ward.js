// Broken flows, and a healthy one: look, guess, let the laws speak. Each mistake is put into a flow of the
// playground here, where it can be read. Laws are computed in the page, from the flow's two directions alone.
"use strict";

const Ward = (() => {
  const { WINDOW, work, floats, sizes, densityOver } = Travel;
  const { number } = Live;
  const at = (id) => document.getElementById(id);
  const colours = {};
  const panels = {};
  const marks = new Map(); // by patient: guessed or told
  let data;
  let patient;

  // ------------------------------------------------------------------------------------- mistakes

  const healthy = (name) => Flow.build(data.specs[name]);
  const withLayers = (layers) => Flow.build({ base: { kind: "normal", dim: 2 }, layers });
  const withLogDet = (layer, change) => {
    const changed = (run, sign) => (points, n) => {
      const found = run(points, n);
      return {
        points: found.points,
        logDet: found.logDet.map((d, r) => change(d, r, sign > 0 ? found.points : points, sign)),
      };
    };
    return { ...layer, forward: changed(layer.forward, 1), inverse: changed(layer.inverse, -1) };
  };

  /** A planar layer x = z + u' tanh(w·z + b) whose u' divides by |w| where |w|² belongs. */
  function planarByNorm({ w, u, b }) {
    const dot = (p, q) => p[0] * q[0] + p[1] * q[1];
    const wu = dot(w, u);
    const lift = (-1 + Math.log1p(Math.exp(wu)) - wu) / Math.sqrt(dot(w, w)); // right: / dot(w, w)
    const push = [u[0] + lift * w[0], u[1] + lift * w[1]];
    const slope = (a) => 1 + dot(w, push) * (1 - Math.tanh(a) ** 2);
    const each = (solve, sign) => (points, n) => {
      const moved = Float64Array.from(points);
      const logDet = new Float64Array(n);
      for (let r = 0; r < n; r++) {
        const a = solve(w[0] * points[2 * r] + w[1] * points[2 * r + 1] + b);
        moved[2 * r] += sign * push[0] * Math.tanh(a);
        moved[2 * r + 1] += sign * push[1] * Math.tanh(a);
        logDet[r] = sign * Math.log(Math.abs(slope(a)));
      }
      return { points: moved, logDet };
    };
    const root = (target) => {
      let [low, high] = [target - 20, target + 20];
      for (let turn = 0; turn < 60; turn++) {
        const middle = (low + high) / 2;
        if (middle + dot(w, push) * Math.tanh(middle) < target) low = middle;
        else high = middle;
      }
      return (low + high) / 2;
    };
    return { forward: each((a) => a, 1), inverse: each(root, -1) };
  }

  const EDGE = 2;
  const END_SLOPE = 0.2;
  const box = () =>
    Flow.spline({
      bound: EDGE,
      widths: [1, 1, 1, 1],
      heights: [1, 1, 1, 1],
      slopes: [END_SLOPE, 1.1, 0.9, 1.1, END_SLOPE],
    });

  /** The spec of a MAF in which the first variable's parameters see that variable. */
  function seesItself(spec) {
    const layers = spec.layers.map((layer, k) => {
      const net = layer.net.layers;
      const last = net.at(-1);
      const weight = floats(last.weight);
      const own = Flow.normals(weight.length, k);
      const opened = weight.map((value, i) => (value === 0 ? 0.15 * own[i] : value));
      return { ...layer, net: { ...layer.net, layers: [...net.slice(0, -1), { ...last, weight: opened }] } };
    });
    return { ...spec, layers };
  }

  // What may be wrong, and what the laws would say of it. Some of these ail nobody here.
  const DIAGNOSES = {
    sign: {
      says: "The log-determinant enters with the wrong sign.",
      would: "a wrong sign leaves there and back exact, and spoils the log-determinant and the mass",
    },
    order: {
      says: "One of the two directions runs its steps in the wrong order.",
      would:
        "steps in the wrong order are still a bijection with the right log-determinant and mass 1, but of " +
        "another map: there and back fails",
    },
    fold: {
      says: "A constraint is wrong, and the map folds space over itself.",
      would: "a fold sends two z to one x, so there and back fails, and the mass is not 1",
    },
    turns: {
      says: "Every step leaves the same part alone.",
      would: "that breaks no formula; but one coordinate never moves, and stays noise",
    },
    count: {
      says: "A scale acts on several numbers and is counted once.",
      would:
        "a scale that is counted once makes all densities wrong by one factor: the eye sees nothing, but the " +
        "log-determinant is off by the same everywhere, and the mass with it",
    },
    mask: {
      says: "A coordinate helps to decide its own change.",
      would:
        "a variable that decides its own scale makes the Jacobian's diagonal more than that scale: " +
        "log-determinant, mass and the way back all fail",
    },
    coarse: {
      says: "A numerical solution is too rough.",
      would:
        "too few steps miss on the way there and on the way back, and the log-determinant that they add up " +
        "belongs to neither",
    },
    tail: {
      says: "Far from the middle, points move in one way and the log-determinant counts another.",
      would: "the log-determinant fails far from the middle alone, and the mass with it",
    },
    none: {
      says: "Nothing is wrong.",
      would: "all four laws hold then",
    },
    forgotten: {
      says: "One step's log-determinant is left out.",
      would:
        "there and back stays exact, the log-determinant fails almost everywhere, here more and there less, " +
        "and the mass with it",
    },
    noise: {
      says: "Samples start from wider noise than the density assumes.",
      would:
        "all four laws hold then, for they ask about the map and its density; only the two pictures differ",
    },
    constant: {
      says: "The base density lacks its constant, 1/2π.",
      would: "the log-determinant holds then, and the mass is wrong by that constant",
    },
  };

  // `before` and `after` the diagnosis: what is said of the flow; how the wrong line reads beside the right one.
  const PATIENTS = {
    sign: {
      lesson: "1 and 4",
      before: "A RealNVP, trained on two moons.",
      after: "It calls places likely to which it sends few points.",
      wrong: "log_prob = base.log_prob(z) - log_det   # log_det of x → z",
      right: "log_prob = base.log_prob(z) + log_det   # log_det of x → z",
      build: () =>
        withLayers(
          healthy("moons.realnvp").layers.map((layer) => ({ ...layer, inverse: withLogDet(layer, (d) => -d).inverse })),
        ),
    },
    order: {
      lesson: "2",
      before: "An NSF, trained on rings.",
      after: "Its samples and its density are two different things.",
      wrong: "for layer in layers:            z, d = layer.inverse(z)",
      right: "for layer in reversed(layers):  z, d = layer.inverse(z)",
      build() {
        const { layers } = healthy("rings.nsf");
        const inverse = (points, n) =>
          layers.reduce(
            (x, layer) => {
              const { points: z, logDet } = layer.inverse(x.points, n);
              return { points: z, logDet: logDet.map((d, r) => d + x.logDet[r]) };
            },
            { points, logDet: new Float64Array(n) },
          );
        return withLayers([{ forward: withLayers(layers).forward, inverse }]);
      },
    },
    fold: {
      lesson: "3",
      before: "A planar flow, set by hand and not trained.",
      after: "Of its two layers the first folds: follow the colours, some lie on top of each other.",
      wrong: "u_hat = u + (m(w·u) - w·u) * w / |w|",
      right: "u_hat = u + (m(w·u) - w·u) * w / |w|²",
      build: () =>
        withLayers([
          planarByNorm({ w: [0.8, 0.3], u: [-6, -1], b: 0 }),
          planarByNorm({ w: [-0.3, 0.8], u: [1.5, 1], b: 0.3 }),
        ]),
    },
    turns: {
      lesson: "4",
      before: "A RealNVP, trained on two moons until nothing improved.",
      after: "In all four layers the mask freezes x₁.",
      wrong: "Coupling(2, mask, net, affine) for each layer",
      right: "Coupling(2, mask if k % 2 == 0 else ~mask, net, affine) for layer k",
      build: () => Flow.build(data.withoutTurns),
    },
    count: {
      lesson: "5",
      before: "An NSF, trained on a checkerboard.",
      after: "A last layer scales both coordinates by 0.8, and counts only one of them.",
      wrong: "log_det = log_scale.sum()           # one channel, H·W pixels",
      right: "log_det = H * W * log_scale.sum()   # here H·W = 2",
      build: () =>
        withLayers([
          ...healthy("checkerboard.nsf").layers,
          withLogDet(Flow.affine({ scale: [0.8, 0.8], shift: [0, 0] }), (d) => d / 2),
        ]),
    },
    mask: {
      lesson: "6",
      before: "A MAF, trained on a banana.",
      after: "Each first coordinate is scaled by a number that it helps to choose.",
      wrong: "mask = degree_out >= degree_hidden",
      right: "mask = degree_out >  degree_hidden",
      build: () => Flow.build(seesItself(data.specs["banana.maf"])),
    },
    none: {
      lesson: "6",
      before: "A MAF, trained on a checkerboard.",
      after: "It is blurred at the squares' edges: that is a poor fit, and no law forbids it.",
      build: () => healthy("checkerboard.maf"),
    },
    coarse: {
      lesson: "7",
      before: "A CNF, trained on rings.",
      after: "It was trained with eight careful steps and is run with two rough ones.",
      wrong: 'Continuous(net, method="euler", steps=2)',
      right: 'Continuous(net, method="rk4", steps=8)',
      build: () => Flow.build(data.coarse),
    },
    tail: {
      lesson: "8",
      before: "An NSF, trained on spirals.",
      after: "A last layer bends both coordinates by a spline inside the box from −2 to 2: look for its edges.",
      wrong: "where(inside, z, x), log_slope",
      right: "where(inside, z, x), where(inside, log_slope, 0)",
      build: () =>
        withLayers([
          ...healthy("spirals.nsf").layers,
          withLogDet(box(), (d, r, x, sign) =>
            [x[2 * r], x[2 * r + 1]].reduce(
              (sum, value) => sum - (Math.abs(value) > EDGE ? sign * Math.log(END_SLOPE) : 0),
              d,
            ),
          ),
        ]),
    },
  };

  // ------------------------------------------------------------------------------------- laws

  // Tolerances leave room for a healthy CNF, whose eight steps of RK4 are right to about 0.01.
  const TRIES = 300;

  /** Points to try: where the flow puts its samples, and all over the window. */
  function tries(flow) {
    const uniform = Flow.random(3);
    const anywhere = Float64Array.from({ length: TRIES }, () => WINDOW[0] + (WINDOW[1] - WINDOW[0]) * uniform());
    return Float64Array.from([...flow.forward(Flow.normals(TRIES, 5), TRIES / 2).points, ...anywhere]);
  }

  const LAWS = [
    {
      name: "There and back: the inverse of forward is where z was",
      measure(flow) {
        const z = Flow.normals(2 * TRIES, 5);
        const back = flow.inverse(flow.forward(z, TRIES).points, TRIES).points;
        const worst = d3.max(z, (value, i) => Math.abs(value - back[i]));
        return { holds: worst < 0.02, found: `off by ${worst < 0.02 ? "less than 0.02" : number(worst)} at worst` };
      },
    },
    {
      name: "The log-determinant is the logarithm of how areas change",
      measure(flow) {
        const h = 1e-5;
        const x = tries(flow);
        const said = flow.inverse(x, TRIES).logDet;
        const slope = (i) => {
          const moved = (by) =>
            flow.inverse(
              x.map((value, k) => (k % 2 === i ? value + by : value)),
              TRIES,
            ).points;
          const [up, down] = [moved(h), moved(-h)];
          return up.map((value, k) => (value - down[k]) / (2 * h));
        };
        const [a, b] = [slope(0), slope(1)];
        const gaps = Array.from(said, (d, r) =>
          Math.abs(d - Math.log(Math.abs(a[2 * r] * b[2 * r + 1] - a[2 * r + 1] * b[2 * r]))),
        );
        const off = gaps.filter((gap) => !(gap < 0.1)).length;
        // A kink of a net that lies between the two ends of a difference is no mistake.
        return {
          holds: off <= 0.02 * TRIES,
          found:
            `off by ${[0.02, 0.98].map((share) => number(d3.quantile(gaps, share))).join(" to ")} nats; ` +
            `by over 0.1 at ${off} of ${TRIES} points`,
        };
      },
    },
    {
      name: "The density adds up to 1",
      *steps(flow) {
        const side = 120;
        const low = -6;
        const width = 12 / side;
        const centres = d3.range(side).map((i) => low + (i + 0.5) * width);
        let mass = 0;
        for (const x2 of centres) {
          mass +=
            d3.sum(
              flow.logProb(
                Live.zip(
                  centres,
                  centres.map(() => x2),
                ),
                side,
              ),
              Math.exp,
            ) *
            width *
            width;
          yield;
        }
        return { holds: Math.abs(mass - 1) < 0.02, found: number(mass) };
      },
    },
    {
      name: "Every coordinate is moved",
      measure(flow) {
        const z = Flow.normals(2 * TRIES, 5);
        const x = flow.forward(z, TRIES).points;
        const far = [0, 1].map((i) => d3.max(z, (value, k) => (k % 2 === i ? Math.abs(value - x[k]) : 0)));
        return { holds: Math.min(...far) > 1e-6, found: `by at most ${far.map((d) => number(d)).join(" and ")}` };
      },
    },
  ];

  /** Run the laws on a flow, one after another; `told(name, holds, found)` after each. */
  function* examine(flow, told) {
    for (const law of LAWS) {
      const { holds, found } = law.steps ? yield* law.steps(flow) : law.measure(flow);
      told(law.name, holds, found);
      yield;
    }
  }

  const flowOf = (name) => (PATIENTS[name].flow ??= PATIENTS[name].build());

  // ------------------------------------------------------------------------------------- the page

  function see(name) {
    patient = name;
    for (const bed of at("beds").children) bed.setAttribute("aria-pressed", bed.value === name);
    at("history").textContent = PATIENTS[name].before;
    at("verdict").textContent = "";
    at("results").tBodies[0].replaceChildren();
    at("results").hidden = true;
    at("because").hidden = true;
    for (const input of at("diagnoses").querySelectorAll("input")) input.checked = false;
    draw();
  }

  function draw() {
    const flow = flowOf(patient);
    if (!panels.samples.width) return;
    const z = Flow.normals(4000, 7);
    panels.samples.clear();
    panels.samples.points(flow.forward(z, 2000).points, { colours: Live.byAngle(z), radius: 1.8, alpha: 0.85 });
    panels.samples.title("what it samples");
    panels.likely.clear();
    panels.likely.title("what it calls likely");
    work(
      "ward",
      densityOver(
        (x) => flow.logProb(x, x.length / 2),
        sizes(data.cells),
        (values, size) => {
          const top = d3.quantile(values, 0.999);
          panels.likely.heat(
            values.map((v) => Math.sqrt(Math.exp(v - top)) || 0),
            size,
            size,
            [...WINDOW, ...WINDOW],
            { low: 0, high: 1 },
          );
        },
      ),
    );
  }

  function runLaws() {
    const body = at("results").tBodies[0];
    body.replaceChildren();
    at("results").hidden = false;
    at("because").hidden = true;
    const verdicts = [];
    work(
      "laws",
      examine(flowOf(patient), (name, holds, found) => {
        const row = body.insertRow();
        Live.element(row, "th", { scope: "row" }, name);
        Live.element(row, "td", {}, found);
        Live.element(row, "td", holds ? {} : { class: "broken" }, holds ? "holds" : "broken");
        verdicts.push(holds);
        const [, areas, mass] = verdicts;
        at("because").hidden = !(areas && mass === false);
      }),
    );
  }

  function guess(name) {
    if (name === patient) return tell("Right: ");
    at("verdict").textContent = `Not quite: ${DIAGNOSES[name].would}. Run the laws and compare.`;
  }

  function tell(opening = "") {
    const { after, wrong, right, lesson } = PATIENTS[patient];
    const { says, would } = DIAGNOSES[patient];
    const finding = opening ? opening + says[0].toLowerCase() + says.slice(1) : says;
    at("verdict").textContent = `${finding} ${after} In general, ${would}. More in lesson ${lesson}.`;
    if (wrong) Live.element(at("verdict"), "code", {}, `wrong:  ${wrong}\nright:  ${right}`);
    if (!marks.has(patient)) marks.set(patient, opening ? "✓" : "(told)");
    for (const bed of at("beds").children)
      if (marks.has(bed.value)) bed.textContent = `${bed.dataset.number} ${marks.get(bed.value)}`;
  }

  function start(given) {
    data = given;
    Object.keys(PATIENTS).forEach((name, k) => {
      const bed = Live.element(
        at("beds"),
        "button",
        { type: "button", value: name, "data-number": `Flow ${k + 1}` },
        `Flow ${k + 1}`,
      );
      bed.addEventListener("click", () => see(name));
    });
    for (const name of Object.keys(DIAGNOSES).sort((a, b) => d3.ascending(DIAGNOSES[a].says, DIAGNOSES[b].says))) {
      const label = Live.element(at("diagnoses"), "label");
      const input = Live.element(label, "input", { type: "radio", name: "diagnosis", value: name });
      Live.element(label, "span", {}, DIAGNOSES[name].says);
      input.addEventListener("change", () => guess(name));
    }
    at("laws").addEventListener("click", runLaws);
    at("tell").addEventListener("click", () => tell());
    const axes = { x: WINDOW, y: WINDOW, equal: true, xticks: [-4, -2, 0, 2, 4], yticks: [-4, -2, 0, 2, 4] };
    for (const name of ["samples", "likely"]) panels[name] = new Live.Panel(at(name), axes, colours);
    see("sign");
    new ResizeObserver(() => {
      Object.values(panels).forEach((panel) => panel.fit());
      draw();
    }).observe(at("samples"));
  }

  return { start, PATIENTS, examine, flowOf };
})();
