"""Fit a flow to data or to an energy: one loop for a laptop, a GPU, and several of them under `torchrun`."""

from __future__ import annotations

import math
import os
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn
from tqdm import tqdm

from flowlib import moved
from flowlib.processes import Workers
from flowlib.recording import Repeater


@dataclass
class History:
    """What a training run recorded, once every `evaluate_every` steps.

    Attributes:
        steps: after how many steps each record was made.
        train: the mean training loss since the record before, in nats unless the loss says otherwise.
        valid: the validation loss at that step; empty without validation data.
        best_step: the step whose weights were kept: that of the lowest validation loss, or the last if
            none was finite or there was none.
        seconds: how long the run took.
        stopped_early: whether `patience` ran out before the steps did.
        recorded: whether the steps were replayed from a recording, as on a GPU they may be.
        obstacle: what kept them from being recorded, if that was tried.
    """

    steps: list[int] = field(default_factory=list)
    train: list[float] = field(default_factory=list)
    valid: list[float] = field(default_factory=list)
    best_step: int = 0
    seconds: float = 0.0
    stopped_early: bool = False
    recorded: bool = False
    obstacle: str = ""

    def __repr__(self) -> str:
        if not self.steps:
            return "History(nothing recorded)"
        # Without the seconds: a notebook that shows this prints the same thing twice.
        text = f"History({self.steps[-1]:,} steps{' (stopped early)' if self.stopped_early else ''}"
        text += f", train {self.train[-1]:.3f}"
        if self.valid:
            text += f", valid {min(self.valid):.3f} at step {self.best_step:,}"
        return text + ")"


def fit(
    flow: nn.Module,
    x: Tensor,
    valid: Tensor | None = None,
    *,
    context: Tensor | None = None,
    valid_context: Tensor | None = None,
    steps: int | None = None,
    epochs: int | None = None,
    batch_size: int = 256,
    lr: float = 1e-3,
    weight_decay: float = 0.0,
    clip: float | None = 10.0,
    schedule: str | None = "cosine",
    evaluate_every: int | None = None,
    patience: int | None = None,
    loss: Callable | None = None,
    device: str | torch.device = "auto",
    record: bool | str = "auto",
    seed: int = 0,
    progress: bool | str = "auto",
) -> History:
    """Fit by maximum likelihood with AdamW: lower the mean of -log p(x). The flow is changed in place.

    With validation data, the weights of the lowest validation loss are the ones that stay. The same
    seed gives the same result on the same machine: batches, and whatever noise the flow draws, come
    from it, and the state of torch's own generator is left as it was.

    Under `torchrun` every process calls `fit` with the same arguments. Each batch is shared out, the
    gradients are averaged, and all end with the same weights, those that one process would have found.

    Args:
        flow: anything with `log_prob(x)`, or `log_prob(x, context)` if context is given.
        x, valid: data to fit and to validate, (n, *event).
        context, valid_context: one row for each row of x and valid, (n, context).
        steps: updates to make, 1,000 if neither this nor `epochs` is given.
        epochs: passes over the data, instead of `steps`. A pass drops the last, incomplete batch.
        batch_size: rows for each update, over all processes together.
        clip: the largest norm of the gradient; a longer one is shortened. None: never.
        schedule: "cosine" lowers the learning rate to 0 along half a cosine; None keeps it.
        evaluate_every: steps between two records; by default a fiftieth of the run.
        patience: stop after so many records without a lower validation loss.
        loss: instead of maximum likelihood, loss(flow, x, context) -> (batch,) or their mean.
        device: where to train. "auto": a GPU if there is one. Afterwards the flow is back where it was.
        record: on a GPU, record the fourth step and replay it, several times faster than step by step
            (see `flowlib.recording`). "auto" does so where it can and pays, and warns where the step
            cannot be recorded, saying what prevents it; True raises there; False never records. A loss
            that changes with Python variables from step to step needs False.
        progress: show a bar; "auto" shows it in a terminal only, so notebooks save no trace of it.

    Returns:
        The History of the run.

    Raises:
        FloatingPointError: the training loss is infinite or not a number. Names the step and the
            parameter that had the largest gradient. On a GPU, where looking at every loss would make
            it wait, this is noticed at the next record, and so is x outside the flow's domain.
        RuntimeError: record=True, and the step cannot be recorded; or a recorded step is at the end no
            longer the one that was recorded.
        ValueError: arguments that contradict each other, or no rows.
    """
    if len(x) == 0:
        raise ValueError(f"expected at least one row to fit, got x of shape {tuple(x.shape)}")
    if valid is not None and len(valid) == 0:
        raise ValueError("valid holds no rows: pass None, or at least one")
    _check_batch_size(batch_size)
    for rows, extra, name in ((x, context, "context"), (valid, valid_context, "valid_context")):
        if extra is not None and (rows is None or len(extra) != len(rows)):
            wanted = "no validation data" if rows is None else f"{len(rows)} rows of data"
            raise ValueError(f"{name} has {len(extra)} rows, for {wanted}")
    if valid is not None and context is not None and valid_context is None:
        raise ValueError("the flow is fitted with context: its validation needs valid_context= as well")
    if patience is not None and valid is None:
        raise ValueError("patience= watches the validation loss: pass validation data as well")
    batch_size = min(batch_size, len(x))
    steps = _count_steps(steps, epochs, len(x) // batch_size)
    loss = loss or negative_log_likelihood
    workers = Workers(best_device() if device == "auto" else device)

    def batches(generator: torch.Generator, device: torch.device) -> Iterator[tuple[Tensor, Tensor | None]]:
        rows, extra = x.to(device), None if context is None else context.to(device)
        while True:
            # Shuffling once an epoch makes every batch a slice, which copies nothing.
            order = torch.randperm(len(rows), generator=generator).to(device)
            shuffled, extra_shuffled = rows[order], None if extra is None else extra[order]
            for first in range(0, len(rows) - batch_size + 1, batch_size):
                part = slice(first, first + batch_size)
                yield shuffled[part], None if extra is None else extra_shuffled[part]

    def validate(device: torch.device) -> float:
        parts = [valid[workers.rank :: workers.count]]
        parts.append(None if valid_context is None else valid_context[workers.rank :: workers.count])
        total = 0.0
        for first in range(0, len(parts[0]), VALIDATION_ROWS):
            rows, extra = (
                None if part is None else part[first : first + VALIDATION_ROWS].to(device) for part in parts
            )
            total += loss(flow, rows, extra).mean().item() * len(rows)
        return workers.sum(torch.tensor(total, device=device)).item() / len(valid)

    return _train(
        flow,
        batches,
        loss,
        validate if valid is not None else None,
        workers,
        steps=steps,
        lr=lr,
        weight_decay=weight_decay,
        clip=clip,
        schedule=schedule,
        evaluate_every=evaluate_every,
        patience=patience,
        record=record,
        seed=seed,
        progress=progress,
    )


def fit_energy(
    flow: nn.Module,
    log_density: Callable[[Tensor], Tensor],
    *,
    steps: int = 1000,
    batch_size: int = 256,
    lr: float = 1e-3,
    weight_decay: float = 0.0,
    clip: float | None = 10.0,
    schedule: str | None = "cosine",
    evaluate_every: int | None = None,
    device: str | torch.device = "auto",
    record: bool | str = "auto",
    seed: int = 0,
    progress: bool | str = "auto",
) -> History:
    """Fit to a density known up to a constant: lower the reverse KL, the mean of log q(x) - log p̃(x), x ~ q.

    The loss is KL(q ‖ p) - log Z, where Z is the integral of p̃: it may be negative, and its lowest
    value is -log Z. Draws are fresh at every step, so no validation is needed.

    Args:
        flow: a Flow; its cheap direction should be the generating one.
        log_density: (batch, *event) -> (batch,), the logarithm of p̃, the unnormalised density.
        The rest as in `fit`.

    Source: Rezende & Mohamed, 2015, "Variational Inference with Normalizing Flows", equation 15.
    """
    _check_batch_size(batch_size)

    def batches(generator, device):
        while True:
            # The rows are only counted; every process draws its share of them.
            yield torch.empty(batch_size, device=device), None

    def loss(flow, rows, context):
        draws, log_q = flow.sample_with_log_prob(len(rows))
        return log_q - log_density(draws)

    return _train(
        flow,
        batches,
        loss,
        None,
        Workers(best_device() if device == "auto" else device),
        steps=_count_steps(steps, None, 1),
        lr=lr,
        weight_decay=weight_decay,
        clip=clip,
        schedule=schedule,
        evaluate_every=evaluate_every,
        patience=None,
        record=record,
        seed=seed,
        progress=progress,
    )


def negative_log_likelihood(flow: nn.Module, x: Tensor, context: Tensor | None = None) -> Tensor:
    """-log p(x), in nats: (batch, *event) -> (batch,)."""
    return -(flow.log_prob(x) if context is None else flow.log_prob(x, context))


VALIDATION_ROWS = 8192


def _check_batch_size(batch_size: int) -> None:
    if batch_size < 1:
        raise ValueError(f"expected batch_size >= 1, got {batch_size}")


def _count_steps(steps: int | None, epochs: int | None, per_epoch: int) -> int:
    if steps is not None and epochs is not None:
        raise ValueError(f"expected steps or epochs, got both: steps={steps}, epochs={epochs}")
    steps = epochs * per_epoch if epochs is not None else 1000 if steps is None else steps
    if steps < 1:
        raise ValueError(f"expected at least one step, got {steps}")
    return steps


def best_device() -> torch.device:
    """The GPU if there is one (under `torchrun`, this process's own), else the CPU."""
    if torch.cuda.is_available():
        return torch.device("cuda", int(os.environ.get("LOCAL_RANK", 0)))
    return torch.device("cpu")


class NotFinite(FloatingPointError):
    """A loss that is infinite or not a number; its argument is the loss."""


class Update:
    """One step of training: the loss of a batch, its gradients, clipping, the optimiser.

    Args:
        flow: the model; those of its parameters that require gradients are trained.
        loss: loss(flow, x, context) -> (batch,) or their mean.
        lr, weight_decay: of AdamW.
        clip: the largest norm of the gradient, or None.
        workers: the processes that share each batch.

    Attributes:
        total: the sum of the losses so far, a tensor on the device; set it to zero at will, in place.
    """

    def __init__(
        self,
        flow: nn.Module,
        loss: Callable,
        *,
        lr: float = 1e-3,
        weight_decay: float = 0.0,
        clip: float | None = 10.0,
        workers: Workers | None = None,
    ):
        self.flow, self.loss, self.clip = flow, loss, clip
        self.parameters = [p for p in flow.parameters() if p.requires_grad]
        device = self.parameters[0].device
        self.workers = workers or Workers(best_device() if device == "auto" else device)
        # One kernel for all parameters: 2 to 10 times faster than the default on small nets. A recorded
        # step reads the rate where it lies, so on a GPU it is a tensor.
        on_gpu = device.type == "cuda"
        self.optimizer = torch.optim.AdamW(
            self.parameters,
            lr=torch.tensor(lr, device=device) if on_gpu else lr,
            weight_decay=weight_decay,
            fused=on_gpu or device.type == "cpu",
            capturable=on_gpu,
        )
        self.total = torch.zeros((), device=device)
        # On a GPU a look at the loss waits for it to be computed, so there it happens at records only.
        self.looks = device.type == "cpu"

    def set_rate(self, lr: float) -> None:
        """The learning rate from now on."""
        (group,) = self.optimizer.param_groups
        if isinstance(group["lr"], Tensor):
            group["lr"].fill_(lr)
        else:
            group["lr"] = lr

    def __call__(self, rows: Tensor, context: Tensor | None = None) -> None:
        """Change the weights by one batch: (batch, *event) and (batch, context).

        Raises:
            NotFinite: on a CPU, if the loss is no number; the weights are then as before.
        """
        mine = self.workers.share(rows)
        # Weighted, so that the sum over processes is the mean over the batch.
        value = self.loss(self.flow, mine, self.workers.share(context)).mean() * (len(mine) / len(rows))
        if self.looks and not math.isfinite(value.item()):
            raise NotFinite(value.item())
        self.optimizer.zero_grad(set_to_none=True)
        value.backward()
        self.workers.sum_gradients(self.parameters)
        if self.clip is not None:
            nn.utils.clip_grad_norm_(self.parameters, self.clip, foreach=True)
        self.optimizer.step()
        self.total.add_(value.detach())


# A recording costs about a fifth of a second, and saves a few milliseconds a step.
WORTH_RECORDING = 50


def _repeater(update: Update, steps: int, record: bool | str) -> Repeater:
    """The step as `fit` repeats it: recorded where `record`, the device and the number of steps allow."""
    if record not in (True, False, "auto"):
        raise ValueError(f'expected record=True, False or "auto", got {record!r}')
    device, alone = update.total.device, update.workers.count == 1
    if record is True and not (device.type == "cuda" and alone):
        where = f"{update.workers.count} processes" if not alone else f"device {device}"
        raise ValueError(f'record=True needs one process on a GPU, got {where}: pass record="auto"')
    worth = record is True or (record == "auto" and steps >= WORTH_RECORDING)
    return Repeater(update, watched=worth and device.type == "cuda" and alone)


def _train(
    flow,
    batches,
    loss,
    validate,
    workers,
    *,
    steps,
    lr,
    weight_decay,
    clip,
    schedule,
    evaluate_every,
    patience,
    record,
    seed,
    progress,
) -> History:
    if schedule not in ("cosine", None):
        raise ValueError(f'expected schedule="cosine" or None, got {schedule!r}')
    named = [(name, parameter) for name, parameter in flow.named_parameters() if parameter.requires_grad]
    if not named:
        raise ValueError("the flow has no parameter to train")
    device, home, was_training = workers.device, named[0][1].device, flow.training
    evaluate_every = evaluate_every or max(1, steps // 50)
    if progress == "auto":
        progress = sys.stderr.isatty()
    history, best, best_valid, strikes = History(), None, math.inf, 0
    started = time.perf_counter()
    devices = [device] if device.type == "cuda" else []
    with (
        torch.random.fork_rng(devices),
        tqdm(total=steps, disable=not progress or workers.rank > 0, leave=False, unit="step") as bar,
    ):
        # Everybody shuffles alike, and draws noise of their own.
        generator = torch.Generator().manual_seed(seed)
        torch.manual_seed(seed + workers.rank)
        try:
            flow.to(device).train()
            workers.agree(flow)
            update = Update(flow, loss, lr=lr, weight_decay=weight_decay, clip=clip, workers=workers)
            step_with, last_record = _repeater(update, steps, record), 0
            for step, (rows, context) in zip(range(1, steps + 1), batches(generator, device), strict=False):
                if step == 1 and workers.count > 1:
                    # Layers that start from their first batch must see the same one everywhere.
                    with torch.no_grad():
                        loss(flow, rows, context)
                if schedule:
                    update.set_rate(0.5 * lr * (1 + math.cos(math.pi * (step - 1) / steps)))
                try:
                    (step_with if step < steps else step_with.check)(rows, context)
                except NotFinite as error:
                    raise _diverged(str(step), error.args[0], named) from None
                if step_with.obstacle and not history.obstacle:
                    history.obstacle = step_with.obstacle
                    _say_why(history.obstacle, record)
                bar.update()
                if step % evaluate_every and step != steps:
                    continue

                step_with.raise_if_failed()
                train = float(workers.sum(update.total)) / (step - last_record)
                if not math.isfinite(train):
                    raise _diverged(f"{last_record + 1}–{step}", train, named)
                history.steps.append(step)
                history.train.append(train)
                update.total.zero_()
                last_record = step
                if validate is None:
                    bar.set_postfix(train=f"{train:.3f}", refresh=False)
                    continue
                flow.eval()
                with torch.no_grad():
                    history.valid.append(validate(device))
                flow.train()
                bar.set_postfix(train=f"{train:.3f}", valid=f"{history.valid[-1]:.3f}", refresh=False)
                if history.valid[-1] < best_valid:
                    best_valid, strikes, history.best_step = history.valid[-1], 0, step
                    best = {name: tensor.clone() for name, tensor in flow.state_dict().items()}
                else:
                    strikes += 1
                    if patience is not None and strikes >= patience:
                        history.stopped_early = step < steps
                        break
            history.recorded = step_with.replays
        finally:
            # Also after an interruption: what was learned up to the best record stays.
            if best is not None:
                flow.load_state_dict(best)
            flow.to(home).train(was_training)
    if best is None:
        history.best_step = history.steps[-1]
    history.seconds = time.perf_counter() - started
    return history


def _say_why(obstacle: str, record: bool | str) -> None:
    """Once a run: what keeps its step from being recorded."""
    if record is True:
        raise RuntimeError(f"the training step cannot be recorded: {obstacle}")
    warnings.warn(
        f"the training step cannot be recorded and runs step by step, several times slower: {obstacle}. "
        "record=False says that this is meant.",
        stacklevel=4,
    )


def _diverged(step: str, value: float, named: list[tuple[str, nn.Parameter]]) -> FloatingPointError:
    """The error for a loss that is no number, with the likeliest culprit: the steepest parameter."""
    text = f"the training loss became {value} at step {step}"
    with torch.no_grad():
        steepest = {name: float(p.grad.abs().max()) for name, p in named if p.grad is not None}
    if steepest:
        # Anything that is not a number counts as the largest.
        name = max(steepest, key=lambda key: steepest[key] if math.isfinite(steepest[key]) else math.inf)
        text += f". The largest gradient before that was {steepest[name]:.3g}, in {name}"
    return FloatingPointError(
        f"{text}. Look for values outside the flow's domain or base, lower lr or clip, or bound the scales."
    )


__getattr__ = moved.names(__name__)
