"""The pictures of lesson 7: densities carried by a velocity, solvers that flatter, noisy traces, paths."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise

import matplotlib.pyplot as plt
import numpy as np
import torch
from matplotlib.axes import Axes
from torch import Tensor, nn

from flowlib import plots
from flowlib.base import StandardNormal
from flowlib.continuous import Continuous
from flowlib.drawing import by_angle
from flowlib.flow import Flow
from flowlib.pictures.autoregressive import densities as densities
from flowlib.pictures.stage import placed, scale

__all__ = [
    "Drift",
    "densities",
    "evaluations",
    "jacobians",
    "optimum",
    "paths",
    "rings",
    "river",
    "solver",
    "solver_errors",
    "solver_reports",
    "trace",
    "trace_noise",
    "window",
]

SOLVER_COLORS = {"euler": plots.MAP_COLOR, "rk4": plots.X_COLOR, "dopri5": plots.Z_COLOR}
STEPS = (1, 2, 4, 8, 16)  # of the slider that compares solvers


# --------------------------------------------------------------------------- one dimension


def river(times: Tensor, places: Tensor, log_p: Tensor, data: Tensor, exact: Tensor) -> None:
    """Paths over time on the density that they carry, between base and data.

    Args:
        times: (T,).
        places, log_p: where the points are at each time and their log-densities, (T, n), sorted by place.
        data: (m,), drawn as a histogram.
        exact: the true density of the data at places[-1], (n,).
    """
    size = (7.6 * scale(), 3.0 * scale())
    _, axes = plt.subplots(1, 3, figsize=size, width_ratios=(1, 4, 1), sharey=True)
    across = times[:, None].expand(places.shape)
    axes[1].pcolormesh(across, places, log_p.exp(), cmap=plots.MAKO, shading="gouraud", rasterized=True)
    axes[1].plot(times, places[:, ::10], color="white", lw=0.6 * scale(), alpha=0.7)
    axes[1].set(xlim=(0, 1), xlabel="time $t$", title="paths and density")
    axes[0].plot(log_p[0].exp(), places[0], color=plots.Z_COLOR)
    style = {"color": plots.X_COLOR, "alpha": 0.25, "orientation": "horizontal"}
    axes[2].hist(data, bins=50, density=True, **style)
    axes[2].plot(log_p[-1].exp(), places[-1], color=plots.X_COLOR)
    axes[2].plot(exact, places[-1], "--", color=plots.REFERENCE_COLOR, lw=scale())
    axes[0].set(ylabel="$z(t)$", xlabel="$p_z(z)$", title="$t = 0$: base", ylim=(-4.3, 4.3))
    axes[2].set(xlabel="$p_x(x)$", title="$t = 1$: data")
    plt.show()


def window(
    times: Tensor,
    places: Tensor,
    log_p: Tensor,
    edges: Sequence[float],
    flux: Tensor,
    inside: Tensor,
    by_flux: Tensor,
    frame: int,
) -> None:
    """A window on a moving density: what flows through its edges, and what is inside.

    Args:
        times, places, log_p: as in `river`.
        edges: the window's left and right end.
        flux: p v at the two edges at each time, (T, 2): to the right where positive.
        inside, by_flux: the mass in the window, measured, and from the flux, (T,) each.
        frame: which time is drawn on the left.
    """
    axes = plots.new_axes(1, 2, size=(7.4, 2.7))
    place, density = places[frame], log_p[frame].exp()
    axes[0].plot(place, density, color=plots.MAP_COLOR)
    within = (place >= edges[0]) & (place <= edges[1])
    axes[0].fill_between(place, 0, density, where=within, color=plots.X_COLOR, alpha=0.35, lw=0)
    for edge, flow in zip(edges, flux[frame].tolist(), strict=True):
        height = np.interp(edge, place, density)
        style = {"arrowstyle": "-|>", "color": plots.X_COLOR, "lw": 1.8 * scale(), "shrinkA": 0, "shrinkB": 0}
        axes[0].annotate("", (edge + 6 * flow, height), (edge, height), arrowprops=style)
    axes[0].set(xlim=(-4, 4), ylim=(0, 0.45), xlabel="$z(t)$", ylabel="density")
    axes[0].set_title(f"$t$ = {times[frame]:.2f}; arrows: $p\\,v$ at the edges")
    axes[1].plot(times, inside, color=plots.X_COLOR, label="inside, measured")
    axes[1].plot(times, by_flux, "--", color=plots.REFERENCE_COLOR, label="start + in − out")
    axes[1].plot(times[frame], inside[frame], "o", color=plots.X_COLOR, ms=6 * scale())
    axes[1].set(xlabel="time $t$", ylabel="mass in the window", ylim=(0, None))
    axes[1].legend(loc="lower left")
    plt.show()


# --------------------------------------------------------------------------- solvers


def solver_errors(found: Mapping[tuple[str, float], tuple[float, float, float]]) -> None:
    """Errors over the number of evaluations: (solver, setting) -> evaluations, error of log p, round trip."""
    axes = plots.new_axes(1, 2, size=(7.6, 3.0))
    for method, color in SOLVER_COLORS.items():
        points = np.array([row for (name, _), row in found.items() if name == method])
        for ax, column in ((axes[0], 1), (axes[1], 2)):
            ax.loglog(points[:, 0], points[:, column], "o-", ms=4 * scale(), color=color, label=method)
            ax.set(xlabel="evaluations of the velocity")
    axes[0].set(ylabel="mean error of $\\log p$ (nats)", title="likelihood")
    axes[1].set(ylabel="largest distance from $x$", title="round trip")
    axes[0].legend()
    plt.show()


Report = tuple[float, float, Tensor]  # NLL, mass of the "density", paths of a few points


@torch.no_grad()
def solver_reports(fields: Mapping[str, nn.Module], x: Tensor) -> dict[tuple[str, str, int], Report]:
    """What each solver reports for each field, and how it moves the first 32 points from x back to z.

    Args:
        fields: name -> velocity of two variables.
        x: held-out points, (n, 2).

    Returns:
        (field, method, steps) -> reported NLL, integral of the "density", paths (steps + 1, 32, 2).
    """
    axis = (torch.arange(56) + 0.5) / 4 - 7
    grid, reports = torch.cartesian_prod(axis, axis), {}
    for name, net in fields.items():
        for method in ("euler", "rk4"):
            for steps in STEPS:
                flow = Flow(Continuous(net, method=method, steps=steps), StandardNormal((2,)))
                mass = flow.log_prob(grid).exp().sum().item() / 16
                one, path = Continuous(net, method=method, steps=1), [x[:32]]
                for end in range(steps, 0, -1):
                    path.append(one.integrate(path[-1], None, end / steps, (end - 1) / steps)[0])
                nll = -flow.log_prob(x).mean().item()
                reports[name, method, steps] = nll, mass, torch.stack(path)
    return reports


def solver(
    reports: Mapping[tuple[str, str, int], Report],
    exact: float,
    field: str = "free",
    method: str = "euler",
    steps: int = 4,
) -> None:
    """A solver's polygons on the true paths, and the NLL that it reports beside the true density's.

    Args:
        reports: from `solver_reports`.
        exact: the NLL of the true density on the same points.
        field, method, steps: which of the reports; steps is 1, 2, 4, 8 or 16.
    """
    axes = placed(2, (5.8, 2.5), left=0.09, right=0.99, bottom=0.18, top=0.9, wspace=0.3)
    nll, mass, path = reports[field, method, steps]
    _, _, true = reports[field, "rk4", STEPS[-1]]
    for lines, label, style in (
        (true, "true path", {"color": "#BBBBBB", "lw": 2 * scale()}),
        (path, f"{method}, {steps}", {"color": plots.MAP_COLOR, "lw": 0.8 * scale()}),
    ):
        gap = torch.full_like(lines[:1], math.nan)  # lifts the pen between paths
        axes[0].plot(*torch.cat([lines, gap]).permute(2, 1, 0).flatten(1), label=label, **style)
    for points, kind in ((path[0], "x"), (path[-1], "z")):
        axes[0].plot(*points.T, "o", color=plots.COLORS[kind], ms=2.5 * scale(), label=kind)
    axes[0].set(xlim=(-2.6, 2.6), ylim=(-2.6, 3.6), xlabel="first", ylabel="second")
    axes[0].set_title("from x back to z")
    axes[0].legend(ncols=2, loc="upper center", fontsize=8 * scale(), handlelength=1.2, columnspacing=1)
    for how in ("euler", "rk4"):
        reported = [reports[field, how, count][0] for count in STEPS]
        axes[1].plot(range(len(STEPS)), reported, "o-", color=SOLVER_COLORS[how], label=how, ms=4 * scale())
    axes[1].plot(STEPS.index(steps), nll, "o", ms=8 * scale(), mfc="none", mec="black")
    axes[1].axhline(exact, color=plots.REFERENCE_COLOR, ls="--")
    axes[1].set(xticks=range(len(STEPS)), xticklabels=STEPS, ylim=(0.75, 1.8), xlabel="steps")
    axes[1].set(ylabel="reported NLL", title=f"{nll:.2f} nats, mass {mass:.2f}")
    axes[1].legend(loc="lower right")
    plt.show()


# --------------------------------------------------------------------------- traces


def trace(dim: int = 16, diagonal: float = -2.0, off: float = 1.0) -> None:
    """A random matrix, and histograms of Hutchinson's estimates of its trace.

    Args:
        dim: D.
        diagonal: every entry of the diagonal.
        off: the others have the deviation off / sqrt(D).
    """
    generator = torch.Generator().manual_seed(dim)
    J = off * torch.randn(dim, dim, generator=generator) / dim**0.5
    J = J - J.diagonal().diag() + diagonal * torch.eye(dim)
    e = torch.randn(4000, dim, generator=generator)
    axes = placed(2, (5.8, 2.5), widths=(1, 1.7), left=0.02, right=0.98, bottom=0.19, top=0.88, wspace=0.1)
    axes[0].imshow(J, cmap=plots.VLAG, vmin=-3, vmax=3)
    axes[0].set(title=f"J, {dim} × {dim}", xticks=[], yticks=[])
    spread = []
    for name, noise, color in (("Gaussian", e, plots.Z_COLOR), ("±1", e.sign(), plots.X_COLOR)):
        values = ((noise @ J) * noise).sum(1) / dim  # (7.7)
        spread.append(f"{name} {values.std():.2f}")
        axes[1].hist(values, 60, range=(-6, 4), histtype="stepfilled", color=color, alpha=0.55, label=name)
    axes[1].axvline(J.trace() / dim, color=plots.REFERENCE_COLOR, ls="--")
    axes[1].set(xlabel="estimate of tr J / D", yticks=[], title="deviation: " + ", ".join(spread))
    axes[1].legend(loc="upper right")
    plt.show()


def trace_noise(
    dims: Sequence[int],
    spread: Mapping[tuple[str, str], Sequence[float]],
    seconds: Mapping[str, Sequence[float]],
) -> None:
    """The deviation of one estimate, and the time of a trace, over the dimension.

    Args:
        spread: (matrix, "Gaussian" or "Rademacher") -> a number for each dimension.
        seconds: "exact" and "Hutchinson" -> a number for each dimension.
    """
    axes = plots.new_axes(1, 2, size=(7.6, 3.0))
    styles = dict(zip(dict.fromkeys(matrix for matrix, _ in spread), ("-", "--"), strict=True))
    for (matrix, kind), values in spread.items():
        color = plots.X_COLOR if kind == "Rademacher" else plots.Z_COLOR
        axes[0].loglog(dims, values, styles[matrix], color=color, label=f"{kind}, {matrix}")
    axes[0].set(xlabel="dimension $D$", ylabel="deviation of one estimate", title="noise", ylim=(0.2, 100))
    axes[0].legend(fontsize=7.5 * scale(), loc="upper left")
    for (name, values), color in zip(seconds.items(), (plots.MAP_COLOR, plots.X_COLOR), strict=True):
        milliseconds = [1000 * value for value in values]
        axes[1].loglog(dims, milliseconds, "o-", ms=4 * scale(), color=color, label=name)
    axes[1].set(xlabel="dimension $D$", ylabel="ms for 64 traces", title="price")
    axes[1].legend()
    plt.show()


def jacobians(flows: Mapping[str, Flow], point: Tensor) -> None:
    """The Jacobian of each flow at a point, exact zeros marked: title -> flow."""
    axes = plots.new_axes(1, len(flows), size=(2.75 * len(flows), 2.4))
    for ax, (name, flow) in zip(axes, flows.items(), strict=True):
        plots.jacobian_pattern(flow, point, ax=ax)
        ax.set_title(name)
    plt.show()


# --------------------------------------------------------------------------- paths


def evaluations(counts: Mapping[str, Tensor], every: int) -> None:
    """What an adaptive solver needs while two flows learn: name -> counts, one in `every` steps."""
    ax = plots.new_axes(size=(4.6, 2.5))
    for (name, values), color in zip(counts.items(), (plots.MAP_COLOR, plots.X_COLOR), strict=True):
        ax.plot(every * np.arange(len(values)), values, color=color, label=name)
    ax.set(xlabel="training step", ylabel="evaluations by dopri5", ylim=(0, None))
    ax.legend(loc="lower right")
    plt.show()


def paths(panels: Mapping[str, Tensor], count: int = 45) -> None:
    """Paths from z to x side by side: title -> (T, n, 2), of which `count` points are drawn."""
    axes = plots.new_axes(1, len(panels), size=(4.0 * len(panels), 3.9))
    for ax, (title, places) in zip(axes, panels.items(), strict=True):
        places = places[:, :count]
        ax.plot(*places.unbind(2), color=plots.MAP_COLOR, lw=1.1 * scale(), alpha=0.8)
        for points, kind in ((places[0], "z"), (places[-1], "x")):
            ax.plot(*points.T, "o", color=plots.COLORS[kind], ms=4.5 * scale(), label=kind)
        ax.set(xlim=(-2.8, 2.8), ylim=(-2.8, 2.8), aspect="equal", title=title)
        ax.set(xlabel="first", ylabel="second")
    axes[0].legend(loc="upper left")
    plt.show()


def optimum(rows: Sequence[Mapping], energies: Mapping[str, float]) -> None:
    """W2^2 between samples, a dot for each draw, over their number; energies of flows as lines."""
    ax = plots.new_axes(size=(5.4, 2.7))
    for row in rows:
        ax.plot(row["n"], row["cost"], "o", color=plots.MAP_COLOR, alpha=0.6, ms=5 * scale())
    for (name, energy), color in zip(energies.items(), (plots.Z_COLOR, plots.X_COLOR), strict=True):
        ax.axhline(energy, color=color, ls="--")
        ax.text(1.01, energy, name, color=color, va="center", transform=ax.get_yaxis_transform())
    counts = sorted({row["n"] for row in rows})
    ax.set(xscale="log", xticks=counts, xticklabels=list(map(str, counts)), ylim=(0.2, 0.8))
    ax.minorticks_off()
    ax.set(xlabel="samples of each", ylabel="mean squared distance")
    plt.show()


def rings(data: Tensor, flow: Flow) -> None:
    """Data on three rings beside the log-density of a flow."""
    axes: Sequence[Axes] = plots.new_axes(1, 2, size=(6.6, 3.1))
    plots.scatter_samples(data, 3.8, title="data", ax=axes[0])
    plots.density_map(flow, 3.8, log=True, floor=-9, points=140, colorbar=True, ax=axes[1])
    axes[1].set_title("flow, log-density")
    plt.show()


class Drift:
    """Points that a flow carries from z to x: a picture for each of 33 times.

    Args:
        flow: a continuous flow of two variables.
        count: how many points.
    """

    def __init__(self, flow: Flow, count: int = 1200):
        layer = flow.bijection
        assert isinstance(layer, Continuous)
        self.net = layer.net
        start = torch.randn(count, 2, generator=torch.Generator().manual_seed(0))
        self.hues = by_angle(start)
        self.times = torch.linspace(0, 1, 33)
        self.places, self.log_p = [start], [flow.base.log_prob(start)]
        for before, after in pairwise(self.times.tolist()):
            moved, log_det, _ = layer.integrate(self.places[-1], None, before, after)
            assert log_det is not None
            self.places.append(moved)
            self.log_p.append(self.log_p[-1] - log_det)  # (7.5)

    def draw(self, frame: int = 16) -> None:
        """Left the points, coloured by where they began, and the velocity; right their density."""
        axes = placed(2, (5.8, 2.4), left=0.08, right=0.99, bottom=0.18, top=0.9, wspace=0.2)
        side, places = torch.linspace(-3.4, 3.4, 12), self.places[frame]
        nodes = torch.cartesian_prod(side, side)
        arrows = self.net(float(self.times[frame]), nodes)
        arrows = arrows / arrows.norm(dim=1, keepdim=True).clamp_min(1e-6).sqrt()  # long ones would cover
        axes[0].quiver(*nodes.T, *arrows.T, color="#BBBBBB", scale=26, width=0.005)
        size = 2.6 * scale() ** 2
        axes[0].scatter(*places.T, s=size, c=self.hues, lw=0)
        axes[1].set_facecolor("black")
        axes[1].scatter(*places.T, s=size, c=self.log_p[frame], cmap=plots.MAKO, vmin=-5, vmax=-1.5, lw=0)
        axes[0].set_title(f"t = {self.times[frame]:.2f}")
        axes[1].set_title(f"mean of log p: {self.log_p[frame].mean():.2f}")
        for ax in axes:
            ax.set(xlim=(-3.8, 3.8), ylim=(-3.8, 3.8), aspect="equal", xlabel="first", ylabel="second")
        plt.show()
