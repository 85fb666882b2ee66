"""Names that have a new home, still found under the old one.

Each old module ends in `__getattr__ = moved.names(__name__)`. What the table lacks was never there.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module

__all__ = ["MODELS", "MOVED", "names"]

MODELS = ("PlanarFlow", "RadialFlow", "RealNVP", "NSF", "MAF", "IAF", "Glow", "CNF")
MOVED = {  # old module -> name -> new module
    "flowlib.flow": dict.fromkeys(("StandardNormal", "Base"), "flowlib.base")
    | dict.fromkeys((*MODELS, "couplings", "autoregressive_layers"), "flowlib.models"),
    "flowlib.image": {"Checkpoint": "flowlib.memory"},
    "flowlib.scalar": {"SplineTransformer": "flowlib.splines"},
    "flowlib.data": dict.fromkeys(("asset", "load_weights"), "flowlib.assets")
    | {"shared_table": "flowlib.table"},
    "flowlib.training": {"Workers": "flowlib.processes", "evaluate": "flowlib.table"},
    "flowlib.checks": dict.fromkeys(
        ("check_source", "hidden_seed", "hidden_seeds", "submitted_sources"), "flowlib.course.exercises.rules"
    )
    | {"log_det_mistakes": "flowlib.suspects", "Chain": "flowlib.bijection"},
    "flowlib.plots": dict.fromkeys(("trade_off", "trade_off_table"), "flowlib.table"),
    "flowlib.course.house": {"CourseError": "flowlib.course.folders"},
    "flowlib.course.grading.classes": dict.fromkeys(
        ("read_class", "read_times"), "flowlib.course.grading.intake"
    )
    | {"student_name": "flowlib.course.grading.names"},
}


def names(module: str) -> Callable[[str], object]:
    """The `__getattr__` of a module that some names have left."""

    def find(name: str) -> object:
        if name in MOVED[module]:
            return getattr(import_module(MOVED[module][name]), name)
        raise AttributeError(f"module {module!r} has no attribute {name!r}")

    return find
