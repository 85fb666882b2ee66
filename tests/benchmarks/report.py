"""The benchmark's tables and figure."""

from __future__ import annotations

import math
import platform
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt

from flowlib.plots import MAP_COLOR, X_COLOR, Z_COLOR, use_style
from tests.benchmarks.quality import BUDGET


def milliseconds(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def verdict(row) -> str:
    return {None: "", True: "pass", False: "**miss**"}[row.passed]


def bar_text(row) -> str:
    return "" if row.bar is None else f"{'≥' if row.at_least else '≤'} {row.bar:g}×"


def line(row) -> str:
    times = ", ".join(f"{name} {milliseconds(value)}" for name, value in row.times.items())
    return f"{row.work} | {times} | {row.against} {row.ratio:.2f}× {bar_text(row)} {verdict(row)}"


def speed_table(rows: Sequence, chosen) -> str:
    peers = ", ".join(f"{name} {version(name)}" for name in ("torch", "zuko", "nflows", "normflows"))
    clock = "wall clock" if chosen.clock == "wall" else "processor time"
    lines = [
        "# flowlib beside its peers",
        "",
        f"`python -m tests.benchmarks`: {peers}; {platform.machine()}, {chosen.threads} threads, {clock}, "
        "float32, medians in milliseconds, all contenders of a row called by turns. Equal nets everywhere.",
        "",
        "| work | ours | peers, limit | ratio | of | bar | |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in (row for row in rows if row.section == "speed"):
        others = ", ".join(f"{name} {milliseconds(t)}" for name, t in row.times.items() if name != "flowlib")
        ours = milliseconds(row.times["flowlib"])
        cells = (row.work, ours, others, f"{row.ratio:.2f}×", row.against, bar_text(row), verdict(row))
        lines.append("| " + " | ".join(cells) + " |")
    growth = [row for row in rows if row.section == "growth"]
    if growth:
        lines += ["", "How cost grows:", "", "| work | measured | ratio | of |", "|---|---|---|---|"]
        for row in growth:
            measured = ", ".join(
                f"{'sampling' if name == 'flowlib' else name} {milliseconds(t)} ms"
                for name, t in row.times.items()
            )
            lines.append(f"| {row.work} | {measured or row.note} | {row.ratio:.2f}× | {row.against} |")
    notes = [f"- {row.work}: {row.note}" for row in rows if row.note and row.section == "speed"]
    return "\n".join([*lines, "", "Notes:", "", *notes, ""])


def figure(rows: Sequence, path: Path) -> None:
    """How many times faster than the fastest peer, each with its bar."""
    shown = [row for row in rows if row.section == "speed" and row.at_least][::-1]
    use_style()
    fig, ax = plt.subplots(figsize=(8.0, 0.42 * len(shown) + 1.0))
    places = range(len(shown))
    colors = [Z_COLOR if row.passed else X_COLOR for row in shown]
    ax.barh(places, [row.ratio for row in shown], color=colors, height=0.6)
    bars = [row.bar for row in shown]
    ax.scatter(bars, places, marker="|", s=160, color="black", zorder=3, label="required")
    for place, row in zip(places, shown, strict=True):
        ax.text(
            row.ratio * 1.06,
            place,
            f"{row.ratio:.3g}×  ({row.against.split(' /')[0]})",
            va="center",
            fontsize=8,
        )
    ax.axvline(1, color=MAP_COLOR, linewidth=0.8)
    ax.set_xscale("log")
    ax.set_xlim(0.7, max(row.ratio for row in shown) * 4)
    ax.set_xticks([1, 2, 5, 10, 20, 50, 100], ["1×", "2×", "5×", "10×", "20×", "50×", "100×"])
    ax.set_yticks(places, [row.work for row in shown], fontsize=8)
    ax.set_xlabel("speed of flowlib over its fastest peer (log scale)")
    ax.legend(loc="lower right", frameon=False)
    fig.savefig(path)
    plt.close(fig)


def quality_table(results: Sequence) -> str:
    lines = [
        "# Held-out log-likelihood beside its peers",
        "",
        "`python -m tests.benchmarks quality`: nats per row on the test part, mean ± standard deviation over "
        "seeds; equal hidden layers, steps, batches and optimiser; the weights of the best validation "
        "loss are kept. "
        "Passed: at least the mean of the best peer of equal size, within the larger of the two spreads.",
        "",
        "| data | model | flowlib | best peer | others | |",
        "|---|---|---|---|---|---|",
    ]
    for result in results:
        scores = {
            name: f"{mean:.3f} ± {spread:.3f}" if math.isfinite(mean) else "broke down"
            for name, (mean, spread) in result.scores.items()
        }
        for name in scores:
            if result.size(name) > BUDGET:
                scores[name] += f" with {result.size(name):.1f} times the parameters"
        best = result.best_peer
        others = ", ".join(f"{name} {text}" for name, text in scores.items() if name not in ("flowlib", best))
        cells = (
            result.data,
            result.model,
            scores["flowlib"],
            f"{best} {scores[best]}",
            others,
            verdict(result),
        )
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join([*lines, ""])
