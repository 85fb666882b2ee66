// The course's flows in a page, without Python: points go from z to x and back, with log-determinants.
//
//     const flow = Flow.build(spec);                   // spec: what export.py wrote of a flow of flowlib
//     const z = flow.base.sample(2000, Flow.random(0));
//     const {points, logDet} = flow.forward(z, 2000);  // z -> x and log|det dx/dz|
//
// Names, formulas and conventions are flowlib's, so what stands there in scalar.py, planar.py, ... is found
// here under the same name. Points are row-major: coordinate i of point r is points[r * dim + i]. Every
// layer has forward (z -> x) and inverse (x -> z), which take points and their number n and return new
// points and one log-determinant for each.
"use strict";

globalThis.Flow = (() => {
  const LOG_2PI = Math.log(2 * Math.PI);

  // ------------------------------------------------------------------------------------ numbers

  // Numbers as they are given: an array (nested or not), or weights in float32, little endian, in base64.
  function numbers(given) {
    if (typeof given === "number") return Float64Array.of(given);
    if (typeof given !== "string") return Float64Array.from(Array.isArray(given) ? given.flat(2) : given);
    const bytes = Uint8Array.from(atob(given), letter => letter.charCodeAt(0));
    const view = new DataView(bytes.buffer);
    return Float64Array.from({length: bytes.length / 4}, (_, i) => view.getFloat32(4 * i, true));
  }

  // () -> uniform numbers in [0, 1), the same ones for the same seed. (mulberry32, T. Ettinger, 2017)
  function random(seed) {
    let state = seed >>> 0;
    return () => {
      state = (state + 0x6d2b79f5) >>> 0;
      let t = Math.imul(state ^ (state >>> 15), state | 1);
      t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
      return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
    };
  }

  // One standard normal number. (Box and Muller, 1958)
  const normal = uniform => Math.sqrt(-2 * Math.log(1 - uniform())) * Math.cos(2 * Math.PI * uniform());

  function normals(n, seed) {
    const uniform = random(seed);
    return Float64Array.from({length: n}, () => normal(uniform));
  }

  const softplus = a => Math.max(a, 0) + Math.log1p(Math.exp(-Math.abs(a)));
  const sigmoid = a => 1 / (1 + Math.exp(-a));
  const logSigmoid = a => -softplus(-a);
  const tanh = a => 1 - 2 / (1 + Math.exp(2 * a));  // nearly twice as fast as Math.tanh, right to 1e-16

  // Rounded to the nearest number strictly inside (0, 1): far out, a CDF rounds to 0 or 1.
  const openInterval = u => Math.min(Math.max(u, 2.2250738585072014e-308), 1 - Number.EPSILON / 2);

  // The distribution function of a standard normal, right to 1e-7 of itself and, above 0, of its distance
  // from 1. (Press et al., Numerical Recipes, 2nd edition, 6.2: erfc by a Chebyshev fit)
  const FIT = [0.17087277, -0.82215223, 1.48851587, -1.13520398, 0.27886807, -0.18628806, 0.09678418,
               0.37409196, 1.00002368, -1.26551223];
  function normalCDF(a) {
    const far = Math.abs(a) / Math.SQRT2, t = 1 / (1 + far / 2);
    const tail = 0.5 * t * Math.exp(-far * far + FIT.reduce((sum, c) => sum * t + c));
    return a < 0 ? tail : 1 - tail;
  }

  // log Gamma(a): by its recurrence up to 10, then Stirling's series.
  function logGamma(a) {
    let before = 0;
    for (; a < 10; a++) before += Math.log(a);
    return (a - 0.5) * Math.log(a) - a + 0.5 * LOG_2PI + 1 / (12 * a) - 1 / (360 * a ** 3) - before;
  }

  // The root z of an increasing curve in [low, high], to 1e-13: Newton's method; a step that leaves the
  // bracket, or shrinks it too slowly, is replaced by bisection. curve(z, found) sets found[0], the value,
  // and found[1], the slope. (find_root in bijection.py)
  function findRoot(curve, target, low, high) {
    const found = findRoot.found;
    let z = 0.5 * (low + high), lastStep = high - low;
    for (let turn = 0; turn < 150; turn++) {
      curve(z, found);
      const residual = found[0] - target;
      if (residual < 0) low = z; else high = z;
      const newton = z - residual / found[1];
      const good = newton >= low && newton <= high && 2 * Math.abs(newton - z) <= lastStep;
      const following = good ? newton : 0.5 * (low + high);
      lastStep = Math.abs(following - z);
      z = following;
      if (lastStep <= 1e-13 * (1 + Math.abs(z))) return z;
    }
    return NaN;  // the target is no number
  }
  findRoot.found = new Float64Array(2);

  // ------------------------------------------------------------------------------------ nets

  // y[r][o] = bias[o] + sum_k weight[o][k] x[r][k], for outputs o = first ... last - 1 and the first `known`
  // inputs k. Four rows and two outputs at once, as sums that do not wait for each other run side by side: in
  // a trial eight times faster than one by one. What is left over at the ends is computed twice.
  function product(x, {weight, bias, inputs, outputs}, y, n, first = 0, last = outputs, known = inputs) {
    for (let r = 0; r < n; r += 4) {
      const r1 = Math.min(r + 1, n - 1), r2 = Math.min(r + 2, n - 1), r3 = Math.min(r + 3, n - 1);
      const x0 = r * inputs, x1 = r1 * inputs, x2 = r2 * inputs, x3 = r3 * inputs;
      const y0 = r * outputs, y1 = r1 * outputs, y2 = r2 * outputs, y3 = r3 * outputs;
      for (let o = first; o < last; o += 2) {
        const p = Math.min(o + 1, last - 1), u = o * inputs, v = p * inputs;
        let a0 = bias[o], a1 = a0, a2 = a0, a3 = a0, b0 = bias[p], b1 = b0, b2 = b0, b3 = b0;
        for (let k = 0; k < known; k++) {
          const a = weight[u + k], b = weight[v + k];
          const c0 = x[x0 + k], c1 = x[x1 + k], c2 = x[x2 + k], c3 = x[x3 + k];
          a0 += a * c0; a1 += a * c1; a2 += a * c2; a3 += a * c3;
          b0 += b * c0; b1 += b * c1; b2 += b * c2; b3 += b * c3;
        }
        y[y0 + o] = a0; y[y1 + o] = a1; y[y2 + o] = a2; y[y3 + o] = a3;
        y[y0 + p] = b0; y[y1 + p] = b1; y[y2 + p] = b2; y[y3 + p] = b3;
      }
    }
  }

  const ACTIVATIONS = {  // in place, on values[from ... to - 1]
    relu(values, from, to) { for (let i = from; i < to; i++) if (values[i] < 0) values[i] = 0; },
    tanh(values, from, to) { for (let i = from; i < to; i++) values[i] = tanh(values[i]); },
  };

  // A place for n numbers that is kept from call to call: nets allocate nothing while a slider moves.
  function kept() {
    let place = new Float64Array(0);
    return n => (place.length >= n ? place : (place = new Float64Array(n)));
  }

  // The linear layers of a net, first to last, and room for what each computes.
  const linears = layers => layers.map(({weight, bias, inputs, outputs}) =>
    ({weight: numbers(weight), bias: numbers(bias), inputs, outputs, room: kept()}));

  // What a net sees of a value: itself, or of an angle its cosine and its sine.
  function see(value, period, seen, at) {
    if (!period) { seen[at] = value; return; }
    seen[at] = Math.cos(value * 2 * Math.PI / period);
    seen[at + 1] = Math.sin(value * 2 * Math.PI / period);
  }

  // A perceptron: an MLP, or MADE, whose weights come with their masks multiplied in and its units sorted by
  // how many variables they wait for: ready[level][i] units can be computed once i variables are known. An
  // answer is overwritten by the next. (nets.py)
  function perceptron({layers, activation, period, ready}) {
    const levels = linears(layers), last = levels.length - 1, act = ACTIVATIONS[activation];

    // Outputs first ... to - 1 of a level, from its first `known` inputs.
    function compute(level, x, n, first, to, known) {
      const layer = levels[level], {outputs} = layer, y = layer.room(n * outputs);
      if (first < to) product(x, layer, y, n, first, to, known);
      if (level < last) for (let r = 0; r < n; r++) act(y, r * outputs + first, r * outputs + to);
      return y;
    }

    const features = period ? 2 : 1;
    return {
      period, features, inputs: levels[0].inputs, outputs: levels[last].outputs,
      run(seen, n) {
        levels.forEach((layer, level) => { seen = compute(level, seen, n, 0, layer.outputs, layer.inputs); });
        return seen;
      },
      // The `count` parameters of the variable at place i, once those before it are known. Each unit is
      // computed once, at the step when its last input becomes known: all steps together are one run.
      step(seen, n, i, count) {
        let known = i * features;
        for (let level = 0; level < last; level++) {
          seen = compute(level, seen, n, i ? ready[level][i - 1] : 0, ready[level][i], known);
          known = ready[level][i];
        }
        return compute(last, seen, n, i * count, (i + 1) * count, known);
      },
    };
  }

  // v(t, z) by a smooth net of two hidden layers, and the trace of its Jacobian. With the slopes of the
  // activations on diagonals it is tr(W3 S2 W2 S1 W1) = s2^T M s1, and M = W2 * (W1 W3)^T, `middle`, is known
  // beforehand: one product, in any dimension. (VelocityMLP in continuous.py)
  const SLOPES = {tanh: [tanh, (a, h) => 1 - h * h], softplus: [softplus, a => sigmoid(a)]};
  function velocityNet({layers, middle, time, activation}) {
    const [first, second, third, bent] = linears([...layers, middle]), times = numbers(time);
    const [act, slopeOf] = SLOPES[activation], still = first.bias, slopes = [kept(), kept()];

    function hidden(layer, below, n, slope) {
      const values = layer.room(n * layer.outputs);
      product(below, layer, values, n);
      for (let i = 0; i < n * layer.outputs; i++) {
        const a = values[i], h = act(a);
        slope[i] = slopeOf(a, h);
        values[i] = h;
      }
      return values;
    }

    // Sets v (n x dim) and, unless it is null, trace (n).
    return function velocity(t, z, n, v, trace) {
      const {outputs} = second, slope1 = slopes[0](n * first.outputs), slope2 = slopes[1](n * outputs);
      first.bias = still.map((b, k) => b + t * times[k]);
      const h2 = hidden(second, hidden(first, z, n, slope1), n, slope2);
      product(h2, third, v, n);
      if (!trace) return;
      const met = bent.room(n * outputs);
      product(slope1, bent, met, n);
      for (let r = 0, place = 0; r < n; r++) {
        trace[r] = 0;
        for (let k = 0; k < outputs; k++, place++) trace[r] += met[place] * slope2[place];
      }
    };
  }

  // ------------------------------------------------------------------------------------ transformers
  //
  // Increasing functions of one number. `forward(z, params, at, out)` reads its `count` parameters from
  // params[at] on and sets out[0], the x, and out[1], log dx/dz; `inverse` the same from x to z.

  function set(out, value, logSlope) {
    out[0] = value;
    out[1] = logSlope;
  }

  function affineTransformer({lowest, rate}) {  // x = z e^s + t, with s bounded; the parameters are t and raw
    const logScale = raw => lowest - 2 * lowest * sigmoid(raw * rate);
    return {
      count: 2,
      forward(z, params, at, out) {
        const s = logScale(params[at + 1]);
        set(out, z * Math.exp(s) + params[at], s);
      },
      inverse(x, params, at, out) {
        const s = logScale(params[at + 1]);
        set(out, (x - params[at]) * Math.exp(-s), -s);
      },
    };
  }

  // z = x e^s + t: the same, the formula from x to z.
  const affineToZ = spec => swapped(affineTransformer(spec));
  const swapped = ({forward, inverse, ...rest}) => ({...rest, forward: inverse, inverse: forward});

  // What leads through a bin, the unit square: `curve` sets r in [0, 1] and log dz/dx at t in [0, 1], `solve`
  // goes back. s is the bin's height / width; d0 and d1 are the slopes at its ends. (splines.py)
  function curve(s, t, d0, d1, out) {
    const bow = t * (1 - t), bottom = s + (d0 + d1 - 2 * s) * bow;
    const slope = (s / bottom) ** 2 * (d1 * t * t + 2 * s * bow + d0 * (1 - t) ** 2);
    set(out, (s * t * t + d0 * bow) / bottom, Math.log(slope));
  }
  function solve(s, r, d0, d1) {
    const b = d0 - (d0 + d1 - 2 * s) * r;
    const large = Math.abs(b) + Math.sqrt((b - 2 * s * r) ** 2 + 4 * s * s * r * (1 - r));
    return b > 0 ? 2 * s * r / large : large / (2 * (s - b));
  }

  // Knots from K logits: bins that add up to the side of [-1, 1], none below `least` of it.
  function spread(params, at, least, knots) {
    const K = knots.length - 1;
    let most = -Infinity, total = 0, place = -1;
    for (let k = 0; k < K; k++) most = Math.max(most, params[at + k]);
    for (let k = 0; k < K; k++) total += Math.exp(params[at + k] - most);
    for (let k = 0; k < K; k++) {
      knots[k] = place;
      place += Math.exp(params[at + k] - most) / total * (2 - 2 * least * K) + 2 * least;
    }
    knots[K] = 1;
  }

  // z as a function of x, from bin to bin of the square [-bound, bound]^2, and the identity outside. There are
  // K logits of widths, K of heights, and slopes at the inner knots; where x is an angle (`circular`) K slopes,
  // the first for both ends.
  function splineTransformer({bins: K, bound, min_bin, min_slope: least, circular = false}) {
    const [x, z] = [0, 1].map(() => new Float64Array(K + 1)), offset = Math.log(Math.expm1(1 - least));
    const size = (knots, k) => knots[k + 1] - knots[k];

    // The bin of a place on the x or the z axis, in units in which the square is [-1, 1]^2.
    function binOf(knots, place, params, at) {
      spread(params, at, min_bin, x);
      spread(params, at + K, min_bin, z);
      let k = 0;
      while (k < K - 1 && place >= knots[k + 1]) k++;
      return k;
    }
    function slope(params, at, k) {
      const end = k === 0 || k === K;
      if (end && !circular) return 1;
      const raw = params[at + 2 * K + (circular ? k % K : k - 1)];
      return Math.min(softplus(raw + offset) + least, 1 / least);  // a parameter of 0 means slope 1
    }
    return {
      count: 3 * K - (circular ? 0 : 1),
      inverse(value, params, at, out) {
        if (!(Math.abs(value) <= bound)) return set(out, value, 0);
        const place = value / bound, k = binOf(x, place, params, at), width = size(x, k), height = size(z, k);
        curve(height / width, (place - x[k]) / width, slope(params, at, k), slope(params, at, k + 1), out);
        out[0] = bound * (z[k] + height * out[0]);
      },
      forward(value, params, at, out) {
        if (!(Math.abs(value) <= bound)) return set(out, value, 0);
        const place = value / bound, k = binOf(z, place, params, at), width = size(x, k), height = size(z, k);
        const s = height / width, d0 = slope(params, at, k), d1 = slope(params, at, k + 1);
        const t = solve(s, (place - z[k]) / height, d0, d1);
        curve(s, t, d0, d1, out);
        set(out, bound * (x[k] + width * t), -out[1]);
      },
    };
  }

  function circularSpline({shift, ...spec}) {
    const {count, forward, inverse} = splineTransformer({...spec, circular: true}), side = 2 * spec.bound;
    const wrap = angle => angle - side * Math.floor((angle + spec.bound) / side);
    const turn = (params, at) => (shift ? params[at + count] : 0);
    return {
      count: count + (shift ? 1 : 0),
      inverse(x, params, at, out) { inverse(wrap(x - turn(params, at)), params, at, out); },
      forward(z, params, at, out) {
        forward(wrap(z), params, at, out);
        out[0] = wrap(out[0] + turn(params, at));
      },
    };
  }

  const TRANSFORMERS = {affineTransformer, affineToZ, splineTransformer, circularSpline};

  // ------------------------------------------------------------------------------------ layers

  // Where a layer puts its answer: points like those given and one log-determinant for each, zeros so far.
  const blank = (points, n) => ({points: new Float64Array(points.length), logDet: new Float64Array(n)});

  // A layer that treats every number alike: toX(z, i), toZ(x, i), logSlope(z, i) = log dx/dz; i is
  // the number's place in its row.
  function pointwise(toX, toZ, logSlope) {
    const run = (map, sign) => (points, n) => {
      const dim = points.length / n, moved = blank(points, n);
      for (let r = 0, place = 0; r < n; r++)
        for (let i = 0; i < dim; i++, place++) {
          moved.points[place] = map(points[place], i);
          moved.logDet[r] += sign * logSlope((sign > 0 ? points : moved.points)[place], i);
        }
      return moved;
    };
    return {forward: run(toX, 1), inverse: run(toZ, -1)};
  }

  function affine({scale = 1, shift = 0}) {  // x = scale z + shift
    const a = numbers(scale), b = numbers(shift);
    return pointwise(
      (z, i) => a[i % a.length] * z + b[i % b.length],
      (x, i) => (x - b[i % b.length]) / a[i % a.length],
      (z, i) => Math.log(Math.abs(a[i % a.length])),
    );
  }

  const exp = () => pointwise(Math.exp, Math.log, z => z);
  const sigmoidLayer = () => pointwise(z => openInterval(sigmoid(z)), x => Math.log(x) - Math.log1p(-x),
                                       z => logSigmoid(z) + logSigmoid(-z));
  const leakyReLU = ({slope}) => pointwise(z => (z < 0 ? slope * z : z), x => (x < 0 ? x / slope : x),
                                           z => (z < 0 ? Math.log(slope) : 0));

  // x = F(z), the distribution function of a Gaussian mixture, the same for every number. Back there is no
  // formula: a root is found. (scalar.py)
  function mixtureCDF({weights, means, scales}) {
    const K = weights.length, terms = new Float64Array(K), found = new Float64Array(2);
    const logWeights = scales.map((scale, k) => Math.log(weights[k] / scale) - 0.5 * LOG_2PI);
    function logDensity(z) {  // by logarithms: far out, every density rounds to 0
      let most = -Infinity, sum = 0;
      for (let k = 0; k < K; k++) {
        terms[k] = logWeights[k] - 0.5 * ((z - means[k]) / scales[k]) ** 2;
        most = Math.max(most, terms[k]);
      }
      for (let k = 0; k < K; k++) sum += Math.exp(terms[k] - most);
      return most + Math.log(sum);
    }
    function curve(z, out) {
      set(out, 0, Math.exp(logDensity(z)));
      for (let k = 0; k < K; k++) out[0] += weights[k] * normalCDF((z - means[k]) / scales[k]);
    }
    const toX = z => (curve(z, found), openInterval(found[0]));
    // The smallest and the largest double in (0, 1) lie 38 deviations below and 9 above the mean.
    const low = Math.min(...means.map((mean, k) => mean - 38 * scales[k]));
    const high = Math.max(...means.map((mean, k) => mean + 9 * scales[k]));
    return pointwise(toX, x => (x > 0 && x < 1 ? findRoot(curve, x, low, high) : NaN), logDensity);
  }

  function permutation({order}) {  // x_i = z_order[i]
    const dim = order.length, back = order.map((_, i) => order.indexOf(i));
    const run = from => (points, n) => (
      {points: points.map((_, at) => points[at - (at % dim) + from[at % dim]]), logDet: new Float64Array(n)});
    return {forward: run(order), inverse: run(back)};
  }

  // x = W z + shift. (flowlib keeps W as P L U; here its inverse and determinant are computed once.)
  function linear({matrix, shift = 0}) {
    const weight = numbers(matrix), dim = Math.sqrt(weight.length), {inverse, logDet} = inverted(weight, dim);
    const given = numbers(shift), bias = new Float64Array(dim).map((_, i) => given[i % given.length]);
    const none = new Float64Array(dim);
    const run = (weight, before, after, value) => (points, n) => {
      const moved = blank(points, n), centred = points.map((p, at) => p - before[at % dim]);
      product(centred, {weight, bias: after, inputs: dim, outputs: dim}, moved.points, n);
      moved.logDet.fill(value);
      return moved;
    };
    return {forward: run(weight, none, bias, logDet), inverse: run(inverse, bias, none, -logDet)};
  }

  // The inverse of a matrix and log|det|: elimination, always with the largest pivot (Gauss and Jordan).
  function inverted(matrix, dim) {
    const rows = [...Array(dim).keys()].map(i =>
      [...matrix.slice(i * dim, (i + 1) * dim), ...Array.from({length: dim}, (_, k) => Number(k === i))]);
    let logDet = 0;
    for (let k = 0; k < dim; k++) {
      let top = k;
      for (let i = k; i < dim; i++) if (Math.abs(rows[i][k]) > Math.abs(rows[top][k])) top = i;
      [rows[k], rows[top]] = [rows[top], rows[k]];
      const pivot = rows[k][k];
      logDet += Math.log(Math.abs(pivot));
      rows[k] = rows[k].map(value => value / pivot);
      for (let i = 0; i < dim; i++)
        if (i !== k) rows[i] = rows[i].map((value, j) => value - rows[i][k] * rows[k][j]);
    }
    return {inverse: numbers(rows.map(row => row.slice(dim))), logDet};
  }

  // x = z + u' tanh(w.z + b), with u' such that 1 + w.u' > 0. `direction` "density" reads the layer
  // backwards, so that the formula goes from x to z. (planar.py)
  const MIN_SLOPE = 1e-3;
  function planar({w, u, b, direction = "sample"}) {
    const across = numbers(w), free = numbers(u), dim = across.length, [shift] = numbers(b);
    const dot = (a, c) => a.reduce((sum, value, i) => sum + value * c[i], 0);
    const wu = dot(across, free), square = dot(across, across), share = square / (square + 1e-12);
    const least = Math.max(softplus(wu), MIN_SLOPE);
    const constrainedU = free.map((value, i) => value + (least - 1 - wu) * across[i] / (square + 1e-12));
    const lowest = share * least + (1 - share) * (1 + wu), height = lowest - 1;  // the smallest slope; w.u'

    const slope = a => {  // 1 + w.u' (1 - tanh(a)^2), as a sum of positive terms
      const bend = 4 * sigmoid(2 * a) * sigmoid(-2 * a);
      return 1 - bend + lowest * bend;
    };
    const curve = (a, out) => set(out, a + height * tanh(a), slope(a));
    const run = sign => (points, n) => {
      const moved = blank(points, n);
      for (let r = 0; r < n; r++) {
        let a = shift;
        for (let i = 0; i < dim; i++) a += across[i] * points[r * dim + i];
        // Going back, w.x + b = a + w.u' tanh(a) is known, and a is its root.
        if (sign < 0) a = findRoot(curve, a, a - Math.abs(height), a + Math.abs(height));
        const h = sign * tanh(a);
        for (let i = 0; i < dim; i++) moved.points[r * dim + i] = points[r * dim + i] + constrainedU[i] * h;
        moved.logDet[r] = sign * Math.log(slope(a));
      }
      return moved;
    };
    const layer = {forward: run(1), inverse: run(-1), constrainedU};
    return direction === "density" ? invert(layer) : layer;
  }

  // x - z0 = (z - z0) (r + s) / (r + alpha), r = |z - z0|, s = alpha + beta > 0. (planar.py)
  function radial({center, alpha, beta}) {
    const middle = numbers(center), dim = middle.length, s = alpha + beta;
    const run = sign => (points, n) => {
      const moved = blank(points, n);
      for (let row = 0; row < n; row++) {
        const offset = middle.map((m, i) => points[row * dim + i] - m);
        let r = Math.hypot(...offset);
        if (sign < 0) {  // the distance of x, r (r + s) / (r + alpha), is known: a quadratic equation in r
          const half = 0.5 * (r - s), root = Math.sqrt(half * half + alpha * r);
          r = half > 0 ? half + root : alpha * r / (root - half);
        }
        const across = (r + s) / (r + alpha), along = (r * (r + 2 * alpha) + alpha * s) / (r + alpha) ** 2;
        for (let i = 0; i < dim; i++) moved.points[row * dim + i] = middle[i] + across ** sign * offset[i];
        moved.logDet[row] = sign * ((dim - 1) * Math.log(across) + Math.log(along));
      }
      return moved;
    };
    return {forward: run(1), inverse: run(-1)};
  }

  // Moves variable `to` of every row; its parameters begin at params[row * stride + start].
  const out = new Float64Array(2);
  function moveOne(map, points, n, moved, to, params, stride, start) {
    const dim = points.length / n;
    for (let r = 0; r < n; r++) {
      map(points[r * dim + to], params, r * stride + start, out);
      moved.points[r * dim + to] = out[0];
      moved.logDet[r] += out[1];
    }
  }

  // Moves several, whose parameters stand one after another; the others stay.
  function moveAll(map, points, n, variables, count, params, stride) {
    const moved = {points: points.slice(), logDet: new Float64Array(n)};
    variables.forEach((to, k) => moveOne(map, points, n, moved, to, params, stride, k * count));
    return moved;
  }

  // One transformer with its own parameters for each variable. (scalar.py)
  function elementwise({transformer, params}) {
    const {count, forward, inverse} = make(TRANSFORMERS, "transformer", transformer), table = numbers(params);
    const run = map => (points, n) => moveAll(map, points, n, places(points.length / n), count, table, 0);
    return {forward: run(forward), inverse: run(inverse)};
  }
  const places = dim => Array.from({length: dim}, (_, i) => i);

  // What stays (mask true) tells a net how the rest is moved. (coupling.py)
  function coupling({mask, net, transformer}) {
    const {count, forward, inverse} = make(TRANSFORMERS, "transformer", transformer);
    const conditioner = perceptron(net), {features, period, inputs, outputs} = conditioner;
    const dim = mask.length, room = kept();
    const stay = places(dim).filter(i => mask[i]), move = places(dim).filter(i => !mask[i]);
    const run = map => (points, n) => {
      const seen = room(n * inputs);
      for (let r = 0; r < n; r++)
        stay.forEach((i, k) => see(points[r * dim + i], period, seen, r * inputs + k * features));
      return moveAll(map, points, n, move, count, conditioner.run(seen, n), outputs);
    };
    return {forward: run(forward), inverse: run(inverse)};
  }

  // x_i = transformer(z_i; params of x_<i), order[i] being the variable at place i; the net counts places.
  // `inverse` is one pass; `forward` finds one variable after another. (autoregressive.py)
  function autoregressive({order, net, transformer}) {
    const rule = make(TRANSFORMERS, "transformer", transformer), made = perceptron(net), {count} = rule;
    const {features, period, inputs, outputs} = made, dim = order.length, room = kept();
    const show = (x, n, i, seen) => {
      for (let r = 0; r < n; r++) see(x[r * dim + order[i]], period, seen, r * inputs + i * features);
    };
    return {
      inverse(x, n) {
        const seen = room(n * inputs);
        for (let i = 0; i < dim; i++) show(x, n, i, seen);
        return moveAll(rule.inverse, x, n, order, count, made.run(seen, n), outputs);
      },
      forward(z, n) {
        const seen = room(n * inputs), x = blank(z, n);
        for (let i = 0; i < dim; i++) {
          moveOne(rule.forward, z, n, x, order[i], made.step(seen, n, i, count), outputs, i * count);
          show(x.points, n, i, seen);
        }
        return x;
      },
    };
  }

  // x = z(1), dz/dt = v(t, z), by a fixed grid; log|det dx/dz| is the integral of the trace. (continuous.py)
  const FIXED_GRID = {
    euler: [[0], [1]],
    midpoint: [[0, 1 / 2], [0, 1]],
    rk4: [[0, 1 / 2, 1 / 2, 1], [1 / 6, 1 / 3, 1 / 3, 1 / 6]],
  };
  function ode({net, steps = 8, method = "rk4"}) {
    const velocity = velocityNet(net), [nodes, weights] = FIXED_GRID[method];

    // The start and the points after every step of the solver, [{points, logDet}]; without `trace` all
    // log-determinants stay 0.
    function trajectory(points, n, {inverse = false, trace = true} = {}) {
      const size = points.length, stage = new Float64Array(size), v = new Float64Array(size);
      const rate = trace ? new Float64Array(n) : null;
      const [start, dt] = inverse ? [1, -1 / steps] : [0, 1 / steps];
      const stops = [{points: Float64Array.from(points), logDet: new Float64Array(n)}];
      for (let step = 0; step < steps; step++) {
        const at = stops[step], next = {points: at.points.slice(), logDet: at.logDet.slice()};
        nodes.forEach((node, i) => {  // each stage starts from the velocity of the stage before
          for (let k = 0; k < size; k++) stage[k] = node ? at.points[k] + node * dt * v[k] : at.points[k];
          velocity(start + (step + node) * dt, stage, n, v, weights[i] ? rate : null);
          for (let k = 0; k < size; k++) next.points[k] += weights[i] * dt * v[k];
          if (trace && weights[i]) for (let r = 0; r < n; r++) next.logDet[r] += weights[i] * dt * rate[r];
        });
        stops.push(next);
      }
      return stops;
    }
    return {
      velocity, trajectory,
      forward: (z, n) => trajectory(z, n)[steps],
      inverse: (x, n) => trajectory(x, n, {inverse: true})[steps],
    };
  }

  const invert = layer => ({...swapped(layer), name: `Inverse(${layer.name})`});

  const LAYERS = {
    affine, exp, sigmoid: sigmoidLayer, leakyReLU, mixtureCDF, permutation, linear, planar, radial,
    elementwise, coupling, autoregressive, ode, inverse: ({layer}) => invert(make(LAYERS, "layer", layer)),
  };

  // ------------------------------------------------------------------------------------ bases

  // Independent variables: the log-density and a draw of each number, i being its place in its row. Where it
  // has a meaning, `temperature` scales draws about the mean.
  const independent = (dim, logDensity, draw) => ({
    dim,
    logProb(z, n) {
      const total = new Float64Array(n);
      for (let r = 0, place = 0; r < n; r++)
        for (let i = 0; i < dim; i++, place++) total[r] += logDensity(z[place], i);
      return total;
    },
    sample: (n, uniform, temperature = 1) =>
      Float64Array.from({length: n * dim}, (_, place) => draw(uniform, place % dim, temperature)),
  });

  const normalBase = ({dim, mean = Array(dim).fill(0), deviation = Array(dim).fill(1)}) => independent(
    mean.length,
    (z, i) => -0.5 * ((z - mean[i]) / deviation[i]) ** 2 - Math.log(deviation[i]) - 0.5 * LOG_2PI,
    (uniform, i, temperature) => mean[i] + temperature * deviation[i] * normal(uniform),
  );

  const uniformBase = ({low, high}) => independent(
    low.length,
    (z, i) => (z >= low[i] && z <= high[i] ? -Math.log(high[i] - low[i]) : -Infinity),
    (uniform, i) => low[i] + (high[i] - low[i]) * uniform(),
  );

  const anglesBase = ({dim, period = 2 * Math.PI}) =>
    independent(dim, z => z - z - Math.log(period), uniform => period * (uniform() - 0.5));

  function betaBase(spec) {
    const a = numbers(spec.a), b = numbers(spec.b);
    const constant = a.map((_, i) => logGamma(a[i] + b[i]) - logGamma(a[i]) - logGamma(b[i]));
    const logDensity = (z, i) => constant[i] + (a[i] - 1) * Math.log(z) + (b[i] - 1) * Math.log1p(-z);
    return independent(
      a.length,
      (z, i) => (z >= 0 && z <= 1 ? logDensity(z, i) : -Infinity),
      (uniform, i) => 1 / (1 + gamma(b[i], uniform) / gamma(a[i], uniform)),
    );
  }

  // A draw from the Gamma distribution of shape a. (Marsaglia and Tsang, 2000)
  function gamma(a, uniform) {
    if (a < 1) return gamma(a + 1, uniform) * (1 - uniform()) ** (1 / a);
    const d = a - 1 / 3, c = 1 / Math.sqrt(9 * d);
    for (;;) {
      const noise = normal(uniform), v = (1 + c * noise) ** 3;
      if (v > 0 && Math.log(1 - uniform()) < 0.5 * noise * noise + d * (1 - v + Math.log(v))) return d * v;
    }
  }

  function studentTBase({df, mean, scale}) {
    const constant = df.map((f, i) =>
      logGamma((f + 1) / 2) - logGamma(f / 2) - 0.5 * Math.log(Math.PI * f) - Math.log(scale[i]));
    return independent(
      df.length,
      (z, i) => constant[i] - (df[i] + 1) / 2 * Math.log1p(((z - mean[i]) / scale[i]) ** 2 / df[i]),
      (uniform, i, temperature) => {  // Bailey, 1994, as in base.py
        const radius = Math.sqrt(df[i] * Math.expm1(-2 / df[i] * Math.log(1 - uniform())));
        return mean[i] + temperature * scale[i] * radius * Math.cos(2 * Math.PI * uniform());
      },
    );
  }

  const BASES = {
    normal: normalBase, uniform: uniformBase, angles: anglesBase, beta: betaBase, studentT: studentTBase};

  // ------------------------------------------------------------------------------------ flows

  // What a description {kind, ...} describes; what is made already stays.
  function make(makers, what, spec) {
    if (typeof (spec.forward ?? spec.logProb) === "function") return spec;
    const maker = makers[spec.kind], known = Object.keys(makers).join(", ");
    if (!maker) throw new Error(`flow.js knows no ${what} "${spec.kind}", only: ${known}`);
    return {...maker(spec), name: spec.name ?? spec.kind};
  }

  // A flow from its layers, in the order z -> x, and its base: made already, or as export.py describes them.
  function build(spec) {
    const layers = spec.layers.map(layer => make(LAYERS, "layer", layer));
    const base = make(BASES, "base", spec.base);

    // Every stop on the way, the start included, from z to x or back; logDet is the sum so far.
    function path(points, n, back = false) {
      const start = Float64Array.from(points);
      const stops = [{name: back ? "x" : "z", points: start, logDet: new Float64Array(n)}];
      for (const layer of back ? [...layers].reverse() : layers) {
        const before = stops[stops.length - 1];
        const after = (back ? layer.inverse : layer.forward)(before.points, n);
        const logDet = after.logDet.map((term, r) => before.logDet[r] + term);
        stops.push({name: layer.name, points: after.points, logDet});
      }
      return stops;
    }
    const forward = (z, n) => path(z, n)[layers.length], inverse = (x, n) => path(x, n, true)[layers.length];
    return {
      dim: base.dim, base, layers, path, forward, inverse,
      logProb(x, n) {  // log p(x) = log p_base(z) + log|det dz/dx|
        const {points: z, logDet} = inverse(x, n);
        return base.logProb(z, n).map((logP, r) => logP + logDet[r]);
      },
      sample: (n, uniform, temperature = 1) => forward(base.sample(n, uniform, temperature), n).points,
    };
  }

  // Layers made by hand: Flow.affine({scale: [2], shift: [1]}).
  const byHand = Object.keys(LAYERS).map(kind => [kind, spec => make(LAYERS, "layer", {...spec, kind})]);
  // A spline by hand, the same for every number: sizes of its bins, scaled to the side of the square, and its
  // slopes at the knots. The last slope is that of the first knot.
  function spline({widths, heights, slopes, bound}) {
    const {length: bins} = widths, rawSlopes = slopes.map(d => Math.log(Math.expm1(d) / Math.expm1(1)));
    const rule = splineTransformer({bins, bound, min_bin: 0, min_slope: 0, circular: true});
    const params = [...widths.map(Math.log), ...heights.map(Math.log), ...rawSlopes];
    const tell = (map, value, which) => (map(value, params, 0, out), out[which]);
    const toX = z => tell(rule.forward, z, 0), toZ = x => tell(rule.inverse, x, 0);
    return {...pointwise(toX, toZ, z => tell(rule.forward, z, 1)), name: "Spline"};
  }
  return {build, random, normals, invert, spline, ...Object.fromEntries(byHand), base: BASES};
})();
