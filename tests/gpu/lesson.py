"""Run one lesson as a script, on the GPU if there is one, and compare the numbers that it prints.

    python -m tests.gpu.lesson 05 --out DIR      writes DIR/lesson_05.json

It needs neither Jupyter nor a screen. Every cell runs, also after one that failed; the exit code is 1 if
one did. Numbers that differ from the saved ones are listed for a person to judge: they fail nothing.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import os
import sys
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path

os.environ["MPLBACKEND"] = "Agg"

import matplotlib.pyplot as plt
import torch

from tests.gpu.cells import Cell, Failure, find_lesson, new_namespace, read_cells, run_cell
from tests.gpu.numbers import Difference, differences


@dataclass
class Report:
    """What a lesson did here. Seconds are those of its cells, without the start of Python."""

    lesson: str
    device: str
    seconds: float = 0.0
    cells: dict[str, float] = field(default_factory=dict)
    failures: list[Failure] = field(default_factory=list)
    differences: dict[str, list[Difference]] = field(default_factory=dict)
    warnings: dict[str, str] = field(default_factory=dict)


def run_lesson(notebook: Path) -> Report:
    """Run all code cells of a notebook in one namespace, from its own folder."""
    report, namespace = Report(notebook.parent.name, device_name()), new_namespace()
    os.chdir(notebook.parent)
    plt.show = lambda *args, **kwargs: plt.close("all")  # a figure is drawn when it is shown, not before
    for cell in read_cells(notebook):
        started = time.perf_counter()
        printed, warned, failure = run_and_print(cell, namespace)
        report.cells[cell.id] = time.perf_counter() - started
        if failure:
            report.failures.append(failure)
        if warned:
            report.warnings[cell.id] = warned
        found = differences(cell.printed, printed)
        if found and not failure:
            report.differences[cell.id] = found
    report.seconds = sum(report.cells.values())
    return report


def run_and_print(cell: Cell, namespace: dict) -> tuple[str, str, Failure | None]:
    """Run a cell; the text that it printed, what it wrote to stderr, and what stopped it."""
    text, warned = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(text), contextlib.redirect_stderr(warned):
        failure = run_cell(cell, namespace)
        if torch.cuda.is_available():
            torch.cuda.synchronize()  # what the cell began belongs to its time
    print(f"-- {cell.id}\n{text.getvalue()}{warned.getvalue()}", end="", flush=True)
    if failure:
        print(f"FAILED: {failure}", flush=True)
    return text.getvalue(), warned.getvalue().strip(), failure


def device_name() -> str:
    return torch.cuda.get_device_name() if torch.cuda.is_available() else "CPU"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.gpu.lesson", description=__doc__.splitlines()[0])
    parser.add_argument("lesson", help="its number, or the path of a notebook")
    parser.add_argument("--out", type=Path, default=Path(".build/gpu"), help="folder for the report")
    wanted = parser.parse_args()
    notebook, out = find_lesson(wanted.lesson), wanted.out.resolve()
    report = run_lesson(notebook)
    out.mkdir(parents=True, exist_ok=True)
    file = out / f"lesson_{notebook.parent.name[:2]}.json"
    file.write_text(json.dumps(asdict(report), indent=1, ensure_ascii=False), encoding="utf-8")
    return 1 if report.failures else 0


if __name__ == "__main__":
    sys.exit(main())
