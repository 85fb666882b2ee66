"""Record work of fixed shapes on a GPU once and replay it: one launch instead of hundreds.

A step of a small flow is hundreds of operations, each of which a GPU finishes in two or three
microseconds and waits ten or more to be given. A CUDA graph keeps the whole sequence on the device;
a replay reads and writes the same memory again and costs one launch. The price: what a recording
does is fixed. It cannot look at a value, copy from the CPU, or change with a Python variable.

    replay = Recorded(function, x)     # runs `function` a few times, then records it
    y = replay(x_new)                  # x_new has the shape of x; y is overwritten by the next call

`Repeater` decides for itself: it watches the first calls, records if it may, and else says why not.
"""

from __future__ import annotations

import linecache
import os
import sys
import weakref
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

import torch
from torch import Tensor
from torch._ops import OpOverload
from torch.utils._python_dispatch import TorchDispatchMode

__all__ = [
    "Recorded", "Recordings", "Repeater", "Watch", "aside", "beneath", "look_at", "plain", "put_off",
    "put_off_checks", "replayable", "transformed",
]  # fmt: skip


class Recorded:
    """A function of tensors, recorded as a CUDA graph; calling it replays the graph.

    Random numbers from the GPU's own generator differ from replay to replay, as they would without a
    recording.

    Args:
        function: (*inputs) -> a tensor, a tuple of tensors or None. It may also change tensors in place,
            such as a model's parameters: a replay does so again.
        *examples: the inputs, as tensors on the GPU or None; a call takes tensors of the same shapes.
        warmup: how often `function` runs before it is recorded, so that libraries make their plans.
            These runs are real: whoever counts them sets 0 and runs it beforehand.

    Raises:
        RuntimeError: an operation cannot be recorded. Nothing was computed by the recording, and the
            GPU works on as before.
    """

    def __init__(self, function: Callable, *examples: Tensor | None, warmup: int = 2):
        self.inputs = [None if example is None else example.detach().clone() for example in examples]
        self.graph = torch.cuda.CUDAGraph()
        device = next((tensor.device for tensor in self.inputs if tensor is not None), None)
        with torch.cuda.device(device), aside() as stream:
            for _ in range(warmup):
                function(*self.inputs)
            generator = torch.cuda.default_generators[torch.cuda.current_device()]
            before = generator.clone_state()
            self.failed = torch.zeros((), dtype=torch.bool, device=device)
            try:
                with torch.cuda.graph(self.graph, stream=stream), put_off_checks() as self.checks:
                    self.outputs = function(*self.inputs)
                    for condition, _ in self.checks:
                        self.failed.logical_or_(~condition)
            except Exception:
                # A capture that broke off leaves the generator waiting for the rest of it.
                generator.graphsafe_set_state(before)
                raise

    def raise_if_failed(self) -> None:
        """Look, once, whether a condition was broken in any replay so far.

        Raises:
            ValueError: with the words of the condition that the last replay broke, if it did.
        """
        if self.checks and bool(self.failed):
            look_at(self.checks)
            raise ValueError("an input of an earlier recorded call broke a condition that the last one kept")

    def __call__(self, *inputs: Tensor | None) -> Any:
        """Copy the inputs in, replay, and return the outputs, which the next call overwrites."""
        for place, given in zip(self.inputs, inputs, strict=True):
            if place is not None:
                assert given is not None, "an input is None that was a tensor when this was recorded"
                place.copy_(given)
        self.graph.replay()
        return self.outputs


Check = tuple[Tensor, Callable[[], str]]
_put_off: list[Check] | None = None


@contextmanager
def put_off_checks() -> Iterator[list[Check]]:
    """Inside the block conditions on values are kept instead of looked at, for that would make a GPU wait."""
    global _put_off
    before, _put_off = _put_off, []
    try:
        yield _put_off
    finally:
        _put_off = before


def put_off(condition: Tensor, message: Callable[[], str]) -> bool:
    """Keep a condition for later; False where it should be looked at now."""
    if _put_off is not None:
        _put_off.append((beneath(condition).all(), message))
    return _put_off is not None


def look_at(checks: list[Check]) -> None:
    """Raise ValueError with the message of the first condition that does not hold."""
    for condition, message in checks:
        if not bool(condition):
            raise ValueError(message())


@contextmanager
def aside() -> Iterator[torch.cuda.Stream]:
    """A stream of its own, in step with the current one: where CUDA wants graphs prepared and recorded."""
    main, stream = torch.cuda.current_stream(), torch.cuda.Stream()
    stream.wait_stream(main)
    with torch.cuda.stream(stream):
        yield stream
    main.wait_stream(stream)


class Watch(TorchDispatchMode):
    """Notes the operations of a block, and the first that a recording could not repeat.

    Attributes:
        operations: for each operation its name, with what a recording would freeze of its arguments
            (shapes, plain numbers), and the line of Python that asked for it.
        obstacle: a sentence on what cannot be recorded; "" if nothing.
    """

    def __init__(self):
        super().__init__()
        self.operations: list[tuple[str, str]] = []
        self.obstacle = ""

    def __torch_dispatch__(
        self, function: OpOverload, types: Any, args: tuple = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        result = function(*args, **kwargs)
        if function.namespace == "profiler":  # torch's own marks, which compute nothing
            return result
        place = _calling_line()
        self.operations.append((f"{function}({_frozen((args, kwargs))})", place))
        if not self.obstacle and (reason := _unrecordable(function, args, kwargs, result)):
            self.obstacle = f"{place}: {function} {reason}"
        return result

    def difference(self, other: Watch) -> str:
        """A sentence on the first operation in which two blocks differ; "" if they do the same."""
        for (ours, place), (theirs, _) in zip(self.operations, other.operations, strict=False):
            if ours != theirs:
                return f"{place}: {ours} in one step, {theirs} in the next"
        if len(self.operations) != len(other.operations):
            return f"{len(self.operations)} operations in one step, {len(other.operations)} in the next"
        return ""


class Repeater:
    """Calls a function again and again with inputs of the same shapes; on a GPU it soon replays it.

    The first call runs as it is: layers start from their first data, optimisers make their state. The
    next two are watched. If both did the same, and nothing that a graph cannot hold, the fourth call
    records the function and the later ones replay it. Else all calls run as they are, and `obstacle`
    says why. Each call does its work once, whichever way. Conditions on values (`bijection.require`)
    that a recorded call breaks are told by `raise_if_failed`.

    Args:
        function: (*inputs) -> None; it works by what it changes.
        watched: whether to try; without a GPU there is nothing to gain.
    """

    def __init__(self, function: Callable[..., None], watched: bool):
        self.function, self.trying = function, watched
        self.obstacle = ""
        self.recorded: Recorded | None = None
        self.replays = False  # whether a recording was made
        self._calls = 0
        self._watches: list[Watch] = []

    def __call__(self, *inputs: Tensor | None) -> None:
        self._calls += 1
        if self.recorded is not None:
            self.recorded(*inputs)
        elif not self.trying or self._calls == 1:
            self.function(*inputs)
        elif self._calls <= 3:
            self._watches.append(self._watch(*inputs))
            self.obstacle = self._watches[-1].obstacle or (
                self._watches[0].difference(self._watches[1]) if self._calls == 3 else ""
            )
            self.trying = not self.obstacle
        else:
            self._record(*inputs)

    def check(self, *inputs: Tensor | None) -> None:
        """One more call, watched: raise if the function does something else than what was recorded.

        Raises:
            RuntimeError: it changed in the meantime, as a loss does whose weight is a Python number.
        """
        if self.recorded is None:
            return self(*inputs)
        self.recorded.raise_if_failed()
        # Done with it: it may hold graphs of gradients, recorded on a stream of their own.
        self.recorded = None
        changed = self._watches[-1].difference(self._watch(*inputs))
        if changed:
            raise RuntimeError(
                f"the step that was recorded is not the step of the end ({changed}). A recording repeats "
                "what the fourth step did: for a loss that changes with Python variables pass record=False"
            )

    def raise_if_failed(self) -> None:
        """Look whether a recorded call broke a condition: see `Recorded.raise_if_failed`."""
        if self.recorded is not None:
            self.recorded.raise_if_failed()

    def _watch(self, *inputs: Tensor | None) -> Watch:
        with put_off_checks() as checks, Watch() as watch:
            self.function(*inputs)
        look_at(checks)
        return watch

    def _record(self, *inputs: Tensor | None) -> None:
        try:
            self.recorded = Recorded(self.function, *inputs, warmup=0)
        except RuntimeError as error:
            self.obstacle, self.trying = f"while recording: {error}".strip().splitlines()[0], False
            self.function(*inputs)
        else:
            self.replays = True
            self.recorded(*inputs)


UNRECORDABLE = "cannot be recorded"


class Recordings:
    """A few recordings of each owner's work, made when the same shapes come a second time.

    A recording keeps its own memory, so at most `limit` are kept, the least used goes first, and all of
    an owner's go with the owner.
    """

    def __init__(self, limit: int = 16):
        self.limit = limit
        self._kept: OrderedDict[tuple, Recorded | str | None] = OrderedDict()
        self._owners: dict[int, weakref.finalize] = {}

    def run(
        self, owner: object, key: Hashable, function: Callable, *inputs: Tensor | None
    ) -> tuple[Tensor, ...]:
        """function(*inputs), replayed if it can be; outputs are copies, safe from the next replay.

        Args:
            owner: whose work it is; its recordings go when it goes.
            key: what must be the same for a replay beside the inputs' shapes, such as where weights lie.
            function: (*inputs) -> a tuple of tensors.
        """
        key = (id(owner), key, *((i.shape, i.dtype, i.device) if i is not None else None for i in inputs))
        if key not in self._kept:
            if id(owner) not in self._owners:
                self._owners[id(owner)] = weakref.finalize(owner, self._forget, id(owner))
            self._kept[key] = None  # met once
            while len(self._kept) > self.limit:
                self._kept.popitem(last=False)
            return function(*inputs)
        self._kept.move_to_end(key)
        kept = self._kept[key]
        if kept is None:
            with put_off_checks() as checks, Watch() as watch:
                outputs = function(*inputs)
            look_at(checks)
            self._kept[key] = UNRECORDABLE if watch.obstacle else Recorded(function, *inputs, warmup=0)
            return outputs
        if isinstance(kept, str):  # UNRECORDABLE
            return function(*inputs)
        outputs = tuple(output.clone() for output in kept(*inputs))
        kept.raise_if_failed()
        return outputs

    def _forget(self, owner: int) -> None:
        del self._owners[owner]
        for key in [key for key in self._kept if key[0] == owner]:
            del self._kept[key]

    def __len__(self) -> int:
        return sum(isinstance(kept, Recorded) for kept in self._kept.values())


def transformed() -> bool:
    """Whether a transform of `torch.func` is at work: vmap, grad, jacrev, jvp."""
    return not torch.compiler.is_compiling() and torch._C._functorch.peek_interpreter_stack() is not None


def plain() -> bool:
    """Whether operations just compute: nobody compiles, transforms or watches them, or carries forward-mode
    derivatives through them."""
    if torch.compiler.is_compiling() or transformed():
        return False
    return torch.autograd.forward_ad._current_level < 0 and torch._C._len_torch_dispatch_stack() == 0


def replayable(tensor: Tensor) -> bool:
    """Whether work on this tensor may be replayed: on a GPU, outside other recordings and transforms."""
    return (
        tensor.is_cuda
        and not torch.compiler.is_compiling()
        and not torch.cuda.is_current_stream_capturing()
        and not transformed()  # its tensors have no memory of their own
        and torch.autograd.forward_ad._current_level < 0
    )


def beneath(tensor: Tensor) -> Tensor:
    """What the wrappers of `torch.func` stand for: under vmap the tensor with all that is mapped over."""
    functorch = torch._C._functorch
    while functorch.is_functorch_wrapped_tensor(tensor):
        tensor = functorch.get_unwrapped(tensor)
    return tensor


# --- what a recording cannot hold ------------------------------------------------------------

_HOME = os.path.dirname(torch.__file__)
# Of torch.linalg: these ask the GPU for a verdict (tried on an H200 with torch 2.11; lu, qr, inv_ex, slogdet,
# cholesky_ex and solve_ex do not, and inv, solve and cholesky only to check their result).
DECOMPOSITIONS = ("linalg_check_errors", "linalg_eig", "linalg_svd", "linalg_lstsq")


def _unrecordable(function: OpOverload, args: tuple, kwargs: dict[str, Any], result: Any) -> str:
    """Why an operation cannot be recorded; "" if it can."""
    looks = torch.Tag.data_dependent_output in function.tags
    shapes = torch.Tag.dynamic_output_shape in function.tags
    tensors = list(_tensors((args, kwargs)))
    name = function.name().removeprefix("aten::").removeprefix("_")
    if name.startswith(DECOMPOSITIONS):
        return "waits for a verdict on the matrix"
    if function is torch.ops.aten.index.Tensor:  # whole numbers as indices give a known shape
        shapes = any(tensor.dtype in (torch.bool, torch.uint8) for tensor in tensors[1:])
    if looks:
        return "looks at a value, for which the GPU must be waited for"
    if shapes:
        return "gives a shape that depends on values"
    copies = (torch.ops.aten._to_copy.default, torch.ops.aten.copy_.default)
    if function in copies and len({tensor.device for tensor in (*tensors, *_tensors(result))}) > 1:
        return "copies between devices"
    if function is torch.ops.aten.lift_fresh.default and result.is_cuda:
        return "makes a tensor of Python numbers, which come from the CPU"
    return ""


def _tensors(thing: Any) -> Iterator[Tensor]:
    if isinstance(thing, Tensor):
        yield thing
    elif isinstance(thing, dict):
        yield from _tensors(list(thing.values()))
    elif isinstance(thing, list | tuple):
        for item in thing:
            yield from _tensors(item)


def _frozen(thing: Any) -> str:
    """What a recording keeps of arguments, as text: shapes of tensors, and numbers as they are."""
    if isinstance(thing, Tensor):
        if thing.device.type == "cpu" and thing.dim() == 0 and torch.cuda.is_available():
            return f"{thing.item()}"  # passed to the GPU by value
        return f"{tuple(thing.shape)}"
    if isinstance(thing, dict):
        return ", ".join(f"{name}={_frozen(value)}" for name, value in thing.items())
    if isinstance(thing, list | tuple):
        return ", ".join(filter(None, map(_frozen, thing)))
    plain = thing is None or isinstance(thing, bool | int | float | str | torch.dtype | torch.device)
    return repr(thing) if plain else type(thing).__name__


def _calling_line() -> str:
    """The line of Python, outside of torch, that asked for the operation under way."""
    frame: FrameType | None = sys._getframe(2)
    while frame is not None and frame.f_code.co_filename.startswith((_HOME, __file__, "<")):
        frame = frame.f_back
    if frame is None:
        return "in the backward pass"
    file, line = frame.f_code.co_filename, frame.f_lineno
    return f"{os.path.basename(file)}, line {line}, {linecache.getline(file, line).strip()!r}"
