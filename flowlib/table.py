"""The course's growing table: one target, every flow; how good each is, and what it costs."""

from __future__ import annotations

import csv
import time
from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np
import torch
from matplotlib.axes import Axes
from torch import Tensor

from flowlib.assets import asset
from flowlib.drawing import MAP_COLOR, X_COLOR, label_points, new_axes
from flowlib.flow import Flow
from flowlib.training import VALIDATION_ROWS, negative_log_likelihood

__all__ = [
    "evaluate", "shared_table", "trade_off", "trade_off_table",
]  # fmt: skip


def evaluate(
    flow: Flow,
    x: Tensor,
    model: str | None = None,
    *,
    context: Tensor | None = None,
    batch_size: int = 1000,
    repeats: int = 7,
) -> dict[str, str | int | float]:
    """One row of the course's table: how good a flow is on held-out data, and what it costs.

    Times are the least of `repeats` calls on `batch_size` rows, without gradients, on the flow's own
    device. The round trip is there and back again from the data, max|f(f⁻¹(x)) - x|.

    Args:
        x: held-out data, (n, *event).
        model: the name in the table; by default the flow's class.
        context: for conditional flows, (n, context).

    Returns:
        model, nll (nats), parameters, forward_ms (z to x: to sample), inverse_ms (x to z: to score),
        round_trip.
    """
    like = next(iter(flow.parameters()))
    was_training = flow.training
    flow.eval()
    pick = torch.arange(batch_size) % len(x)
    rows = x[pick].to(like.device)
    extra = None if context is None else context[pick].to(like.device)
    try:
        with torch.no_grad():
            total = 0.0
            for first in range(0, len(x), VALIDATION_ROWS):
                part = slice(first, first + VALIDATION_ROWS)
                given = None if context is None else context[part].to(like.device)
                total += negative_log_likelihood(flow, x[part].to(like.device), given).sum().item()
            z, _ = flow.bijection.inverse(rows, extra)
            again, _ = flow.bijection(z, extra)
            forward = _milliseconds(lambda: flow.bijection(z, extra), repeats, like.device)
            inverse = _milliseconds(lambda: flow.bijection.inverse(rows, extra), repeats, like.device)
    finally:
        flow.train(was_training)
    return {
        "model": model or type(flow).__name__,
        "nll": total / len(x),
        "parameters": sum(p.numel() for p in flow.parameters() if p.requires_grad),
        "forward_ms": forward,
        "inverse_ms": inverse,
        "round_trip": (again - rows).abs().max().item(),
    }


def _milliseconds(work: Callable[[], object], repeats: int, device: torch.device) -> float:
    times = []
    for _ in range(repeats + 1):
        started = time.perf_counter()
        work()
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        times.append(1000 * (time.perf_counter() - started))
    return min(times[1:])  # the first call warms up; what else the machine does can only add


def shared_table(lesson: int | None = None) -> list[dict[str, str | int | float]]:
    """The course's growing table on `shared_target`, as measured once: up to a lesson, or all of it.

    Each row has lesson, model, nll (held-out, nats), parameters, forward_ms, inverse_ms (1,000 rows on one
    CPU core) and round_trip. A lesson shows the earlier rows and adds its own with `table.evaluate`.
    `python tests/benchmarks/shared_table.py` measures all of them again.
    """
    with open(asset("data", "shared_table.csv"), newline="") as file:
        rows = [{name: _value(text) for name, text in row.items()} for row in csv.DictReader(file)]
    return [row for row in rows if lesson is None or int(row["lesson"]) <= lesson]


def _value(text: str) -> str | int | float:
    """A cell of a table: a whole number, a number, or text."""
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            pass
    return text


def trade_off_table(rows: Iterable[Mapping], *, entropy: float = 0.0) -> str:
    """The course's growing table as text, one flow a line.

    Args:
        rows: as in `trade_off`, with "round_trip".
        entropy: that of the target; NLL minus entropy are the missing nats.
    """
    titles = ("NLL", 7), ("missing", 9), ("parameters", 12), ("z→x ms", 9), ("x→z ms", 9), ("round trip", 12)
    head = "flow".ljust(26) + "".join(title.rjust(width) for title, width in titles)
    lines = [
        f"{row['model']!s:26s}{row['nll']:7.2f}{row['nll'] - entropy:9.2f}{row['parameters']:12,d}"
        f"{row['forward_ms']:9.2f}{row['inverse_ms']:9.2f}{row['round_trip']:12.0e}"
        for row in rows
    ]
    return "\n".join([head, *lines])


def trade_off(
    rows: Iterable[Mapping],
    *,
    entropy: float = 0.0,
    highlight: str | None = None,
    axes: Sequence[Axes] | np.ndarray | None = None,
) -> np.ndarray:
    """The course's growing table as a figure: missing nats against time to sample and time to score.

    Args:
        rows: mappings with "model", "nll", "parameters", "forward_ms" and "inverse_ms", as `evaluate`
            and `shared_table` give them. The area of a dot grows with the parameters.
        entropy: subtracted from the NLL, so that 0 is perfect.
        highlight: rows whose model starts with this are drawn in vermilion.
    """
    rows = list(rows)
    axes = np.asarray(axes) if axes is not None else new_axes(1, 2, size=(8.0, 3.2))
    missing = np.array([float(row["nll"]) - entropy for row in rows])
    sizes = 12 + 0.4 * np.sqrt([float(row["parameters"]) for row in rows])
    for ax, key, title in ((axes[0], "forward_ms", "to sample"), (axes[1], "inverse_ms", "to score")):
        times = np.array([float(row[key]) for row in rows])
        chosen = [str(row["model"]).startswith(highlight) if highlight else False for row in rows]
        ax.scatter(times, missing, s=sizes, c=[X_COLOR if c else MAP_COLOR for c in chosen], alpha=0.75, lw=0)
        ax.set(xscale="log", yscale="log" if missing.min() > 0 else "linear")
        ax.set(xlabel=f"time {title} (ms)", ylabel="missing nats" if entropy else "NLL (nats)")
        ax.margins(0.2)
        label_points(ax, times, missing, np.sqrt(sizes) / 2, [str(row["model"]) for row in rows], chosen)
    return axes
