"""Run lessons on the pretend GPU, quickly: does everything that they compute stay on one device?

    python -m tests.gpu.pretend 05          lesson 5: the first cell that stops, its line and the error
    python -m tests.gpu.pretend 05 demo     its demo
    python -m tests.gpu.pretend 05 --times  and how much processor time each cell took

Values are right, but trainings end after three steps, so statements that judge a result (`assert`) are
left out. What a lesson trained, scored and sampled where is counted.
"""

from __future__ import annotations

import argparse
import ast
import functools
import inspect
import json
import os
import sys
import time
from collections import Counter
from contextlib import contextmanager
from pathlib import Path
from unittest.mock import patch

os.environ["MPLBACKEND"] = "Agg"

import matplotlib.pyplot as plt
import torch

from tests.gpu import device
from tests.gpu.cells import Failure, find_lesson, new_namespace, parse, read_cells, run_cell

STEPS = 3


class Shorten(ast.NodeTransformer):
    """Leave out what judges a result, and run a training loop three times; functions stay as they are."""

    def visit_FunctionDef(self, node: ast.FunctionDef):
        return node

    def visit_Assert(self, node: ast.Assert):
        return ast.copy_location(ast.Pass(), node)

    def visit_Raise(self, node: ast.Raise):
        return ast.copy_location(ast.Pass(), node)

    def visit_For(self, node: ast.For):
        self.generic_visit(node)
        trains = any(isinstance(part, ast.Attribute) and part.attr == "backward" for part in ast.walk(node))
        counts = isinstance(node.iter, ast.Call) and getattr(node.iter.func, "id", "") == "range"
        if trains and counts and len(node.iter.args) == 1:
            few = ast.parse(f"min({STEPS}, {ast.unparse(node.iter.args[0])})", mode="eval").body
            node.iter.args = [ast.copy_location(few, node.iter)]
            ast.fix_missing_locations(node)
        return node


@contextmanager
def lesson_on(gpu: torch.device):
    """`best_device` names the pretend GPU, trainings are short, and what happens where is counted."""
    from flowlib import data, plots, table, training
    from flowlib.flow import Flow

    happened: Counter[tuple[str, str]] = Counter()
    busy: list[str] = []  # inside a training its own scores do not count

    def shortened(train):
        @functools.wraps(train)
        def short(*args, **kwargs):
            bound = inspect.signature(train).bind(*args, **kwargs).arguments
            bound["steps"] = min(STEPS, bound.get("steps") or STEPS)
            bound.pop("epochs", None)
            bound["evaluate_every"] = 1
            where = bound.get("device", "auto")
            happened["trained", (gpu if where == "auto" else torch.device(where)).type] += 1
            busy.append("training")
            try:
                return train(**bound)
            finally:
                busy.pop()

        return short

    def counted(method, what):
        @functools.wraps(method)
        def count(flow, *args, **kwargs):
            found = next((tensor for tensor in (*flow.parameters(), *flow.buffers())), None)
            if not busy and found is not None:
                happened[what, found.device.type] += 1
            return method(flow, *args, **kwargs)

        return count

    def evaluate_once(*args, evaluate=table.evaluate, **kwargs):
        return evaluate(*args, **kwargs | {"repeats": 1})

    def coarse(*args, density_map=plots.density_map, **kwargs):
        return density_map(*args, **kwargs | {"points": 30})

    def few(*args, shared_target=data.shared_target, **kwargs):
        target = shared_target(*args, **kwargs)
        return target._replace(train=target.train[:600], valid=target.valid[:300], test=target.test[:600])

    with (
        patch.object(plots, "density_map", coarse),
        patch.object(data, "shared_target", few),
        patch.object(training, "best_device", lambda: gpu),
        patch.object(training, "fit", shortened(training.fit)),
        patch.object(training, "fit_energy", shortened(training.fit_energy)),
        patch.object(table, "evaluate", evaluate_once),
        patch.object(Flow, "log_prob", counted(Flow.log_prob, "scored")),
        patch.object(Flow, "sample", counted(Flow.sample, "sampled")),
    ):
        yield happened


def run(notebook: Path, gpu: torch.device, times: bool = False) -> tuple[Failure | None, Counter]:
    """Run a notebook's code cells up to the first that stops; that one, and what happened where."""
    namespace, shorten = new_namespace(), Shorten()
    os.chdir(notebook.parent)
    with lesson_on(gpu) as happened:
        for cell in read_cells(notebook):
            started = time.process_time()
            failure = run_cell(cell, namespace, shorten.visit(parse(cell)))
            plt.close("all")
            if times:
                print(f"{time.process_time() - started:6.2f} s  {cell.id}", file=sys.stderr)
            if failure:
                return failure, happened
    return None, happened


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.gpu.pretend", description=__doc__.splitlines()[0])
    parser.add_argument("lesson", help="its number, or the path of a notebook")
    parser.add_argument("kind", nargs="?", default="lesson", choices=("lesson", "demo"))
    parser.add_argument("--times", action="store_true", help="show how much processor time each cell took")
    parser.add_argument("--json", action="store_true", help="say the result in one line of JSON, for tests")
    wanted = parser.parse_args()
    notebook = find_lesson(wanted.lesson, wanted.kind)
    failure, happened = run(notebook, device.install(), wanted.times)
    counts = {f"{what} on {where}": number for (what, where), number in sorted(happened.items())}
    if wanted.json:
        print(json.dumps({"failure": str(failure) if failure else None, "counts": counts}))
    else:
        print("-" * 60)
        print(f"{notebook.parent.name}: {failure or 'no device is mixed'}")
        print("   " + ", ".join(f"{what} {number} times" for what, number in counts.items()))
    return 1 if failure else 0


if __name__ == "__main__":
    sys.exit(main())
