"""Measure flowlib beside zuko, nflows and normflows: `make bench`, or

    python -m tests.benchmarks                 all speed rows: about 6 minutes on two idle cores
    python -m tests.benchmarks maf realnvp     some of them
    python -m tests.benchmarks quality         held-out likelihood: about an hour

Prints a markdown table. A run of all speed rows, or of quality, also writes it and its figure to
assets/figures. The exit code is 1 if a bar is missed. On a busy machine `--clock cpu --threads 1`
counts processor time, which suffers less from neighbours than the clock on the wall.
"""

from __future__ import annotations

import argparse
import sys
import warnings
from pathlib import Path

import torch

warnings.filterwarnings("ignore", module="nflows|normflows|zuko")
warnings.filterwarnings("ignore", message="torch.lu is deprecated")  # a peer calls it

FIGURES = Path(__file__).parents[2] / "assets" / "figures"


def main() -> int:
    from tests.benchmarks import quality, report, speed

    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__.splitlines()[0])
    parser.add_argument(
        "rows", nargs="*", help=f"any of: {', '.join(speed.ROWS)}, quality; default: all but it"
    )
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--clock", choices=speed.CLOCKS, default="wall")
    parser.add_argument("--seconds", type=float, default=10.0, help="time for each comparison")
    parser.add_argument("--steps", type=int, default=1000, help="training steps in quality")
    parser.add_argument("--seeds", type=int, default=3, help="seeds in quality")
    chosen = parser.parse_args()
    unknown = [name for name in chosen.rows if name not in (*speed.ROWS, "quality")]
    if unknown:
        parser.error(f"unknown rows: {', '.join(unknown)}; expected {', '.join(speed.ROWS)} or quality")

    torch.set_num_threads(chosen.threads)
    if chosen.rows == ["quality"]:
        results = quality.measure(chosen.steps, chosen.seeds)
        text = report.quality_table(results)
        print(text)
        (FIGURES / "benchmark_quality.md").write_text(text)
        return int(any(result.passed is False for result in results))

    watch = speed.Stopwatch(chosen.clock, chosen.seconds)
    rows = []
    for name in chosen.rows or speed.ROWS:
        torch.manual_seed(0)
        for row in speed.ROWS[name](watch):
            rows.append(row)
            print(report.line(row), file=sys.stderr, flush=True)
    text = report.speed_table(rows, chosen)
    print(text)
    if not chosen.rows:
        (FIGURES / "benchmark.md").write_text(text)
        report.figure(rows, FIGURES / "benchmark.png")
    return int(any(row.passed is False for row in rows))


if __name__ == "__main__":
    sys.exit(main())
