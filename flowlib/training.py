"""Fit a flow to data or to an energy: one loop for a laptop, a GPU, and several of them under `torchrun`."""

from __future__ import annotations

import math
import os
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial

import torch
from torch import Tensor, nn
from tqdm import tqdm

from flowlib import moved
from flowlib.failures import diverged, warn_of_scale
from flowlib.flow import Flow
from flowlib.inputs import whole_number
from flowlib.processes import Workers
from flowlib.recording import Repeater
from flowlib.rows import Batch, Rows, read_rows

__all__ = [
    "VALIDATION_ROWS", "History", "NotFinite", "Settings", "Update", "best_device", "fit", "fit_energy",
    "negative_log_likelihood",
]  # fmt: skip


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

    Example:
        >>> fit(RealNVP(2, layers=2), torch.randn(256, 2), steps=20, device="cpu").steps[-1]
        20
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
    weights: Tensor | None = None,
    valid_weights: Tensor | None = None,
    steps: int | None = None,
    epochs: int | None = None,
    batch_size: int = 256,
    lr: float = 1e-3,
    weight_decay: float = 0.0,
    clip: float | None = 10.0,
    schedule: str | None = "cosine",
    evaluate_every: int | None = None,
    patience: int | None = None,
    loss: Callable[..., Tensor] | None = None,
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
        flow: anything with `log_prob(x)`, or `log_prob(x, context)` if context is given. A compiled flow,
            `torch.compile(flow)`, trains through what was compiled.
        x, valid: data to fit and to validate, (n, *event).
        context, valid_context: one row for each row of x and valid, (n, context).
        weights, valid_weights: how much each row counts, (n,), at least 0: the losses are weighted means. A
            row of weight 2 counts as two rows would. Without them all rows count the same.
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
        FloatingPointError: the training loss, or a gradient, is infinite or not a number. Names the step
            and what broke first: a parameter's gradient, or a layer. On a GPU, where looking at every
            loss would make it wait, this is noticed at the next record, and so is x outside the flow's
            domain.
        RuntimeError: record=True, and the step cannot be recorded; or a recorded step is at the end no
            longer the one that was recorded.
        TypeError: data that are no tensors, or not of the flow's dtype; a model without `log_prob`.
        ValueError: arguments that contradict each other, no rows, or a number in the data that is not
            finite: named with its row and column.

    Warns:
        UserWarning: x is far from where the flow starts, a sign that it was not standardised.
    """
    if loss is None:
        _check_scores(flow)
    data, held_out = read_rows(x, valid, context, valid_context, weights, valid_weights)
    _check_batch_size(batch_size)
    if patience is not None and valid is None:
        raise ValueError("patience= watches the validation loss: pass validation data as well")
    if loss is None and isinstance(flow, Flow):
        warn_of_scale(flow, x, context)
    batch_size = min(batch_size, len(x))
    loss = loss or negative_log_likelihood
    workers = Workers(best_device() if device == "auto" else device)
    settings = Settings(
        steps=_count_steps(steps, epochs, len(x) // batch_size),
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
    validate = None if held_out is None else _validation(flow, loss, held_out, workers)
    return _Run(flow, partial(data.batches, batch_size), loss, validate, workers, settings).train()


def fit_energy(
    flow: Flow,
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

    The other arguments are those of `fit`.

    Source: Rezende & Mohamed, 2015, "Variational Inference with Normalizing Flows", equation 15.
    """
    _check_batch_size(batch_size)

    def batches(generator: torch.Generator, device: torch.device) -> Iterator[Batch]:
        while True:
            # The rows are only counted; every process draws its share of them.
            yield torch.empty(batch_size, device=device), None, None

    def loss(flow: Flow, rows: Tensor, context: Tensor | None) -> Tensor:
        draws, log_q = flow.sample_with_log_prob(len(rows))
        return log_q - log_density(draws)

    workers = Workers(best_device() if device == "auto" else device)
    settings = Settings(
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
    return _Run(flow, batches, loss, None, workers, settings).train()


def negative_log_likelihood(flow: Flow, x: Tensor, context: Tensor | None = None) -> Tensor:
    """-log p(x), in nats: (batch, *event) -> (batch,)."""
    # A compiled flow is compiled where it is called; its `log_prob` would be the plain one.
    score = flow if _is_compiled(flow) else flow.log_prob
    return -(score(x) if context is None else score(x, context))


def _is_compiled(flow: nn.Module) -> bool:
    """Whether calling this flow runs what `torch.compile(flow)` or `flow.compile()` made of it."""
    return "_orig_mod" in flow._modules or flow._compiled_call_impl is not None


def _check_scores(flow: nn.Module) -> None:
    """Raise TypeError unless the model scores data."""
    if isinstance(flow, nn.Module) and callable(getattr(flow, "log_prob", None)):
        return
    advice = "pass a Flow, such as Flow(bijection, StandardNormal(D)), or a loss of your own: loss="
    if isinstance(getattr(flow, "module", None), nn.Module):
        advice = "pass what it wraps, wrapper.module: under `torchrun` fit shares out the batches itself"
    raise TypeError(f"fit needs a model with log_prob(x), got {type(flow).__name__}: {advice}")


def _weighted(losses: Tensor, weights: Tensor | None) -> Tensor:
    """Each row's loss times its weight; their mean is what is trained on."""
    if weights is None:
        return losses
    if losses.shape != weights.shape:
        raise ValueError(
            f"weights= needs a loss for each row, shape {tuple(weights.shape)}, got {tuple(losses.shape)}"
        )
    return losses * weights


VALIDATION_ROWS = 8192


def _validation(
    flow: nn.Module, loss: Callable[..., Tensor], data: Rows, workers: Workers
) -> Callable[[torch.device], float]:
    """A function of the device: the mean loss over all rows, shared out over the processes."""
    mine = data.share(workers)

    def validate(device: torch.device) -> float:
        total = 0.0
        for part in mine.slices(VALIDATION_ROWS, last=True):
            rows, context, weights = (None if some is None else some.to(device) for some in part)
            assert rows is not None
            total += _weighted(loss(flow, rows, context), weights).mean().item() * len(rows)
        return workers.sum(torch.tensor(total, device=device)).item() / len(data)

    return validate


def _check_batch_size(batch_size: int) -> None:
    if whole_number(batch_size, "batch_size", least=None) < 1:
        raise ValueError(f"expected batch_size >= 1, got {batch_size}")


def _count_steps(steps: int | None, epochs: int | None, per_epoch: int) -> int:
    if steps is not None and epochs is not None:
        raise ValueError(f"expected steps or epochs, got both: steps={steps}, epochs={epochs}")
    if epochs is not None:
        steps = whole_number(epochs, "epochs", least=None) * per_epoch
    steps = 1000 if steps is None else whole_number(steps, "steps", least=None)
    if steps < 1:
        raise ValueError(f"expected at least one step, got {steps}")
    return steps


def best_device() -> torch.device:
    """The GPU if there is one (under `torchrun`, this process's own), else the CPU."""
    if torch.cuda.is_available():
        return torch.device("cuda", int(os.environ.get("LOCAL_RANK", 0)))
    return torch.device("cpu")


class NotFinite(FloatingPointError):
    """A loss or a gradient that is infinite or not a number; its argument is the loss."""


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

    Example:
        >>> flow = RealNVP(2, layers=2)
        >>> step = Update(flow, negative_log_likelihood)
        >>> step(torch.randn(64, 2))  # the weights have moved
        >>> step.total > 0
        tensor(True)
    """

    def __init__(
        self,
        flow: nn.Module,
        loss: Callable[..., Tensor],
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

    def __call__(self, rows: Tensor, context: Tensor | None = None, weights: Tensor | None = None) -> None:
        """Change the weights by one batch: (batch, *event), (batch, context), and (batch,) to weight rows by.

        Raises:
            NotFinite: on a CPU, if the loss or a clipped gradient is no number; the weights are then as
                before.
        """
        mine = self.workers.share(rows)
        # Weighted, so that the sum over processes is the mean over the batch.
        given, heavy = (None if part is None else self.workers.share(part) for part in (context, weights))
        value = _weighted(self.loss(self.flow, mine, given), heavy).mean() * (len(mine) / len(rows))
        if self.looks and not math.isfinite(value.item()):
            raise NotFinite(value.item())
        self.optimizer.zero_grad(set_to_none=True)
        value.backward()
        self.workers.sum_gradients(self.parameters)
        if self.clip is not None:
            gradients = [p.grad for p in self.parameters if p.grad is not None]
            norm = nn.utils.get_total_norm(gradients, foreach=True)
            if self.looks and not math.isfinite(norm.item()) and not _all_finite(gradients):
                raise NotFinite(value.item())
            nn.utils.clip_grads_with_norm_(self.parameters, self.clip, norm, foreach=True)
        self.optimizer.step()
        self.total.add_(value.detach())


def _all_finite(tensors: list[Tensor]) -> bool:
    return all(bool(torch.isfinite(tensor).all()) for tensor in tensors)


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


@dataclass(frozen=True)
class Settings:
    """How to train, as `fit` explains it."""

    steps: int
    lr: float
    weight_decay: float
    clip: float | None
    schedule: str | None
    evaluate_every: int | None
    patience: int | None
    record: bool | str
    seed: int
    progress: bool | str

    def __post_init__(self) -> None:
        if self.schedule not in ("cosine", None):
            raise ValueError(f'expected schedule="cosine" or None, got {self.schedule!r}')
        for name in ("evaluate_every", "patience"):
            if getattr(self, name) is not None:
                whole_number(getattr(self, name), name, least=1)

    def rate(self, step: int) -> float:
        """The learning rate of a step, counted from 1."""
        if self.schedule is None:
            return self.lr
        return 0.5 * self.lr * (1 + math.cos(math.pi * (step - 1) / self.steps))

    def looks_at(self, step: int) -> bool:
        """Whether the run is recorded and validated after this step."""
        return step % (self.evaluate_every or max(1, self.steps // 50)) == 0 or step == self.steps

    @property
    def shows_progress(self) -> bool:
        return sys.stderr.isatty() if self.progress == "auto" else bool(self.progress)


@contextmanager
def _casts_anew(device: torch.device) -> Iterator[None]:
    """Under autocast, cast the weights wherever they are used.

    Autocast keeps its casts until it ends: around a whole training these would be the first weights.
    """
    kind = device.type
    if not torch.is_autocast_enabled(kind):
        yield
        return
    try:
        with torch.autocast(kind, torch.get_autocast_dtype(kind), cache_enabled=False):
            yield
    finally:
        torch.clear_autocast_cache()


class _Run:
    """One training: `train` loops, `_step` changes the weights, `_look` records and keeps the best.

    Args:
        batches: (generator, device) -> batches (rows, context, weights) without end.
        validate: device -> the validation loss; None where there is nothing to validate on.
    """

    def __init__(
        self,
        flow: nn.Module,
        batches: Callable[[torch.Generator, torch.device], Iterator[Batch]],
        loss: Callable[..., Tensor],
        validate: Callable[[torch.device], float] | None,
        workers: Workers,
        settings: Settings,
    ):
        self.flow, self.batches, self.loss, self.validate = flow, batches, loss, validate
        self.workers, self.settings = workers, settings
        self.named = [
            (name, parameter) for name, parameter in flow.named_parameters() if parameter.requires_grad
        ]
        if not self.named:
            raise ValueError("the flow has no parameter to train")
        self.history = History()
        self.best: dict[str, Tensor] | None = None
        self.lowest, self.strikes, self.last_look = math.inf, 0, 0

    def train(self) -> History:
        flow, settings, device = self.flow, self.settings, self.workers.device
        home, was_training, started = self.named[0][1].device, flow.training, time.perf_counter()
        bar = tqdm(
            total=settings.steps,
            disable=not settings.shows_progress or self.workers.rank > 0,
            leave=False,
            unit="step",
        )
        with torch.random.fork_rng([device] if device.type == "cuda" else []), _casts_anew(device), bar:
            # Everybody shuffles alike, and draws noise of their own.
            generator = torch.Generator().manual_seed(settings.seed)
            torch.manual_seed(settings.seed + self.workers.rank)
            try:
                flow.to(device).train()
                self.workers.agree(flow)
                self.update = Update(
                    flow,
                    self.loss,
                    lr=settings.lr,
                    weight_decay=settings.weight_decay,
                    clip=settings.clip,
                    workers=self.workers,
                )
                self.step_with = _repeater(self.update, settings.steps, settings.record)
                batches = self.batches(generator, device)
                for step, batch in zip(range(1, settings.steps + 1), batches, strict=False):
                    self._step(step, batch)
                    bar.update()
                    if settings.looks_at(step):
                        self._look(step, batch)
                        bar.set_postfix(self._newest(), refresh=False)
                        if settings.patience is not None and self.strikes >= settings.patience:
                            self.history.stopped_early = step < settings.steps
                            break
                self.history.recorded = self.step_with.replays
            finally:
                # Also after an interruption: what was learned up to the best record stays.
                if self.best is not None:
                    flow.load_state_dict(self.best)
                flow.to(home).train(was_training)
        if self.best is None:
            self.history.best_step = self.history.steps[-1]
        self.history.seconds = time.perf_counter() - started
        return self.history

    def _step(self, step: int, batch: Batch) -> None:
        if step == 1 and self.workers.count > 1:
            # Layers that start from their first batch must see the same one everywhere.
            with torch.no_grad():
                self.loss(self.flow, *batch[:2])
        self.update.set_rate(self.settings.rate(step))
        try:
            (self.step_with if step < self.settings.steps else self.step_with.check)(*batch)
        except NotFinite as error:
            raise self._diverged(str(step), error.args[0], batch) from None
        if self.step_with.obstacle and not self.history.obstacle:
            self.history.obstacle = self.step_with.obstacle
            _say_why(self.history.obstacle, self.settings.record)

    def _diverged(self, step: str, value: float, batch: Batch) -> FloatingPointError:
        flow = self.flow._modules.get("_orig_mod", self.flow)  # what was compiled
        assert flow is not None
        return FloatingPointError(diverged(step, value, flow, *batch[:2]))

    def _look(self, step: int, batch: Batch) -> None:
        """Note the training loss since the last look, and what validation says of the weights."""
        self.step_with.raise_if_failed()
        train = float(self.workers.sum(self.update.total)) / (step - self.last_look)
        if not math.isfinite(train):
            raise self._diverged(f"{self.last_look + 1}–{step}", train, batch)
        self.history.steps.append(step)
        self.history.train.append(train)
        self.update.total.zero_()
        self.last_look = step
        if self.validate is None:
            return
        self.flow.eval()
        with torch.no_grad():
            valid = self.validate(self.workers.device)
        self.flow.train()
        if valid < self.lowest:
            self.lowest, self.strikes, self.history.best_step = valid, 0, step
            self.best = {name: tensor.clone() for name, tensor in self.flow.state_dict().items()}
        else:
            self.strikes += 1
        self.history.valid.append(valid)

    def _newest(self) -> dict[str, str]:
        known = {"train": self.history.train, "valid": self.history.valid}
        return {name: f"{losses[-1]:.3f}" for name, losses in known.items() if losses}


def _say_why(obstacle: str, record: bool | str) -> None:
    """Once a run: what keeps its step from being recorded."""
    if record is True:
        raise RuntimeError(f"the training step cannot be recorded: {obstacle}")
    warnings.warn(
        f"the training step cannot be recorded and runs step by step, several times slower: {obstacle}. "
        "record=False says that this is meant.",
        stacklevel=5,
    )


__getattr__ = moved.names(__name__)
