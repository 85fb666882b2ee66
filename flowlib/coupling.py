"""Coupling layers: one part of the input stays, and says how the other part is transformed."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from flowlib.bijection import Bijection, as_sizes, fix, sum_event
from flowlib.scalar import Transformer

__all__ = ["MASKS", "Coupling", "check_two_parts", "make_mask"]

MASKS = ("half", "alternating", "checkerboard", "channel")


class Coupling(Bijection):
    """x_stay = z_stay;  x_move = transformer(z_move; conditioner(z_stay)).

    The Jacobian is block-triangular, with ones for the part that stays, so its determinant is the
    product of the transformer's derivatives, whatever the net between the blocks does. The
    inverse costs the same as forward: the net sees the same z_stay = x_stay.

    Args:
        event_shape: (D,) or D for vectors, (C, H, W) for images.
        mask: what stays: a name for `make_mask`, or a boolean tensor that broadcasts to the event
            shape, True where z stays. `~mask` swaps the parts.
        conditioner: the net, called with the part that stays and, if its attribute `context` (a number
            of features) is not 0, with the context (batch, context). With S entries that stay and
            M = D - S that move it maps (batch, S) to (batch, count * M), where
            count = transformer.count. The same holds of an image's channels if the mask has whole
            channels: (batch, S, H, W) -> (batch, count * M, H, W). For any other mask, such as a
            checkerboard, the net sees the whole image with zeros where it moves, and gives
            parameters for the whole image.
        transformer: the scalar function, such as `AffineTransformer()` or `SplineTransformer()`.

    Raises:
        ValueError: the mask does not fit the event, or leaves nothing to stay or to move (in one
            dimension it always does); or the conditioner's output has the wrong shape.

    Source: Dinh et al., 2017, "Density estimation using Real NVP", equations 4-9; Papamakarios et
    al., 2021, section 3.1.2.

    Example:
        >>> net = MLP(2, 2 * 2)  # sees the 2 that stay, gives 2 parameters for each of the 2 that move
        >>> layer = Coupling(4, "half", net, AffineTransformer())
        >>> layer(torch.randn(5, 4))[1].shape
        torch.Size([5])
    """

    mask: Tensor
    order: Tensor
    back: Tensor

    def __init__(
        self,
        event_shape: int | Sequence[int],
        mask: str | Tensor | Sequence[bool],
        conditioner: nn.Module,
        transformer: Transformer,
    ):
        super().__init__()
        self.event_shape = as_sizes(event_shape)
        check_two_parts(self.event_shape)
        mask = (
            make_mask(self.event_shape, mask)
            if isinstance(mask, str)
            else torch.as_tensor(mask, device="cpu")
        )
        if mask.dtype != torch.bool:
            raise TypeError(f"mask must be boolean, True where the input stays; got {mask.dtype}")
        try:
            mask = mask.expand(self.event_shape)
        except RuntimeError as error:
            raise ValueError(
                f"mask of shape {tuple(mask.shape)} does not fit the event shape {self.event_shape}"
            ) from error
        if bool(mask.all()) or not bool(mask.any()):
            raise ValueError("the mask must leave something to stay (True) and something to move (False)")
        self.conditioner = conditioner
        self.context = getattr(conditioner, "context", 0)
        self.transformer = transformer

        channels = mask.flatten(1)[:, 0] if mask.dim() > 1 else mask
        self.by_channel = bool((mask == channels.view(-1, *[1] * (mask.dim() - 1))).all())
        # The two parts as blocks, the one that holds entry 0 in front: where the mask has just two
        # blocks, slices do, and nothing needs to be re-ordered.
        self.stay_first = bool(channels[0])
        first, second = (channels == channels[0]).nonzero()[:, 0], (channels != channels[0]).nonzero()[:, 0]
        self.sizes = [len(first), len(second)]
        order = torch.cat([first, second])
        self.in_blocks = bool((order.diff() > 0).all())
        fix(self, mask=mask.clone(), order=order, back=torch.argsort(order))

    def forward(self, z: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        self.check(z, context)
        return self._transform(self.transformer, z, context)

    def inverse(self, x: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        self.check(x, context)
        return self._transform(self.transformer.inverse, x, context)

    def _transform(self, function: Callable, values: Tensor, context: Tensor | None) -> tuple[Tensor, Tensor]:
        if not self.by_channel:
            kept = values * self.mask
            moved, log_derivative = function(values, self._params(kept, values, context))
            log_derivative = log_derivative.masked_fill(self.mask, 0.0)
            return torch.where(self.mask, values, moved), sum_event(log_derivative)
        stay, move = self._split(values)
        move, log_derivative = function(move, self._params(stay, move, context))
        return self._join(stay, move), sum_event(log_derivative)

    def _params(self, kept: Tensor, moved: Tensor, context: Tensor | None) -> Tensor:
        """The conditioner's answer, as (batch, count, *moved)."""
        params = self.conditioner(kept) if context is None else self.conditioner(kept, context)
        count, (batch, channels, *space) = self.transformer.count, moved.shape
        if params.shape != (batch, count * channels, *space):
            raise ValueError(
                f"the conditioner must return {count} parameters for each of {channels} entries, shape "
                f"{(batch, count * channels, *space)}; got {tuple(params.shape)}"
            )
        # Under autocast nets answer in bfloat16; the transformer keeps the precision of the values.
        return params.view(batch, count, channels, *space).to(moved.dtype)

    def _split(self, values: Tensor) -> tuple[Tensor, Tensor]:
        if not self.in_blocks:
            values = values.index_select(1, self.order)
        first, second = values.split_with_sizes(self.sizes, 1)
        return (first, second) if self.stay_first else (second, first)

    def _join(self, stay: Tensor, move: Tensor) -> Tensor:
        values = torch.cat((stay, move) if self.stay_first else (move, stay), 1)
        return values if self.in_blocks else values.index_select(1, self.back)

    def extra_repr(self) -> str:
        return f"event_shape={self.event_shape}, {int(self.mask.sum())} of {self.mask.numel()} entries stay"


def make_mask(event_shape: int | Sequence[int], kind: str) -> Tensor:
    """A boolean tensor of the event's shape, True for what stays; `~` gives the complement.

    Kinds: "half" (the first half of a vector; with an odd number the larger part), "alternating"
    (entries 0, 2, 4 ... of a vector), "channel" (the first half of an image's channels) and
    "checkerboard" (every second pixel, as a chess board's white fields).

    Raises:
        ValueError: an unknown kind, or one that does not fit the event's shape.

    Source: Dinh et al., 2017, section 3.4 and figure 3.
    """
    shape = as_sizes(event_shape)
    if kind not in MASKS:
        raise ValueError(f"mask must be one of {', '.join(MASKS)} or a boolean tensor, got {kind!r}")
    check_two_parts(shape)
    wanted = 1 if kind in ("half", "alternating") else 3
    if len(shape) != wanted:
        what = "vectors, event shape (D,)" if wanted == 1 else "images, event shape (C, H, W)"
        raise ValueError(f"a {kind} mask is for {what}; got event shape {shape}")
    place = torch.arange(shape[0], device="cpu")
    if kind == "alternating":
        return place % 2 == 0
    if kind == "checkerboard":
        row, column = (torch.arange(size, device="cpu") for size in shape[1:])
        return ((row[:, None] + column) % 2 == 0).expand(shape).clone()
    half = place < (shape[0] + 1) // 2
    return half if kind == "half" else half[:, None, None].expand(shape).clone()


def check_two_parts(event_shape: tuple[int, ...]) -> None:
    """Raise unless there is something to stay and something to move."""
    if math.prod(event_shape) < 2:
        raise ValueError(
            f"a coupling layer needs at least 2 dimensions, got event shape {event_shape}: one part "
            "must stay and tell how the other moves. In one dimension use an Elementwise transformer, or "
            "MAF, whose first variable needs no other."
        )
