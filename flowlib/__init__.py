"""Normalizing flows, small, right and fast. One flow family per file; read them in the order of the course.

The names most used can be had from here: `from flowlib import RealNVP, fit`. They are fetched when
asked for, so that commands which need no flow do not wait for torch.
"""

from importlib import import_module

_HOME = {
    "bijection": ("Bijection", "Chain", "Inverse"),
    "base": ("StandardNormal",),
    "flow": ("Flow",),
    "models": ("PlanarFlow", "RadialFlow", "RealNVP", "NSF", "MAF", "IAF", "Glow", "CNF"),
    "training": ("fit", "fit_energy"),
    "checks": ("check_bijection", "check_flow"),
}
_MODULE_OF = {name: module for module, names in _HOME.items() for name in names}
__all__ = sorted(_MODULE_OF)


def __getattr__(name: str):
    if name in _MODULE_OF:
        return getattr(import_module(f"flowlib.{_MODULE_OF[name]}"), name)
    raise AttributeError(f"module 'flowlib' has no attribute {name!r}")


def __dir__() -> list[str]:
    return [*globals(), *__all__]
