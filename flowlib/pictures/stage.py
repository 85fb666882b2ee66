"""A figure that answers to sliders: its frame is drawn once, what it shows is drawn anew at every move.

`widgets.interact` makes a figure for every move, with axes, ticks and layout, prints it below the cell and
takes the one before away. A stage keeps one figure and one picture in the page.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

__all__ = ["placed", "stage"]

_figures: list[Figure] = []  # that of the stage which is drawing just now


def placed(
    columns: int = 1,
    size: tuple[float, float] = (5.8, 2.5),
    *,
    widths: tuple[float, ...] | None = None,
    **margins: float,
) -> list[Axes]:
    """Axes side by side at fixed places: a layout that is worked out anew at each move is slow, and jumps.

    On a stage that has drawn before, its axes come back, emptied; their ticks, labels and limits stand.

    Args:
        size: of the figure in inches, for the lesson's font; it grows with that of `plots.use_style`.
        widths: the axes' widths, relative to each other.
        margins: as `figure.subplots_adjust` takes them.
    """
    if _figures and _figures[-1].axes:
        return [_emptied(ax) for ax in _figures[-1].axes]
    figure = _figures[-1] if _figures else plt.figure(layout="none")
    scale = plt.rcParams["font.size"] / 9.5
    figure.set_size_inches(size[0] * scale, size[1] * scale)
    axes = figure.subplots(1, columns, width_ratios=widths, squeeze=False)[0]
    figure.subplots_adjust(**margins)
    return list(axes)


def _emptied(ax: Axes) -> Axes:
    if legend := ax.get_legend():
        legend.remove()
    for artist in (*ax.lines, *ax.collections, *ax.patches, *ax.images, *ax.texts):
        artist.remove()
    ax.containers.clear()
    ax.set_prop_cycle(None)
    ax.ignore_existing_data_limits = True  # where no limits are set, those of the next data count
    ax.autoscale(True)
    return ax


def painted(figure: Figure, draw: Callable[..., None], values: dict[str, Any]) -> bytes:
    """What `draw` draws on this figure, as a PNG."""
    _figures.append(figure)
    try:
        draw(**values)
    finally:
        _figures.pop()
    canvas = figure.canvas
    assert isinstance(canvas, FigureCanvasAgg)
    canvas.draw()
    file = io.BytesIO()
    # The file goes to a browser on the same machine: speed counts, not size.
    Image.fromarray(np.asarray(canvas.buffer_rgba())).convert("RGB").save(file, "png", compress_level=1)
    return file.getvalue()


def stage(draw: Callable[..., None], *, play: tuple[str, float, int] | None = None, **controls: Any) -> Any:
    """Widgets to show: controls in rows above a figure that `draw` fills again whenever one of them is moved.

    Args:
        draw: draws with the controls' values on axes from `placed`; a `plt.show()` at its end shows nothing here.
        play: a button that walks one slider, step by step, from where it stands first to an end: its name, the
            end, and the milliseconds between steps.
        controls: widgets with a value, named as the arguments of `draw`; `widgets.fixed` for one that stands.
    """
    import ipywidgets as widgets

    figure = Figure(dpi=plt.rcParams["figure.dpi"], layout="none")
    canvas = FigureCanvasAgg(figure)

    def redraw(_: object = None) -> None:
        picture.value = painted(figure, draw, {name: control.value for name, control in controls.items()})

    picture = widgets.Image(format="png")
    redraw()
    picture.layout = widgets.Layout(width=f"{canvas.get_width_height()[0]}px", max_width="100%")
    moved = [control for control in controls.values() if isinstance(control, widgets.DOMWidget)]
    for control in moved:
        control.observe(redraw, "value")
        control.style.description_width = "initial"
        stretches = isinstance(control, widgets.FloatSlider | widgets.IntSlider | widgets.FloatLogSlider)
        control.layout = widgets.Layout(flex="1 1 240px" if stretches else "0 0 auto", width="auto")
    buttons = [] if play is None else [_button(controls[play[0]], *play[1:])]
    row = widgets.Layout(flex_flow="row wrap", align_items="center", width=picture.layout.width)
    return widgets.VBox([widgets.Box([*buttons, *moved], layout=row), picture])


def _button(slider: Any, last: float, milliseconds: int) -> Any:
    """A play button that walks a slider from its value to `last`."""
    import ipywidgets as widgets

    first, steps = slider.value, round(abs(last - slider.value) / slider.step)
    play = widgets.Play(min=0, max=steps, interval=milliseconds, layout=widgets.Layout(flex="0 0 auto"))

    def walk(change: dict) -> None:
        slider.value = first + (last - first) * change["new"] / steps

    play.observe(walk, "value")
    return play
