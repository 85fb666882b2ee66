"""A figure that answers to sliders: its frame is drawn once, what it shows is drawn anew at every move.

`widgets.interact` makes a figure for every move, with axes, ticks and layout, prints it below the cell and
takes the one before away. A stage keeps one figure, and one picture in the page. Most of the time that is
left goes into ticks and their labels, so these are kept as pixels until limits or labels change ("blitting").
"""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

__all__ = ["Picture", "placed", "scale", "stage"]

_drawing: list[Figure] = []  # the figure of the picture that is being drawn just now


def scale() -> float:
    """How much larger than in a lesson things are drawn; `plots.use_style` sets it."""
    return plt.rcParams["font.size"] / 9.5


def placed(
    columns: int = 1,
    size: tuple[float, float] = (5.8, 2.5),
    *,
    widths: tuple[float, ...] | None = None,
    **margins: float,
) -> list[Any]:
    """Axes side by side at fixed places: a layout that is worked out anew at each move is slow, and jumps.

    On a stage that has drawn before, its axes come back, emptied; ticks, labels and limits stand.

    Args:
        size: of the figure in inches, for the lesson's font; it grows with that of `plots.use_style`.
        widths: the axes' widths, relative to each other.
        margins: as `figure.subplots_adjust` takes them.
    """
    figure = _drawing[-1] if _drawing else plt.figure(layout="none")
    if figure.axes:
        return [_emptied(ax) for ax in figure.axes]
    scale = plt.rcParams["font.size"] / 9.5
    figure.set_size_inches(size[0] * scale, size[1] * scale)
    axes = figure.subplots(1, columns, width_ratios=widths, squeeze=False)[0]
    figure.subplots_adjust(**margins)
    return list(axes)


def _contents(ax: Axes) -> list[Artist]:
    """What a drawing puts into its frame, the title aside."""
    legend = ax.get_legend()
    return [
        *(*ax.lines, *ax.collections, *ax.patches, *ax.images, *ax.texts),
        *([legend] if legend else []),
    ]


def _emptied(ax: Axes) -> Axes:
    for artist in _contents(ax):
        artist.remove()
    ax.containers.clear()
    ax.set_prop_cycle(None)
    ax.ignore_existing_data_limits = True  # where no limits are set, those of the next data count
    ax.autoscale(True)
    return ax


class Picture:
    """What a function draws, as a PNG for each set of its values, on one figure.

    Args:
        draw: draws on axes from `placed`; a `plt.show()` at its end shows nothing here.
    """

    def __init__(self, draw: Callable[..., None]):
        self.draw = draw
        figure = Figure(dpi=plt.rcParams["figure.dpi"], layout="none")  # type: ignore[arg-type]  # not in its stubs
        self.canvas = FigureCanvasAgg(figure)
        self._frame: list[tuple] = []
        self._pixels: Any = None  # of the frame

    def paint(self, **values: Any) -> bytes:
        """The picture for these values."""
        figure = self.canvas.figure
        _drawing.append(figure)
        try:
            self.draw(**values)
        finally:
            _drawing.pop()
        shown = [(ax, [*_contents(ax), ax.title]) for ax in figure.axes]
        frame = [(ax.get_xlim(), ax.get_ylim(), ax.get_xlabel(), ax.get_ylabel()) for ax in figure.axes]
        if frame != self._frame:
            for artist in (artist for _, artists in shown for artist in artists):
                artist.set_animated(True)  # left out by `canvas.draw`
            self.canvas.draw()
            self._frame, self._pixels = frame, self.canvas.copy_from_bbox(figure.bbox)
        self.canvas.restore_region(self._pixels)
        for ax, artists in shown:
            for artist in sorted(artists, key=Artist.get_zorder):
                ax.draw_artist(artist)
        file, pixels = io.BytesIO(), Image.fromarray(np.asarray(self.canvas.buffer_rgba()))
        # The file goes to a browser on the same machine: time counts, not size.
        pixels.convert("RGB").save(file, "png", compress_level=1)
        return file.getvalue()


def stage(draw: Callable[..., None], *, play: tuple[str, float, int] | None = None, **controls: Any) -> Any:
    """Widgets to show: controls in rows above a picture that `draw` fills again whenever one is moved.

    Args:
        draw: draws with the controls' values, as `Picture` takes it.
        play: a button that walks one slider step by step from where it stands first to an end: the slider's
            name, the end, and the milliseconds between steps.
        controls: widgets with a value, named as the arguments of `draw`; `widgets.fixed` for one that stands.
    """
    import ipywidgets as widgets

    picture, shown = Picture(draw), widgets.Image(format="png")

    def paint(_: object = None) -> None:
        shown.value = picture.paint(**{name: control.value for name, control in controls.items()})

    paint()
    width = f"{picture.canvas.get_width_height()[0]}px"
    shown.layout = widgets.Layout(width=width, max_width="100%")
    moved = [control for control in controls.values() if isinstance(control, widgets.DOMWidget)]
    sliders = (widgets.FloatSlider, widgets.IntSlider, widgets.FloatLogSlider, widgets.SelectionSlider)
    for control in moved:
        control.observe(paint, "value")
        control.style.description_width = "initial"
        if isinstance(control, widgets.ToggleButtons):
            control.style.button_width = "auto"
        flex = "1 1 240px" if isinstance(control, sliders) else "0 0 auto"
        control.layout = widgets.Layout(flex=flex, width="auto")
    buttons = [] if play is None else [_play_button(controls[play[0]], *play[1:])]
    row = widgets.Layout(flex_flow="row wrap", align_items="center", width=width, max_width="100%")
    return widgets.VBox([widgets.Box([*buttons, *moved], layout=row), shown])


def _play_button(slider: Any, last: float, milliseconds: int) -> Any:
    """A button that walks a slider from its value to `last`."""
    import ipywidgets as widgets

    first, steps = slider.value, round(abs(last - slider.value) / slider.step)
    button = widgets.Play(min=0, max=steps, interval=milliseconds, layout=widgets.Layout(flex="0 0 auto"))

    def walk(change: dict) -> None:
        slider.value = first + (last - first) * change["new"] / steps

    button.observe(walk, "value")
    return button
