// The staircase of a log-density: from log p(z) to log p(x), a bar for each layer.
"use strict";

const Stairs = (() => {
  /** Draw it into `box`. `depth` bars are filled, the last of them in part; `target` is a dashed line. */
  function draw(box, { base, gains }, { depth, target, colours }) {
    const svg = d3.select(box).select("svg").empty() ? d3.select(box).append("svg") : d3.select(box).select("svg");
    svg.selectAll("*").remove();
    const [width, height] = [box.clientWidth, box.clientHeight];
    if (!width) return;
    const em = parseFloat(getComputedStyle(box).fontSize);
    const levels = d3.cumsum([base, ...gains]);
    const shown = [...levels, ...(Number.isFinite(target) ? [target] : [])];
    const pad = Math.max(0.5, 0.15 * (d3.max(shown) - d3.min(shown)));
    const y = d3.scaleLinear([d3.min(shown) - pad, d3.max(shown) + pad], [height - 0.6 * em, 0.8 * em]);
    const longest = d3.max(y.ticks(4), (level) => y.tickFormat(4)(level).length);
    const x = d3.scaleLinear([-1, levels.length], [(1 + 0.64 * longest) * em, width - 0.5 * em]);
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
    const bar = (k, share, opacity) =>
      svg
        .append("rect")
        .attr("x", x(k) + 0.1 * step)
        .attr("width", share * Math.max(2, 0.8 * step))
        .attr("y", y(Math.max(levels[k], levels[k + 1])))
        .attr("height", Math.max(1.5, Math.abs(y(levels[k]) - y(levels[k + 1]))))
        .style("fill", colours[gains[k] > 0 ? "third" : "fourth"])
        .style("opacity", opacity);
    if (Number.isFinite(target)) line(x(-1), x(levels.length), target, "reference", "6 5");
    gains.forEach((_, k) => {
      bar(k, 1, 0.3);
      bar(k, Math.max(0, Math.min(1, depth - k)), 1);
    });
    const last = levels.length - 1;
    line(x(-1), x(0), levels[0], "z");
    line(x(last), x(last + 1), levels[last], "x");
    label("log p(z)", x(-1) + 0.3 * em, levels[0], "z", "start", levels[0] >= levels[last]);
    label("log p(x)", x(last + 1), levels[last], "x", "end", levels[last] > levels[0]);
  }

  return { draw };
})();
