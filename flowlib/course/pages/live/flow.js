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
  const tanh = a => 1 - 2 / (1 + Math.exp(2 * a));  // three times faster than Math.tanh, right to 1e-16

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

  // log Gamma(a), a > 0. (Lanczos, 1964, with g = 7 and nine terms)
  const LANCZOS = [0.99999999999980993, 676.5203681218851, -1259.1392167224028, 771.32342877765313,
                   -176.61502916214059, 12.507343278686905, -0.13857109526572012, 9.9843695780195716e-6,
                   1.5056327351493116e-7];
  function logGamma(a) {
    const t = a + 6.5;
    const sum = LANCZOS.reduce((total, c, k) => total + c / (a - 1 + k));
    return 0.5 * LOG_2PI + (a - 0.5) * Math.log(t) - t + Math.log(sum);
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
  // inputs k. Four rows and two outputs at once: a number once read is used four times or twice, which is
  // 2.5 times faster than one by one. What is left over at the ends is computed twice.
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

  // A place for n numbers that is kept from call to call: nothing is allocated while a slider moves.
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
  // activations in diagonal matrices it is tr(W3 S2 W2 S1 W1) = s2^T M s1, where M = W2 * (W1 W3)^T is known
  // beforehand: one product, in any dimension. (VelocityMLP in continuous.py)
  const SLOPES = {tanh: [tanh, (a, h) => 1 - h * h], softplus: [softplus, a => sigmoid(a)]};
  function velocityNet({layers, time, activation = "tanh"}) {
    const [first, second, third] = linears(layers), dim = third.outputs, times = numbers(time);
    const [act, slopeOf] = SLOPES[activation], still = first.bias;
    const middle = {...second, bias: new Float64Array(second.outputs), room: kept()};
    middle.weight = second.weight.map((w, place) => {
      const o = Math.floor(place / second.inputs), k = place % second.inputs;
      let sum = 0;
      for (let i = 0; i < dim; i++) sum += first.weight[k * dim + i] * third.weight[i * third.inputs + o];
      return w * sum;
    });
    const slopes = [kept(), kept()];

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
      const met = middle.room(n * outputs);
      product(slope1, middle, met, n);
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

  function affineTransformer({lowest, rate}) {  // x = z e^s + t, s = lowest + width sigmoid(rate raw)
    const logScale = raw => lowest - 2 * lowest * sigmoid(raw * rate);
    return {
      count: 2,
      forward(z, params, at, out) {
        const s = logScale(params[at + 1]);
        out[0] = z * Math.exp(s) + params[at];
        out[1] = s;
      },
      inverse(x, params, at, out) {
        const s = logScale(params[at + 1]);
        out[0] = (x - params[at]) * Math.exp(-s);
        out[1] = -s;
      },
    };
  }

  function affineToZ(spec) {  // z = x e^s + t: the same, the formula from x to z
    const {count, forward, inverse} = affineTransformer(spec);
    return {count, forward: inverse, inverse: forward};
  }

  // What leads through a bin, the unit square: `curve` sets r in [0, 1] and log dz/dx at t in [0, 1], `solve`
  // goes back. s is the bin's height / width; d0 and d1 are the slopes at its ends. (splines.py)
  const PIECES = {
    linear: {
      curve(s, t, d0, d1, out) { out[0] = t; out[1] = Math.log(s); },
      solve: (s, r) => r,
    },
    rational: {  // Durkan et al., 2019, equations 4 and 5
      curve(s, t, d0, d1, out) {
        const bow = t * (1 - t), bottom = s + (d0 + d1 - 2 * s) * bow;
        out[0] = (s * t * t + d0 * bow) / bottom;
        out[1] = Math.log((s / bottom) ** 2 * (d1 * t * t + 2 * s * bow + d0 * (1 - t) ** 2));
      },
      solve(s, r, d0, d1) {  // the root of a quadratic, written so that nothing cancels
        const b = d0 - (d0 + d1 - 2 * s) * r;
        const large = Math.abs(b) + Math.sqrt((b - 2 * s * r) ** 2 + 4 * s * s * r * (1 - r));
        return b > 0 ? 2 * s * r / large : large / (2 * (s - b));
      },
    },
  };

  // z as a function of x, from bin to bin of the square [-bound, bound]^2, and the identity outside.
  // setKnots(params, at, knots) says where the knots lie, in units in which the square is [-1, 1]^2; a slope
  // is read through slopeOf, at the two ends of the bin that is needed.
  function piecewise({count, bins, bound, pieces, setKnots, slopeOf = slope => slope}) {
    const [x, z, slope] = [0, 1, 2].map(() => new Float64Array(bins + 1)), knots = {x, z, slope};
    const {curve, solve} = PIECES[pieces], bin = {x0: 0, width: 0, z0: 0, height: 0, d0: 0, d1: 0};

    // Finds the bin of a place on the x or the z axis; false, and the identity, outside.
    function enter(ends, value, params, at, out) {
      out[0] = value;
      out[1] = 0;
      if (!(Math.abs(value) <= bound)) return false;
      setKnots(params, at, knots);
      let k = 0;
      while (k < bins - 1 && value / bound >= ends[k + 1]) k++;
      bin.x0 = x[k];
      bin.z0 = z[k];
      bin.width = x[k + 1] - x[k];
      bin.height = z[k + 1] - z[k];
      bin.d0 = slopeOf(slope[k]);
      bin.d1 = slopeOf(slope[k + 1]);
      return true;
    }
    return {
      count,
      inverse(value, params, at, out) {
        if (!enter(x, value, params, at, out)) return;
        const {x0, width, z0, height, d0, d1} = bin;
        curve(height / width, (value / bound - x0) / width, d0, d1, out);
        out[0] = bound * (z0 + height * out[0]);
      },
      forward(value, params, at, out) {
        if (!enter(z, value, params, at, out)) return;
        const {x0, width, z0, height, d0, d1} = bin, s = height / width;
        const t = solve(s, (value / bound - z0) / height, d0, d1);
        curve(s, t, d0, d1, out);
        out[0] = bound * (x0 + width * t);
        out[1] = -out[1];
      },
    };
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

  // A rational-quadratic spline: K logits of widths, K of heights, slopes at the inner knots. Where x is an
  // angle (`circular`) there are K slopes, one for both ends, and what follows turns the circle.
  function splineTransformer({bins: K, bound, min_bin, min_slope: least, circular = false}) {
    const offset = Math.log(Math.expm1(1 - least));  // a parameter of 0 means slope 1
    return piecewise({
      count: 3 * K - (circular ? 0 : 1), bins: K, bound, pieces: "rational",
      slopeOf: raw => Math.min(softplus(raw + offset) + least, 1 / least),
      setKnots(params, at, {x, z, slope}) {
        spread(params, at, min_bin, x);
        spread(params, at + K, min_bin, z);
        const first = circular ? 0 : 1;
        for (let k = first; k < K; k++) slope[k] = params[at + 2 * K + k - first];
        slope[K] = slope[0];  // 0 unless the curve closes a circle
      },
    });
  }

  function circularSpline({shift, ...spec}) {
    const {count, ...spline} = splineTransformer({...spec, circular: true}), side = 2 * spec.bound;
    const wrap = angle => angle - side * Math.floor((angle + spec.bound) / side);
    const turn = (params, at) => (shift ? params[at + count] : 0);
    return {
      count: count + (shift ? 1 : 0),
      inverse(x, params, at, out) { spline.inverse(wrap(x - turn(params, at)), params, at, out); },
      forward(z, params, at, out) {
        spline.forward(wrap(z), params, at, out);
        out[0] = wrap(out[0] + turn(params, at));
      },
    };
  }

  // Knots as they are: sizes of bins, scaled to the side of the square, and slopes at all K + 1 knots.
  function fixedKnots({widths, heights, slopes, bound = 5, pieces = "rational"}) {
    const ends = sizes => {
      const total = sizes.reduce((sum, size) => sum + size), places = [-1];
      for (const size of sizes) places.push(places[places.length - 1] + 2 * size / total);
      return places;
    };
    const x = ends(widths), z = ends(heights);
    return piecewise({count: 0, bins: widths.length, bound, pieces, setKnots(params, at, knots) {
      knots.x.set(x);
      knots.z.set(z);
      if (slopes) knots.slope.set(slopes);
    }});
  }

  const TRANSFORMERS = {affineTransformer, affineToZ, splineTransformer, circularSpline, fixedKnots};

  // ------------------------------------------------------------------------------------ layers

  // A layer that treats every number alike: toX(z, i), toZ(x, i), logSlope(z, i) = log dx/dz; i is
  // the number's place in its row.
  function pointwise(toX, toZ, logSlope) {
    const run = (map, sign) => (points, n) => {
      const dim = points.length / n, moved = new Float64Array(points.length), logDet = new Float64Array(n);
      for (let r = 0, place = 0; r < n; r++)
        for (let i = 0; i < dim; i++, place++) {
          moved[place] = map(points[place], i);
          logDet[r] += sign * logSlope(sign > 0 ? points[place] : moved[place], i);
        }
      return {points: moved, logDet};
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
    const K = weights.length;
    function curve(z, found) {
      found[0] = found[1] = 0;
      for (let k = 0; k < K; k++) {
        const a = (z - means[k]) / scales[k];
        found[0] += weights[k] * normalCDF(a);
        found[1] += weights[k] * Math.exp(-0.5 * a * a - 0.5 * LOG_2PI) / scales[k];
      }
    }
    function logDensity(z) {  // log sum exp: far out, every density is 0
      const terms = means.map((mean, k) =>
        Math.log(weights[k]) - 0.5 * ((z - mean) / scales[k]) ** 2 - 0.5 * LOG_2PI - Math.log(scales[k]));
      const most = Math.max(...terms);
      return most + Math.log(terms.reduce((sum, term) => sum + Math.exp(term - most), 0));
    }
    // The smallest and the largest double in (0, 1) lie 38 deviations below and 9 above the mean.
    const low = Math.min(...means.map((mean, k) => mean - 38 * scales[k]));
    const high = Math.max(...means.map((mean, k) => mean + 9 * scales[k])), found = new Float64Array(2);
    const toX = z => {
      curve(z, found);
      return openInterval(found[0]);
    };
    return pointwise(toX, x => (x > 0 && x < 1 ? findRoot(curve, x, low, high) : NaN), logDensity);
  }

  function permutation({order}) {  // x_i = z_order[i]
    const dim = order.length, back = order.map((_, i) => order.indexOf(i));
    const run = from => (points, n) => (
      {points: points.map((_, at) => points[at - (at % dim) + from[at % dim]]), logDet: new Float64Array(n)});
    return {forward: run(order), inverse: run(back)};
  }

  // x = W z + shift. flowlib keeps W as P L U; here W is given, and its inverse and determinant are computed once.
  function linear({matrix, shift = 0}) {
    const weight = numbers(matrix), dim = Math.sqrt(weight.length), {inverse, logDet} = inverted(weight, dim);
    const bias = new Float64Array(dim).map((_, i) => (shift.length ? shift[i] : shift));
    const none = new Float64Array(dim), size = {inputs: dim, outputs: dim};
    const run = (layer, before, value) => (points, n) => {
      const moved = new Float64Array(n * dim);
      product(points.map((p, at) => p - before[at % dim]), {...size, ...layer}, moved, n);
      return {points: moved, logDet: new Float64Array(n).fill(value)};
    };
    return {forward: run({weight, bias}, none, logDet), inverse: run({weight: inverse, bias: none}, bias, -logDet)};
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

  // x = z + u' tanh(w.z + b), with u' such that 1 + w.u' > 0. `direction` "density" reads the layer backwards,
  // so that the formula goes from x to z. (planar.py)
  const MIN_SLOPE = 1e-3;
  function planar({w, u, b, direction = "sample"}) {
    const normalTo = numbers(w), push = numbers(u), dim = normalTo.length, [offset] = numbers(b);
    const dot = (a, c) => a.reduce((sum, value, i) => sum + value * c[i], 0);
    const wu = dot(normalTo, push), square = dot(normalTo, normalTo);
    const least = Math.max(softplus(wu), MIN_SLOPE), share = square / (square + 1e-12);
    const pushed = push.map((value, i) => value + (least - 1 - wu) * normalTo[i] / (square + 1e-12));
    const lowest = share * least + (1 - share) * (1 + wu), height = lowest - 1;  // the smallest slope, 1 + w.u'

    const slope = a => {  // 1 + (lowest - 1) (1 - tanh(a)^2), as a sum of positive terms
      const bend = 4 * sigmoid(2 * a) * sigmoid(-2 * a);
      return 1 - bend + lowest * bend;
    };
    const curve = (a, found) => {
      found[0] = a + height * tanh(a);
      found[1] = slope(a);
    };
    const run = sign => (points, n) => {
      const moved = new Float64Array(points.length), logDet = new Float64Array(n);
      for (let r = 0; r < n; r++) {
        let a = offset;
        for (let i = 0; i < dim; i++) a += normalTo[i] * points[r * dim + i];
        // Going back, w.x + b = a + w.u' tanh(a) is known, and a is its root.
        if (sign < 0) a = findRoot(curve, a, a - Math.abs(height), a + Math.abs(height));
        const h = tanh(a);
        for (let i = 0; i < dim; i++) moved[r * dim + i] = points[r * dim + i] + sign * pushed[i] * h;
        logDet[r] = sign * Math.log(slope(a));
      }
      return {points: moved, logDet};
    };
    const layer = {forward: run(1), inverse: run(-1), constrainedU: pushed};
    return direction === "density" ? invert(layer) : layer;
  }

  // x - z0 = (z - z0) (r + s) / (r + alpha), r = |z - z0|, s = alpha + beta > 0. (planar.py)
  function radial({center, alpha, beta}) {
    const middle = numbers(center), dim = middle.length, s = alpha + beta;
    const logDetAt = r => (dim - 1) * (Math.log(r + s) - Math.log(r + alpha))
      + Math.log(r * (r + 2 * alpha) + alpha * s) - 2 * Math.log(r + alpha);
    const run = sign => (points, n) => {
      const moved = new Float64Array(points.length), logDet = new Float64Array(n);
      for (let place = 0; place < n; place++) {
        let square = 0;
        for (let i = 0; i < dim; i++) square += (points[place * dim + i] - middle[i]) ** 2;
        let r = Math.sqrt(square);
        if (sign < 0) {  // the distance of x, r (r + s) / (r + alpha), is known: a quadratic equation in r
          const half = 0.5 * (r - s), root = Math.sqrt(half * half + alpha * r);
          r = half > 0 ? half + root : alpha * r / (root - half);
        }
        const factor = ((r + s) / (r + alpha)) ** sign;
        for (let i = 0; i < dim; i++)
          moved[place * dim + i] = middle[i] + factor * (points[place * dim + i] - middle[i]);
        logDet[place] = sign * logDetAt(r);
      }
      return {points: moved, logDet};
    };
    return {forward: run(1), inverse: run(-1)};
  }

  // Moves variable `to` of every row by a transformer whose parameters begin at params[row * stride + start].
  function moveOne(map, points, moved, logDet, n, dim, to, params, stride, start) {
    const out = moveOne.out;
    for (let r = 0; r < n; r++) {
      map(points[r * dim + to], params, r * stride + start, out);
      moved[r * dim + to] = out[0];
      logDet[r] += out[1];
    }
  }
  moveOne.out = new Float64Array(2);

  // One transformer with its own parameters for each variable, those of a variable side by side. (scalar.py)
  function elementwise({transformer, params}) {
    const rule = make(TRANSFORMERS, "transformer", transformer), table = numbers(params);
    const run = map => (points, n) => {
      const dim = points.length / n, moved = new Float64Array(points.length), logDet = new Float64Array(n);
      for (let i = 0; i < dim; i++) moveOne(map, points, moved, logDet, n, dim, i, table, 0, i * rule.count);
      return {points: moved, logDet};
    };
    return {forward: run(rule.forward), inverse: run(rule.inverse)};
  }

  // What stays (mask true) tells a net how the rest is moved; its answer holds the parameters of each moved
  // variable side by side. (coupling.py)
  function coupling({mask, net, transformer}) {
    const rule = make(TRANSFORMERS, "transformer", transformer), conditioner = perceptron(net);
    const dim = mask.length, {features, period, inputs, outputs} = conditioner;
    const stay = [], move = [];
    mask.forEach((stays, i) => (stays ? stay : move).push(i));
    let seen = new Float64Array(0);
    const run = map => (points, n) => {
      if (seen.length < n * inputs) seen = new Float64Array(n * inputs);
      for (let r = 0; r < n; r++)
        for (let k = 0; k < stay.length; k++)
          see(points[r * dim + stay[k]], period, seen, r * inputs + k * features);
      const params = conditioner.run(seen, n), moved = points.slice(), logDet = new Float64Array(n);
      move.forEach((to, k) => moveOne(map, points, moved, logDet, n, dim, to, params, outputs, k * rule.count));
      return {points: moved, logDet};
    };
    return {forward: run(rule.forward), inverse: run(rule.inverse)};
  }

  // x_i = transformer(z_i; params of x_<i), order[i] being the variable at place i. The net counts places.
  // `inverse` is one pass; `forward` finds one variable after another. (autoregressive.py)
  function autoregressive({order, net, transformer}) {
    const rule = make(TRANSFORMERS, "transformer", transformer), made = perceptron(net);
    const dim = order.length, {features, period, inputs, outputs} = made;
    let seen = new Float64Array(0);
    const show = (values, n, i) => {
      for (let r = 0; r < n; r++) see(values[r * dim + order[i]], period, seen, r * inputs + i * features);
    };
    const run = (map, pass) => (points, n) => {
      if (seen.length < n * inputs) seen = new Float64Array(n * inputs);
      const moved = new Float64Array(n * dim), logDet = new Float64Array(n);
      pass(n, points, moved, (i, params) =>
        moveOne(map, points, moved, logDet, n, dim, order[i], params, outputs, i * rule.count));
      return {points: moved, logDet};
    };
    return {
      inverse: run(rule.inverse, (n, x, z, move) => {
        order.forEach((_, i) => show(x, n, i));
        const params = made.run(seen, n);
        order.forEach((_, i) => move(i, params));
      }),
      forward: run(rule.forward, (n, z, x, move) => order.forEach((_, i) => {
        move(i, made.step(seen, n, i, rule.count));
        show(x, n, i);
      })),
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
    function solve(points, n, {from, to, trace = true, visit}) {
      const size = points.length, stage = new Float64Array(size), v = new Float64Array(size);
      const rate = trace ? new Float64Array(n) : null, logDet = new Float64Array(n), dt = (to - from) / steps;
      let point = Float64Array.from(points);
      visit(point, logDet);
      for (let step = 0; step < steps; step++) {
        const following = point.slice();
        nodes.forEach((node, i) => {  // each stage starts from the velocity of the stage before
          for (let k = 0; k < size; k++) stage[k] = node ? point[k] + node * dt * v[k] : point[k];
          velocity(from + (step + node) * dt, stage, n, v, weights[i] ? rate : null);
          for (let k = 0; k < size; k++) following[k] += weights[i] * dt * v[k];
          if (trace && weights[i]) for (let r = 0; r < n; r++) logDet[r] += weights[i] * dt * rate[r];
        });
        point = following;
        visit(point, logDet);
      }
      return {points: point, logDet};
    }
    const silent = () => {};
    return {
      forward: (points, n) => solve(points, n, {from: 0, to: 1, visit: silent}),
      inverse: (points, n) => solve(points, n, {from: 1, to: 0, visit: silent}),
      velocity,
      // The points after every step of the solver, for animations: [{points, logDet}], steps + 1 of them.
      trajectory(points, n, {inverse = false, trace = true} = {}) {
        const stops = [], [from, to] = inverse ? [1, 0] : [0, 1];
        solve(points, n, {from, to, trace, visit: (at, logDet) => stops.push({points: at, logDet: logDet.slice()})});
        return stops;
      },
    };
  }

  const invert = layer => ({...layer, name: `Inverse(${layer.name})`, forward: layer.inverse, inverse: layer.forward});

  const LAYERS = {
    affine, exp, sigmoid: sigmoidLayer, leakyReLU, permutation, linear, mixtureCDF, planar, radial,
    elementwise, coupling,
    autoregressive, ode, inverse: ({layer}) => invert(make(LAYERS, "layer", layer)),
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

  function normalBase({dim, mean, deviation}) {
    const m = mean ? numbers(mean) : new Float64Array(dim), d = deviation ? numbers(deviation) : m.map(() => 1);
    return independent(
      m.length,
      (z, i) => -0.5 * ((z - m[i]) / d[i]) ** 2 - Math.log(d[i]) - 0.5 * LOG_2PI,
      (uniform, i, temperature) => m[i] + temperature * d[i] * normal(uniform),
    );
  }

  function uniformBase({low, high}) {
    const a = numbers(low), b = numbers(high);
    return independent(
      a.length,
      (z, i) => (z >= a[i] && z <= b[i] ? -Math.log(b[i] - a[i]) : -Infinity),
      (uniform, i) => a[i] + (b[i] - a[i]) * uniform(),
    );
  }

  function betaBase({a, b}) {
    const p = numbers(a), q = numbers(b);
    return independent(
      p.length,
      (z, i) => (z >= 0 && z <= 1
        ? (p[i] - 1) * Math.log(z) + (q[i] - 1) * Math.log1p(-z)
          + logGamma(p[i] + q[i]) - logGamma(p[i]) - logGamma(q[i])
        : -Infinity),
      (uniform, i) => {
        const left = gamma(p[i], uniform);
        return left / (left + gamma(q[i], uniform));
      },
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
    const free = numbers(df), m = numbers(mean), s = numbers(scale);
    const constant = free.map((f, i) => logGamma((f + 1) / 2) - logGamma(f / 2) - 0.5 * Math.log(Math.PI * f)
      - Math.log(s[i]));
    return independent(
      free.length,
      (z, i) => constant[i] - (free[i] + 1) / 2 * Math.log1p(((z - m[i]) / s[i]) ** 2 / free[i]),
      (uniform, i, temperature) => {  // Bailey, 1994, as in base.py
        const radius = Math.sqrt(free[i] * Math.expm1(-2 / free[i] * Math.log(1 - uniform())));
        return m[i] + temperature * s[i] * radius * Math.cos(2 * Math.PI * uniform());
      },
    );
  }

  const anglesBase = ({dim, period = 2 * Math.PI}) =>
    independent(dim, z => z - z - Math.log(period), uniform => period * (uniform() - 0.5));

  const BASES = {
    normal: normalBase, uniform: uniformBase, beta: betaBase, studentT: studentTBase, angles: anglesBase};

  // ------------------------------------------------------------------------------------ flows

  // What a description {kind, ...} describes; what is made already stays.
  function make(makers, what, spec) {
    if (typeof (spec.forward ?? spec.logProb) === "function") return spec;
    const maker = makers[spec.kind];
    if (!maker) throw new Error(`flow.js knows no ${what} "${spec.kind}", only: ${Object.keys(makers).join(", ")}`);
    return {...maker(spec), name: spec.name ?? spec.kind};
  }

  // A flow from {base, layers}: the layers in the order z -> x, each made already or as export.py describes it.
  function build({base, layers}) {
    const chain = layers.map(layer => make(LAYERS, "layer", layer)), start = make(BASES, "base", base);

    function path(points, n, inverse = false) {
      const stops = [{name: inverse ? "x" : "z", points: Float64Array.from(points), logDet: new Float64Array(n)}];
      for (const layer of inverse ? [...chain].reverse() : chain) {
        const before = stops[stops.length - 1];
        const after = inverse ? layer.inverse(before.points, n) : layer.forward(before.points, n);
        stops.push({name: layer.name, points: after.points, logDet: after.logDet.map((d, r) => d + before.logDet[r])});
      }
      return stops;
    }
    const end = stops => ({points: stops[stops.length - 1].points, logDet: stops[stops.length - 1].logDet});
    const forward = (points, n) => end(path(points, n)), inverse = (points, n) => end(path(points, n, true));

    return {
      dim: start.dim, base: start, layers: chain, path, forward, inverse,
      logProb(points, n) {  // log p(x) = log p_base(z) + log|det dz/dx|
        const {points: z, logDet} = inverse(points, n);
        return start.logProb(z, n).map((logP, r) => logP + logDet[r]);
      },
      sample: (n, uniform, temperature = 1) => forward(start.sample(n, uniform, temperature), n).points,
    };
  }

  // Layers made by hand: Flow.affine({scale: [2], shift: [1]}).
  const byHand = kind => (spec = {}) => make(LAYERS, "layer", {...spec, kind});

  return {
    build, random, normals, invert,
    ...Object.fromEntries(Object.keys(LAYERS).map(kind => [kind, byHand(kind)])),
    spline: spec => make(LAYERS, "layer", {
      kind: "elementwise", name: "Spline", transformer: {...spec, kind: "fixedKnots"}, params: [],
    }),
    base: Object.fromEntries(Object.entries(BASES).map(([kind, maker]) => [kind, maker])),
  };
})();
