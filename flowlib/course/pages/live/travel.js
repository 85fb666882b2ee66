// What the playground computes with flow.js: points on their way through a flow, densities over the window, the
// log-density of one point as it adds up. All of it in slices, so that the page goes on answering.
"use strict";

const Travel = (() => {
  const WINDOW = [-4, 4]; // both coordinates of all pictures
  const CHUNK = 100; // points that go through a flow at once

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

  /** Numbers that came as base64 of float32. */
  function floats(base64) {
    const bytes = Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
    return Float64Array.from(new Float32Array(bytes.buffer));
  }

  // ------------------------------------------------------------------------------------- points

  /** Where points are after every layer, and their log-density there; `walk` fills it in. */
  class Journey {
    constructor(flow, z) {
      this.flow = flow;
      this.n = z.length / 2;
      this.stops = [z, ...flow.layers.map(() => new Float64Array(z.length).fill(NaN))];
      this.logProb = this.stops.map(() => new Float64Array(this.n));
      this.done = false;
    }

    *walk() {
      for (let from = 0; from < this.n; from += CHUNK) {
        const z = this.stops[0].slice(2 * from, 2 * (from + CHUNK));
        const base = this.flow.base.logProb(z, z.length / 2);
        this.flow.path(z, z.length / 2).forEach((stop, k) => {
          this.stops[k].set(stop.points, 2 * from);
          this.logProb[k].set(
            stop.logDet.map((d, r) => base[r] - d),
            from,
          );
        });
        yield;
      }
      this.done = true;
    }
  }

  /** Points at a depth: between two stops on the straight way, or one coordinate after the other in this order. */
  function between(stops, depth, order = []) {
    const k = Math.min(Math.floor(depth), stops.length - 2);
    const share = depth - k;
    const shares = [share, share];
    order.forEach((coordinate, place) => (shares[coordinate] = Math.max(0, Math.min(1, 2 * share - place))));
    return stops[k].map((value, i) => value + shares[i % 2] * (stops[k + 1][i] - value));
  }

  /** How far points move away from the line w·x + b = 0: of all that they move, -1 (towards it) to 1 (away). */
  function outward([w1, w2, b], before, after) {
    let [away, length] = [0, 0];
    for (let i = 0; i < before.length; i += 2) {
      const moved = [after[i] - before[i], after[i + 1] - before[i + 1]];
      const side = Math.sign(w1 * before[i] + w2 * before[i + 1] + b);
      away += (side * (w1 * moved[0] + w2 * moved[1])) / Math.hypot(w1, w2);
      length += Math.hypot(...moved);
    }
    return away / length;
  }

  /** The way of one x, from z on, and the log-density that adds up along it: base + gains = log p(x). */
  function wayOf(flow, x) {
    const back = flow.path(x, 1, true).reverse(); // z first; logDet is the sum from x on
    const base = flow.base.logProb(back[0].points, 1)[0];
    const gains = back.slice(0, -1).map((stop, k) => stop.logDet[0] - back[k + 1].logDet[0]);
    return { stops: back.map((stop) => stop.points), base, gains, logProb: base + d3.sum(gains) };
  }

  // ------------------------------------------------------------------------------------- densities

  /** The centres of `size` cells along a side of the window. */
  const cells = (size) => d3.range(size).map((i) => WINDOW[0] + ((i + 0.5) * (WINDOW[1] - WINDOW[0])) / size);

  /** log p of points after the first layers of a flow: each asks where it came from. */
  function logProbAfter(flow, layers, points) {
    const n = points.length / 2;
    const total = new Float64Array(n);
    for (const layer of flow.layers.slice(0, layers).reverse()) {
      const back = layer.inverse(points, n);
      points = back.points;
      back.logDet.forEach((d, r) => (total[r] += d));
    }
    return flow.base.logProb(points, n).map((logP, r) => logP + total[r]);
  }

  /** Cells a side for a density: quick first, fine when all is at rest. */
  const sizes = (cells) => [cells / 3, cells, 2 * cells];

  /** The log-density over the window on so many cells a side, for each of `sides`; `shown(values, size)` after each. */
  function* densityOver(score, sides, shown) {
    for (const size of sides) {
      const values = new Float64Array(size * size);
      const centres = cells(size);
      for (let row = 0; row < size; row++) {
        values.set(
          score(
            Live.zip(
              centres,
              centres.map(() => centres[row]),
            ),
          ),
          row * size,
        );
        yield;
      }
      shown(values, size);
    }
  }

  /** A density that is known on cells, at any point: between the centres of the four cells around it. */
  function readOff(density, x) {
    const size = Math.sqrt(density.length);
    const place = x.map((value) => ((value - WINDOW[0]) / (WINDOW[1] - WINDOW[0])) * size - 0.5);
    const [column, row] = place.map(Math.floor);
    const [right, up] = [place[0] - column, place[1] - row];
    if (Math.min(column, row) < 0 || Math.max(column, row) > size - 2) return -Infinity;
    const along = (r) => (1 - right) * density[r * size + column] + right * density[r * size + column + 1];
    return (1 - up) * along(row) + up * along(row + 1);
  }

  /** The pass between two points: the cell with the lowest value on the way whose lowest value is highest.
      Cells rise from the sea, the highest first; at the pass the two islands become one. */
  function passOf(values, from, to) {
    const size = Math.sqrt(values.length);
    const cellOf = (x) => x.map((value) => Math.floor(((value - WINDOW[0]) / (WINDOW[1] - WINDOW[0])) * size));
    const [start, end] = [from, to].map(cellOf).map(([column, row]) => row * size + column);
    const island = new Int32Array(values.length).fill(-1); // -1: under water; else a cell nearer to the island's name
    const nameOf = (cell) => {
      while (island[cell] !== cell) cell = island[cell];
      return cell;
    };
    for (const cell of d3.range(values.length).sort((a, b) => values[b] - values[a])) {
      island[cell] = cell;
      const column = cell % size;
      const beside = [
        cell - size,
        cell + size,
        ...(column ? [cell - 1] : []),
        ...(column < size - 1 ? [cell + 1] : []),
      ];
      for (const other of beside) if (island[other] >= 0) island[nameOf(other)] = cell;
      if (island[start] >= 0 && island[end] >= 0 && nameOf(start) === nameOf(end)) return cell;
    }
  }

  return {
    WINDOW,
    work,
    floats,
    Journey,
    between,
    outward,
    wayOf,
    cells,
    sizes,
    logProbAfter,
    densityOver,
    readOff,
    passOf,
  };
})();
