"""Normalizing flows, small, right and fast. One flow family per file; read them in the order of the course.

The names most used can be had from here: `from flowlib import RealNVP, fit`. They are fetched when
asked for, so that commands which need no flow do not wait for torch.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # for editors, which read these lines instead of running `__getattr__`
    from flowlib.autoregressive import MaskedAutoregressive
    from flowlib.base import Base, DiagonalNormal, MixtureNormal, StandardNormal, StudentT, UniformAngles
    from flowlib.bijection import Bijection, Chain, Inverse
    from flowlib.checks import check_bijection, check_flow
    from flowlib.continuous import Continuous, VelocityMLP
    from flowlib.coupling import Coupling
    from flowlib.data import Standardizer
    from flowlib.flow import Flow
    from flowlib.image import Conv1x1, GlowStep, Squeeze, VariationalDequantization
    from flowlib.linear import ActNorm, Linear, Permutation
    from flowlib.lipschitz import LipschitzConvNet, LipschitzMLP
    from flowlib.memory import Checkpoint, Reversible
    from flowlib.mixtures import LogisticMixtureTransformer
    from flowlib.models import CNF, IAF, MAF, NSF, Glow, PlanarFlow, RadialFlow, RealNVP, ResidualFlow
    from flowlib.nets import MLP, ConvNet, MaskedMLP, ResidualMLP
    from flowlib.planar import Planar, Radial, Sylvester
    from flowlib.residual import Residual
    from flowlib.scalar import (
        Affine,
        AffineToZ,
        AffineTransformer,
        Elementwise,
        Exp,
        LeakyReLU,
        MixtureCDF,
        MixtureCDFTransformer,
        Sigmoid,
        Transformer,
    )
    from flowlib.spectral import LipSwish
    from flowlib.splines import (
        CircularSplineTransformer,
        PiecewiseLinearTransformer,
        PiecewiseQuadraticTransformer,
        SplineTransformer,
    )
    from flowlib.training import fit, fit_energy
    from flowlib.volume import AdditiveTransformer, Henon

__all__ = [
    "CNF", "IAF", "MAF", "MLP", "NSF", "ActNorm", "AdditiveTransformer", "Affine", "AffineToZ",
    "AffineTransformer", "Base", "Bijection", "Chain", "Checkpoint", "CircularSplineTransformer",
    "Continuous", "Conv1x1", "ConvNet", "Coupling", "DiagonalNormal", "Elementwise", "Exp", "Flow", "Glow",
    "GlowStep", "Henon", "Inverse", "LeakyReLU", "Linear", "LipSwish", "LipschitzConvNet", "LipschitzMLP",
    "LogisticMixtureTransformer", "MaskedAutoregressive", "MaskedMLP", "MixtureCDF",
    "MixtureCDFTransformer", "MixtureNormal", "Permutation", "PiecewiseLinearTransformer",
    "PiecewiseQuadraticTransformer", "Planar", "PlanarFlow", "Radial", "RadialFlow", "RealNVP", "Residual",
    "ResidualFlow", "ResidualMLP", "Reversible", "Sigmoid", "SplineTransformer", "Squeeze",
    "StandardNormal", "Standardizer", "StudentT", "Sylvester", "Transformer", "UniformAngles",
    "VariationalDequantization", "VelocityMLP", "check_bijection", "check_flow", "fit", "fit_energy",
]  # fmt: skip

_HOME = {
    "bijection": ("Bijection", "Chain", "Inverse"),
    "scalar": (
        *("Transformer", "AffineTransformer", "AffineToZ", "MixtureCDFTransformer"),
        *("Elementwise", "MixtureCDF", "Affine", "Exp", "Sigmoid", "LeakyReLU"),
    ),
    "splines": (
        *("PiecewiseLinearTransformer", "PiecewiseQuadraticTransformer"),
        *("SplineTransformer", "CircularSplineTransformer"),
    ),
    "mixtures": ("LogisticMixtureTransformer",),
    "volume": ("AdditiveTransformer", "Henon"),
    "linear": ("Linear", "Permutation", "ActNorm"),
    "planar": ("Planar", "Radial", "Sylvester"),
    "spectral": ("LipSwish",),
    "lipschitz": ("LipschitzConvNet", "LipschitzMLP"),
    "nets": ("MLP", "ResidualMLP", "Reversible", "ConvNet", "MaskedMLP"),
    "coupling": ("Coupling",),
    "memory": ("Checkpoint", "Reversible"),
    "image": ("Squeeze", "Conv1x1", "GlowStep", "VariationalDequantization"),
    "autoregressive": ("MaskedAutoregressive",),
    "residual": ("Residual",),
    "continuous": ("Continuous", "VelocityMLP"),
    "base": ("StandardNormal", "DiagonalNormal", "MixtureNormal", "StudentT", "UniformAngles", "Base"),
    "flow": ("Flow",),
    "models": ("PlanarFlow", "RadialFlow", "RealNVP", "NSF", "MAF", "IAF", "Glow", "CNF", "ResidualFlow"),
    "training": ("fit", "fit_energy"),
    "data": ("Standardizer",),
    "checks": ("check_bijection", "check_flow"),
}
_MODULE_OF = {name: module for module, names in _HOME.items() for name in names}


def __getattr__(name: str) -> Any:
    if name in _MODULE_OF:
        return getattr(import_module(f"flowlib.{_MODULE_OF[name]}"), name)
    if name == "__version__":
        return import_module("importlib.metadata").version("flowlib")
    raise AttributeError(f"module 'flowlib' has no attribute {name!r}")


def __dir__() -> list[str]:
    return [*globals(), "__version__", *__all__]
