"""Two ways for a deep flow to keep less for its backward pass: compute again from inputs, or from outputs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from flowlib.bijection import Bijection, Chain, Inverse, require
from flowlib.gradients import refuse_again
from flowlib.recording import beneath, transformed

__all__ = ["Checkpoint", "Reversible"]

LARGEST = 1e-3  # of the scale: by so much may an input that was computed again be off
ONCE = (
    "a gradient by Reversible cannot be differentiated again: take the chain itself, without Reversible, "
    "for second derivatives"
)


class Checkpoint(Bijection):
    """The same bijection with less memory: what it computes inside is computed again in the backward pass.

    Source: Chen et al., 2016, "Training Deep Nets with Sublinear Memory Cost".

    Example:
        >>> layer, z = Planar(2), torch.randn(5, 2)
        >>> Checkpoint(layer)(z)[0].equal(layer(z)[0])
        True
    """

    def __init__(self, bijection: Bijection):
        super().__init__()
        self.bijection = bijection
        self.event_shape, self.context = bijection.event_shape, bijection.context

    def forward(self, z: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        return self._run(self.bijection, z, context)

    def inverse(self, x: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        return self._run(self.bijection.inverse, x, context)

    def _run(self, function: Callable, values: Tensor, context: Tensor | None) -> tuple[Tensor, Tensor]:
        if not torch.is_grad_enabled():
            return function(values, context)
        return checkpoint(function, values, context, use_reentrant=False, preserve_rng_state=False)

    def shape_of_x(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        return self.bijection.shape_of_x(shape)

    def shape_of_z(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        return self.bijection.shape_of_z(shape)

    def steps(self) -> Iterator[tuple[str, Bijection]]:
        yield from self.bijection.steps()


class Reversible(Bijection):
    """The same chain, whose memory does not grow with its depth: inputs are computed again from outputs.

    Ordinary backprop keeps what each layer computed. A flow can do without, as its layers have inverses: only
    the ends of the chain are kept. The backward pass goes through the layers from the last to the first; each
    finds its input by its inverse, runs once more, with a graph, and gives its gradients.

    The price is time, an inverse and a second run of each layer, and digits: an input comes back with the
    rounding of all later layers, multiplied by how much their inverses stretch. So the chain's own input
    is kept and compared with what came back: gradients that would be worth little are refused.

    It suits layers whose inverse is a formula. A layer that draws noise draws it anew when it runs again; a
    net in training mode that changes from run to run (its norm is estimated) is not quite the same.
    Inside `torch.func` and under `torch.compile` the chain runs as it is.

    Source: Gomez et al., 2017, "The Reversible Residual Network: Backpropagation Without Storing
    Activations".

    Args:
        chain: a chain, whose parts are the layers, those of chains in it too; or one bijection.

    Raises:
        ValueError: in the backward pass, an input came back wrong by more than 1e-3 of the scale.
        RuntimeError: a second derivative was asked for.

    Example:
        >>> chain, z = Chain(*(Radial(2) for _ in range(8))), torch.randn(5, 2)
        >>> Reversible(chain)(z)[0].equal(chain(z)[0])
        True
    """

    def __init__(self, chain: Bijection):
        super().__init__()
        self.chain = chain
        self.event_shape, self.context = chain.event_shape, chain.context

    def forward(self, z: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        return self._run([*_parts(self.chain)], self.chain, z, context)

    def inverse(self, x: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        layers = [Inverse(layer) for layer in reversed([*_parts(self.chain)])]
        return self._run(layers, self.chain.inverse, x, context)

    def to_x(self, z: Tensor, context: Tensor | None = None) -> Tensor:
        return self.chain.to_x(z, context) if _as_it_is() else self(z, context)[0]

    def to_z(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        return self.chain.to_z(x, context) if _as_it_is() else self.inverse(x, context)[0]

    def _run(
        self, layers: Sequence[Bijection], function: Callable, values: Tensor, context: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        if _as_it_is():
            return function(values, context)
        self.check(values, context)
        parameters = list({id(p): p for layer in layers for p in layer.parameters()}.values())
        place = {id(parameter): number for number, parameter in enumerate(parameters)}
        named = [{name: place[id(p)] for name, p in layer.named_parameters()} for layer in layers]
        return _Recompute.apply(layers, named, values, context, *parameters)

    def shape_of_x(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        return self.chain.shape_of_x(shape)

    def shape_of_z(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        return self.chain.shape_of_z(shape)

    def steps(self) -> Iterator[tuple[str, Bijection]]:
        yield from self.chain.steps()


class _Recompute(torch.autograd.Function):
    """A chain of layers; `named` says of each which of the parameters are its own, and how it calls them."""

    @staticmethod
    def forward(
        ctx: Any,
        layers: Sequence[Bijection],
        named: Sequence[dict[str, int]],
        values: Tensor,
        context: Tensor | None,
        *parameters: Tensor,
    ) -> tuple[Tensor, Tensor]:
        end, terms = values, []
        for layer in layers:
            end, term = layer(end, context if layer.context else None)
            terms.append(term)
        end = end.clone() if end is values else end
        device = values.device.type
        ctx.autocast = device, torch.get_autocast_dtype(device), torch.is_autocast_enabled(device)
        ctx.layers, ctx.named = layers, named
        ctx.save_for_backward(values, end, context)
        # Not saved with them: they live on anyway. But then it is for us to see whether they are changed.
        ctx.parameters, ctx.versions = parameters, [p._version for p in parameters]
        return end, torch.stack(terms).sum(0)

    @staticmethod
    def backward(ctx: Any, by_end: Tensor, by_log_det: Tensor) -> tuple[Tensor | None, ...]:
        values, end, context = ctx.saved_tensors
        if [p._version for p in ctx.parameters] != ctx.versions:
            raise RuntimeError("a parameter was changed in place between the forward and the backward pass")
        output, by_output, by_log_det = end.detach(), by_end.detach(), by_log_det.detach()
        by_context: Tensor | None = None
        by_parameters: list[Tensor | None] = [None] * len(ctx.parameters)
        gaps = []
        with torch.autocast(*ctx.autocast):
            for layer, named in reversed([*zip(ctx.layers, ctx.named, strict=True)]):
                # The graph of this layer alone, from new leaves; by now it may hold other parameters
                # (torch.func.functional_call), so it is given those of then.
                own = {name: _leaf(ctx.parameters[place]) for name, place in named.items()}
                given = _leaf(context) if layer.context else None
                input_ = _input_of(layer, own, output, given)
                with torch.enable_grad():
                    again, term = torch.func.functional_call(layer, own, (input_, given))
                    leaves = [input_, given, *own.values()]
                    total = (again * by_output).sum() + (term * by_log_det).sum()
                    by_input, by_given, *by_own = _gradients(total, leaves)
                assert by_input is not None
                gaps.append(_gap(again.detach(), output))
                by_context = _plus(by_context, by_given)
                for place, gradient in zip(named.values(), by_own, strict=True):
                    by_parameters[place] = _plus(by_parameters[place], gradient)
                output, by_output = input_.detach(), by_input
        _require_close(torch.stack([*gaps, _gap(output, values)]).amax())
        results = [by_output, by_context, *by_parameters]
        if torch.is_grad_enabled():
            known = [gradient for gradient in results if gradient is not None]
            by = [by_end, by_log_det, values, context, *ctx.parameters]
            refused = iter(refuse_again(ONCE, known, by))
            results = [None if gradient is None else next(refused) for gradient in results]
        return None, None, *results


class _ToZ(nn.Module):
    """A layer's `to_z` as the call of a module, so that `functional_call` can give it parameters."""

    def __init__(self, layer: Bijection):
        super().__init__()
        self.layer = layer

    def forward(self, x: Tensor, context: Tensor | None) -> Tensor:
        return self.layer.to_z(x, context)


@torch.no_grad()
def _input_of(layer: Bijection, own: dict[str, Tensor], output: Tensor, context: Tensor | None) -> Tensor:
    """What a layer made its output of, as a leaf."""
    state = {f"layer.{name}": tensor for name, tensor in own.items()}
    return torch.func.functional_call(_ToZ(layer), state, (output, context)).detach().requires_grad_()


def _gradients(loss: Tensor, leaves: list[Tensor | None]) -> list[Tensor | None]:
    """By each leaf; None by one that is none or is not learned."""
    wanted = [leaf for leaf in leaves if leaf is not None and leaf.requires_grad]
    found = iter(torch.autograd.grad(loss, wanted, allow_unused=True))
    return [next(found) if leaf is not None and leaf.requires_grad else None for leaf in leaves]


def _leaf(tensor: Tensor) -> Tensor:
    return tensor.detach().requires_grad_(tensor.requires_grad)


def _plus(total: Tensor | None, gradient: Tensor | None) -> Tensor | None:
    return total if gradient is None else gradient if total is None else total + gradient


def _gap(found: Tensor, truth: Tensor) -> Tensor:
    """The largest error, relative to the number itself and the typical size of all."""
    scale = truth.square().mean().sqrt() + truth.abs()
    return ((found - truth).abs() / scale.clamp(min=torch.finfo(scale.dtype).tiny)).amax().float()


def _require_close(gap: Tensor) -> None:
    require(
        gap <= LARGEST,
        lambda: (
            f"Reversible: an input computed again from outputs is off by {float(beneath(gap)):.1g} of the "
            f"scale, at most {LARGEST:g} is allowed: the gradients would be wrong. The layers stretch too "
            "much for this precision, or one is not invertible: use Checkpoint, float64, or layers that "
            "stretch less"
        ),
    )


def _as_it_is() -> bool:
    """Whether the chain should just run: no gradient will be asked for, or others take it their way."""
    others = torch.compiler.is_compiling() or transformed() or torch.autograd.forward_ad._current_level >= 0
    return others or not torch.is_grad_enabled()


def _parts(bijection: Bijection) -> Iterator[Bijection]:
    """The layers, those of chains in chains too. (A subclass of Chain may compute as one.)"""
    if type(bijection) is Chain:
        for layer in bijection:
            yield from _parts(layer)
    else:
        yield bijection
