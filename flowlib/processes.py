"""Training in several processes, as `torchrun` starts them: who computes what, and how they agree."""

from __future__ import annotations

import atexit
import os

import torch
import torch.distributed as dist
from torch import Tensor, nn

__all__ = ["Workers"]


class Workers:
    """The processes that train together: one, or those that `torchrun` started.

    Args:
        device: where this process computes.

    Example:
        >>> workers = Workers("cpu")  # without `torchrun` there is one
        >>> workers.rank, workers.count
        (0, 1)
    """

    def __init__(self, device: str | torch.device):
        self.device = torch.device(device)
        if int(os.environ.get("WORLD_SIZE", 1)) > 1 and not dist.is_initialized():
            dist.init_process_group("nccl" if self.device.type == "cuda" else "gloo")
            atexit.register(dist.destroy_process_group)
        self.rank = dist.get_rank() if dist.is_initialized() else 0
        self.count = dist.get_world_size() if dist.is_initialized() else 1

    def sum(self, value: Tensor) -> Tensor:
        """The sum of everybody's `value`, in place."""
        if self.count > 1:
            dist.all_reduce(value)
        return value

    def share(self, rows: Tensor) -> Tensor:
        """This process's part of a batch."""
        return rows if self.count == 1 else rows[self.rank :: self.count]

    def sum_gradients(self, parameters: list[nn.Parameter]) -> None:
        """Replace every gradient by the sum of everybody's, through one flat buffer."""
        if self.count == 1:
            return
        gradients = []
        for parameter in parameters:
            if parameter.grad is None:
                parameter.grad = torch.zeros_like(parameter)
            gradients.append(parameter.grad)
        flat = self.sum(torch.cat([gradient.flatten() for gradient in gradients]))
        sums = flat.split([gradient.numel() for gradient in gradients])
        for gradient, total in zip(gradients, sums, strict=True):
            gradient.copy_(total.view_as(gradient))

    def agree(self, flow: nn.Module) -> None:
        """Give every process the weights and buffers of the first."""
        if self.count > 1:
            for tensor in (*flow.parameters(), *flow.buffers()):
                dist.broadcast(tensor.data, 0)
