"""What code holds in memory while it runs: for tasks whose answers must forget.

with Meter(*inputs) as meter:
    loss = model(*inputs)
    kept = meter.now
    loss.backward()
print(kept, meter.most)
"""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

# A private module of torch, and the only one that sees what a backward pass makes.
from torch.utils._python_dispatch import TorchDispatchMode

__all__ = ["Meter"]


class Meter(TorchDispatchMode):
    """Counts the bytes of tensors made since it began that somebody still holds, wherever that is.

    Args:
        given: tensors that were there before; their memory does not count.

    Attributes:
        now: bytes held at this moment; tensors that share memory count once.
        most: the largest number of bytes held at one moment so far.
    """

    def __init__(self, *given: Tensor):
        super().__init__()
        self.now = self.most = 0
        self._known = weakref.WeakSet(tensor.untyped_storage() for tensor in given)

    def __torch_dispatch__(
        self, function: Callable, types: Any, args: tuple = (), kwargs: dict | None = None
    ) -> Any:
        result = function(*args, **(kwargs or {}))
        for made in result if isinstance(result, tuple | list) else [result]:
            if isinstance(made, torch.Tensor) and made.untyped_storage() not in self._known:
                memory = made.untyped_storage()
                self._known.add(memory)
                self.now += memory.nbytes()
                weakref.finalize(memory, self._freed, memory.nbytes())
        self.most = max(self.most, self.now)
        return result

    def _freed(self, count: int) -> None:
        self.now -= count
