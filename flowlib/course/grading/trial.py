"""Can students' code run here? A notebook of our own tries, before anybody's is graded.

`flowcourse grade` asks on a worker, which is warm anyway; `flowcourse doctor` asks with `on_this_machine`.
"""

from __future__ import annotations

import socket
from dataclasses import replace
from pathlib import Path

from flowlib.course.box import walls
from flowlib.course.box.outside import Box, BoxLost
from flowlib.course.box.walls import Limits
from flowlib.course.grading import scratch, workers

NOTEBOOK = """\
import matplotlib.pyplot as plt
import torch
weights = torch.ones(50, 50, requires_grad=True)
(weights @ weights).sum().backward()
plt.plot(weights.grad[0])
plt.show()
torch.ones(25, 10**6).sum()"""  # 100 MB: what is left beside Python, IPython and torch must be of use


def why_not(zygote: socket.socket, limits: Limits, isolate: bool = True) -> str:
    """Why no notebook can run in a box with these limits, in words; '' where one can.

    Args:
        zygote: the connection to a warm process (`box.start`).
    """
    why = _run(zygote, limits, isolate)
    if why and not _run(zygote, replace(limits, memory_mb=Limits.memory_mb), isolate):
        return (
            f"{limits.memory_mb} MB of memory are too little for a notebook: Python, IPython and torch alone "
            f"take about 1000. Give --memory more; by default it is {Limits.memory_mb}"
        )
    return why


def on_this_machine() -> None:
    """Ask the whole question, with a warm process of its own; that takes some seconds.

    Raises:
        walls.NoSandbox: students' code cannot run here; the message says why and what to do.
    """
    walls.probe()
    here, there = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    process = workers.launch("flowlib.course.box.inside", [there])
    try:
        why = why_not(here, Limits())
    finally:
        here.close()
        process.wait()
    if why:
        raise walls.NoSandbox(f"No notebook can run here: {why}")


def _run(zygote: socket.socket, limits: Limits, isolate: bool) -> str:
    """What kept a notebook from running; '' if it ran."""
    with scratch.folder() as place:
        folder = Path(place) / "submission"
        folder.mkdir(mode=0o755)
        try:
            with Box(zygote, folder, limits, isolate=isolate) as box:
                error = box.run(NOTEBOOK, max(limits.cell_seconds, Limits.cell_seconds))["error"]
        except (walls.NoSandbox, BoxLost, OSError) as lost:
            return str(lost).strip().split("\n")[-1]
    return f"{error['type']}: {error['message']}" if error else ""
