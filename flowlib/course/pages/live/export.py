"""A flow of flowlib as plain numbers that flow.js builds again in a page.

    flow_spec(flow) -> {"dim": 2, "base": {"kind": "normal", ...}, "layers": [{"kind": "coupling", ...}, ...]}

What it returns goes into a page as JSON. Weights of nets are base64 of float32, little endian; all else are
numbers. flow.js knows the layers of points: no images, no context, no adaptive solvers. A flow that holds
anything else is refused in words.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

import numpy as np
import torch
from torch import Tensor, distributions, nn

from flowlib import base, scalar, splines
from flowlib.autoregressive import MaskedAutoregressive
from flowlib.bijection import Bijection, Inverse
from flowlib.continuous import FIXED_GRID, Continuous, VelocityMLP
from flowlib.coupling import Coupling
from flowlib.flow import Flow
from flowlib.linear import ActNorm, Linear, Permutation
from flowlib.nets import MLP, MaskedMLP
from flowlib.planar import Planar, Radial

__all__ = ["flow_spec", "layer_spec"]

Spec = dict[str, Any]
T = TypeVar("T")
ACTIVATIONS = {nn.ReLU: "relu", nn.Tanh: "tanh"}


@torch.no_grad()
def flow_spec(flow: Flow) -> Spec:
    """What `Flow.build` of flow.js takes: the base, and every layer in the order z -> x.

    Raises:
        ValueError: the flow takes a context, its points are not vectors or numbers, or flow.js does not
            know a layer, net, transformer or base of it.
    """
    if flow.context:
        raise ValueError(f"flow.js takes no context; this flow takes {flow.context} features")
    if len(flow.event_shape) > 1:
        raise ValueError(f"flow.js draws points, not events of shape {flow.event_shape}")
    dim = int(np.prod(flow.event_shape))
    layers = [layer_spec(layer, dim) for _, layer in flow.bijection.steps()]
    return {"dim": dim, "base": _base(flow.base, dim), "layers": layers}


@torch.no_grad()
def layer_spec(layer: Bijection, dim: int) -> Spec:
    """One layer of points of `dim` numbers, as `flow_spec` describes it."""
    if isinstance(layer, Inverse):
        inner = layer_spec(layer.bijection, dim)
        return {"kind": "inverse", "name": f"Inverse({inner['name']})", "layer": inner}
    return {"name": type(layer).__name__, **_known(LAYERS, "layer", layer)(layer, dim)}


def _known(table: Mapping[type, T], what: str, thing: object) -> T:
    """What describes things of this class; a subclass may have formulas of its own."""
    if type(thing) not in table:
        names = ", ".join(known.__name__ for known in table)
        raise ValueError(f"flow.js knows no {what} {type(thing).__name__}, only: {names}")
    return table[type(thing)]


# --------------------------------------------------------------------------- layers


def _affine(layer: scalar.Affine, dim: int) -> Spec:
    scale, shift = (_numbers(tensor.expand(dim)) for tensor in (layer.scale, layer.shift))
    return {"kind": "affine", "scale": scale, "shift": shift}


def _act_norm(layer: ActNorm, dim: int) -> Spec:
    return {
        "kind": "affine",
        "scale": _numbers(layer.log_scale.double().exp()),
        "shift": _numbers(layer.shift),
    }


def _linear(layer: Linear, dim: int) -> Spec:
    spec = {"kind": "linear", "matrix": _numbers(layer.weight())}
    return spec if layer.bias is None else spec | {"shift": _numbers(layer.bias)}


def _mixture_cdf(layer: scalar.MixtureCDF, dim: int) -> Spec:
    if dim != 1:
        raise ValueError(f"flow.js knows a MixtureCDF of numbers, not of {dim} variables")
    names = ("weights", "means", "scales")
    parts = zip(names, layer.components(), strict=True)
    return {"kind": "mixtureCDF"} | {name: _numbers(part.flatten()) for name, part in parts}


def _elementwise(layer: scalar.Elementwise, dim: int) -> Spec:
    params = layer.params.reshape(layer.transformer.count, dim)
    return {
        "kind": "elementwise",
        "transformer": _transformer(layer.transformer),
        "params": _numbers(params.T),
    }


def _planar(layer: Planar, dim: int) -> Spec:
    return {"kind": "planar", **{name: _numbers(getattr(layer, name)) for name in ("w", "u", "b")}}


def _radial(layer: Radial, dim: int) -> Spec:
    alpha, s = (value.item() for value in layer.constrained())
    return {"kind": "radial", "center": _numbers(layer.center), "alpha": alpha, "beta": s - alpha}


def _coupling(layer: Coupling, dim: int) -> Spec:
    net, count = layer.conditioner, layer.transformer.count
    if type(net) is not MLP:
        raise ValueError(f"flow.js knows couplings whose net is an MLP, not a {type(net).__name__}")
    weights: list[Weights] = [
        (layer.weight, layer.bias) for layer in net.layers if isinstance(layer, nn.Linear)
    ]
    moved = int((~layer.mask).sum())
    weights[-1] = _rows(*weights[-1], [m + c * moved for m in range(moved) for c in range(count)])
    weights[0] = _columns(*weights[0], net.period, range(int(layer.mask.sum())))
    activations = [part for part in net.layers if not isinstance(part, nn.Linear)]
    return {
        "kind": "coupling",
        "mask": layer.mask.tolist(),
        "net": _net(weights, activations, net.period),
        "transformer": _transformer(layer.transformer),
    }


def _autoregressive(layer: MaskedAutoregressive, dim: int) -> Spec:
    net, count = layer.net, layer.transformer.count
    if type(net) is not MaskedMLP:
        raise ValueError(f"flow.js knows autoregressive layers of a MaskedMLP, not of a {type(net).__name__}")
    # flow.js counts variables in the order of the layer, and keeps the parameters of each together.
    weights: list[Weights] = [(part.mask * part.weight, part.bias) for part in net.linears()]
    weights[-1] = _rows(*weights[-1], [i + c * dim for i in net.order for c in range(count)])
    weights[0] = _columns(*weights[0], net.period, net.order)
    ready = [torch.searchsorted(degree, torch.arange(dim), right=True).tolist() for degree in net.degrees]
    return {
        "kind": "autoregressive",
        "order": list(net.order),
        "net": _net(weights, [net.activation], net.period) | {"ready": ready},
        "transformer": _transformer(layer.transformer),
    }


def _continuous(layer: Continuous, dim: int) -> Spec:
    net = layer.net
    if type(net) is not VelocityMLP or len(net.layers) != 3:
        raise ValueError("flow.js knows the velocity of a VelocityMLP with two hidden layers")
    if layer.method not in FIXED_GRID or layer.trace != "exact":
        raise ValueError(
            f"flow.js knows {', '.join(FIXED_GRID)} and the exact trace; "
            f"this layer has method={layer.method!r}, trace={layer.trace!r}"
        )
    w1, w2, w3 = (part.weight for part in net.linears())
    return {
        "kind": "ode",
        "steps": layer.step_count,
        "method": layer.method,
        "net": {
            "layers": [_linear_layer(part.weight, part.bias) for part in net.linears()],
            "middle": _linear_layer(w2 * (w1 @ w3).T, torch.zeros(len(w2))),
            "time": _numbers(net.time),
            "activation": net.activation,
        },
    }


LAYERS: dict[type, Callable[[Any, int], Spec]] = {
    scalar.Affine: _affine,
    scalar.Exp: lambda layer, dim: {"kind": "exp"},
    scalar.Sigmoid: lambda layer, dim: {"kind": "sigmoid"},
    scalar.LeakyReLU: lambda layer, dim: {"kind": "leakyReLU", "slope": layer.slope},
    scalar.MixtureCDF: _mixture_cdf,
    scalar.Elementwise: _elementwise,
    Linear: _linear,
    Permutation: lambda layer, dim: {"kind": "permutation", "order": layer.order.tolist()},
    ActNorm: _act_norm,
    Planar: _planar,
    Radial: _radial,
    Coupling: _coupling,
    MaskedAutoregressive: _autoregressive,
    Continuous: _continuous,
}


# --------------------------------------------------------------------------- transformers and nets


def _affine_transformer(rule: scalar.AffineTransformer) -> Spec:
    return {"lowest": rule.lowest.item(), "rate": rule.rate.item()}


def _spline(rule: splines.SplineTransformer) -> Spec:
    return {name: getattr(rule, name) for name in ("bins", "bound", "min_bin", "min_slope")}


TRANSFORMERS: dict[type, Callable[[Any], Spec]] = {
    scalar.AffineTransformer: lambda rule: {"kind": "affineTransformer", **_affine_transformer(rule)},
    scalar.AffineToZ: lambda rule: {"kind": "affineToZ", **_affine_transformer(rule)},
    splines.SplineTransformer: lambda rule: {"kind": "splineTransformer", **_spline(rule)},
    splines.CircularSplineTransformer: lambda rule: (
        {"kind": "circularSpline", "shift": rule.shift, **_spline(rule)}
    ),
}


def _transformer(rule: scalar.Transformer) -> Spec:
    return _known(TRANSFORMERS, "transformer", rule)(rule)


Weights = tuple[Tensor, Tensor]  # of a linear layer, (outputs, inputs), and its bias, (outputs,)


def _rows(weight: Tensor, bias: Tensor, order: Iterable[int]) -> Weights:
    """The layer with its outputs in this order."""
    places = list(order)
    return weight[places], bias[places]


def _columns(weight: Tensor, bias: Tensor, period: float | None, order: Iterable[int]) -> Weights:
    """The layer with its inputs in this order; of an angle the cosine and the sine side by side."""
    variables = weight.shape[1] if period is None else weight.shape[1] // 2
    features = (0,) if period is None else (0, variables)
    return weight[:, [place + feature for place in order for feature in features]], bias


def _net(weights: list[Weights], activations: list[nn.Module], period: float | None) -> Spec:
    kinds = {type(part) for part in activations} or {nn.ReLU}  # a linear map has none
    unknown = [kind.__name__ for kind in kinds if kind not in ACTIVATIONS]
    if unknown:
        known = ", ".join(kind.__name__ for kind in ACTIVATIONS)
        raise ValueError(f"flow.js knows no activation {unknown[0]}, only: {known}")
    return {
        "layers": [_linear_layer(*pair) for pair in weights],
        "activation": ACTIVATIONS[kinds.pop()],
        "period": period,
    }


def _linear_layer(weight: Tensor, bias: Tensor) -> Spec:
    outputs, inputs = weight.shape
    return {"weight": _packed(weight), "bias": _packed(bias), "inputs": inputs, "outputs": outputs}


# --------------------------------------------------------------------------- bases


def _base(start: nn.Module, dim: int) -> Spec:
    if isinstance(start, base.Base):
        return _distribution(start.distribution, dim)
    return _known(BASES, "base", start)(start, dim)


def _distribution(start: distributions.Distribution, dim: int) -> Spec:
    while isinstance(start, distributions.Independent):
        start = start.base_dist
    kind, names = _known(DISTRIBUTIONS, "base", start)
    return {"kind": kind} | {to: _numbers(getattr(start, name).expand(dim)) for name, to in names.items()}


BASES: dict[type, Callable[[Any, int], Spec]] = {
    base.StandardNormal: lambda start, dim: {"kind": "normal", "dim": dim},
    base.DiagonalNormal: lambda start, dim: {
        "kind": "normal",
        "mean": _numbers(start.mean.reshape(dim)),
        "deviation": _numbers(start.deviation.reshape(dim)),
    },
    base.StudentT: lambda start, dim: _distribution(
        distributions.StudentT(
            start.df.reshape(dim), start.mean.reshape(dim), start.log_scale.exp().reshape(dim)
        ),
        dim,
    ),
    base.UniformAngles: lambda start, dim: {"kind": "angles", "dim": dim, "period": start.period},
}

# Of torch.distributions: the kind, and how flow.js calls each parameter.
DISTRIBUTIONS: dict[type, tuple[str, dict[str, str]]] = {
    distributions.Normal: ("normal", {"loc": "mean", "scale": "deviation"}),
    distributions.Uniform: ("uniform", {"low": "low", "high": "high"}),
    distributions.Beta: ("beta", {"concentration1": "a", "concentration0": "b"}),
    distributions.StudentT: ("studentT", {"df": "df", "loc": "mean", "scale": "scale"}),
}


# --------------------------------------------------------------------------- numbers


def _numbers(tensor: Tensor) -> Any:
    """As lists, nested like the tensor, in full precision."""
    return tensor.detach().double().cpu().tolist()


def _packed(tensor: Tensor) -> str:
    """Base64 of float32, little endian, row after row."""
    return base64.b64encode(tensor.detach().cpu().numpy().astype("<f4").tobytes()).decode()
