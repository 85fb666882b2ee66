"""A flow as a file: how it was built, as JSON, and its weights, as safetensors. Reading runs no code of it.

A module that is `Built` remembers the arguments of its constructor. A file names classes and arguments;
reading looks the names up in a register, calls these constructors, and copies the weights in. What the
register does not know is refused, and so is a file that would build more than its weights fill.
"""

from __future__ import annotations

import functools
import inspect
import json
import math
import os
from collections.abc import Callable
from contextlib import suppress
from importlib import import_module
from typing import Any, Self, TypeVar

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, distributions, nn
from torch.utils._python_dispatch import TorchDispatchMode

__all__ = ["FORMAT", "Built", "arguments_of", "read", "register", "registered", "write"]

FORMAT = 1  # raised when a file of today could no longer be read
LONGEST = 4_000_000  # bytes of JSON
M = TypeVar("M", bound=type)


class _Unsaved:
    """Stands among the arguments of a module for one that a file cannot hold: its type's name."""

    def __init__(self, kind: str):
        self.kind = kind


class _OfInit:
    """The signature of a class: that of its `__init__`, where Python would show the one of `__new__`."""

    def __get__(self, instance: object, owner: type) -> inspect.Signature:
        if instance is not None:
            raise AttributeError("an instance is called as its class says by __call__")
        whole = inspect.signature(owner.__init__)  # type: ignore[misc]
        return whole.replace(parameters=list(whole.parameters.values())[1:])


class Built:
    """Remembers what it was built with, so that `Flow.save` can write it down. For modules.

    Example:
        >>> arguments_of(MLP(2, 4, hidden=8))
        ((2, 4), {'hidden': 8})
    """

    __signature__ = _OfInit()

    def __new__(cls, *arguments: Any, **named: Any) -> Self:
        self = super().__new__(cls)
        kept = tuple(map(_keep, arguments)), {name: _keep(value) for name, value in named.items()}
        self.__dict__["_built_with"] = kept
        return self


def _keep(value: Any) -> Any:
    """An argument as it is remembered: modules themselves, tensors copied, activations as what they make."""
    if value is None or isinstance(value, nn.Module | bool | int | float | str | torch.dtype):
        return value
    if isinstance(value, Tensor):
        return value.detach().clone()
    if isinstance(value, list | tuple | range):
        return tuple(map(_keep, value))
    if isinstance(value, np.integer | np.floating | np.bool_):
        return value.item()
    if callable(value) and not isinstance(value, distributions.Distribution):
        with suppress(Exception):  # a function of something else makes nothing
            if isinstance(made := value(), nn.Module):
                return made
    return _Unsaved(type(value).__name__)


def arguments_of(module: nn.Module) -> tuple[tuple, dict[str, Any]]:
    """What a module was built with, unless it says otherwise by a method `built_with`."""
    say = getattr(module, "built_with", None)
    return module.__dict__["_built_with"] if say is None else say()


# --- the register ----------------------------------------------------------------------------

_OWN: dict[str, type] = {}
_HIDDEN = {"Split": "flowlib.image"}  # of flowlib's layers, the one that `import flowlib` does not give


def register(kind: M) -> M:
    """Let files name a class of your own: a decorator, for a subclass of `Bijection`, `Transformer`, `Flow`,
    or for a net or a base that is also `Built`.

    Whoever reads such a file must have registered the class too: a file holds names, no code.

    Raises:
        TypeError: it is no module, or remembers no arguments.
        ValueError: flowlib has a class of this name.

    Example:
        >>> @register
        ... class Double(Bijection):
        ...     def forward(self, z, context=None):
        ...         return 2 * z, torch.full((len(z),), 2.0).log()
        >>> registered("Double") is Double
        True
    """
    if not (isinstance(kind, type) and issubclass(kind, nn.Module) and issubclass(kind, Built)):
        raise TypeError(
            f"register takes a class of modules that are Built, such as a Bijection, got {kind!r}"
        )
    if _known(kind.__name__) not in (None, kind) and kind.__name__ not in _OWN:
        raise ValueError(f"flowlib has a class {kind.__name__} already: give yours another name")
    _OWN[kind.__name__] = kind
    return kind


def registered(name: str) -> type:
    """The class that files call by this name.

    Raises:
        ValueError: there is none.
    """
    kind = _known(name)
    if kind is None:
        raise ValueError(
            f"{name!r} is none of flowlib's classes: if it is your own, register it before saving or "
            "loading, with the decorator @flowlib.saving.register"
        )
    return kind


def _known(name: str) -> type | None:
    if name in _OWN:
        return _OWN[name]
    if name in _HIDDEN:
        return getattr(import_module(_HIDDEN[name]), name)
    flowlib = import_module("flowlib")
    found = getattr(flowlib, name) if name in flowlib.__all__ else None
    return found if isinstance(found, type) and issubclass(found, Built) else None


def _activation(name: str) -> type | None:
    """An activation of torch.nn by name."""
    found = getattr(nn.modules.activation, name, None) if name in nn.modules.activation.__all__ else None
    return None if name == "MultiheadAttention" else found


_DISTRIBUTIONS = {  # names and arguments of the distributions that a base may be
    "Normal": ("loc", "scale"),
    "Laplace": ("loc", "scale"),
    "Cauchy": ("loc", "scale"),
    "LogNormal": ("loc", "scale"),
    "StudentT": ("df", "loc", "scale"),
    "Uniform": ("low", "high"),
    "Beta": ("concentration1", "concentration0"),
    "Gamma": ("concentration", "rate"),
    "Exponential": ("rate",),
    "MultivariateNormal": ("loc", "scale_tril"),
}


# --- writing ---------------------------------------------------------------------------------


def write(flow: nn.Module, path: str | os.PathLike) -> None:
    """Write a flow: see `Flow.save`."""
    writer = _Writer()
    root = writer.module(flow)
    tensors = _numbers(flow)
    floating = [t for t in (*flow.parameters(), *flow.buffers()) if t.is_floating_point()]
    dtypes = sorted({str(t.dtype) for t in [t for t in floating if t.dim()] or floating})
    if len(dtypes) > 1:
        raise ValueError(f"a file holds a flow of one dtype, not of {', '.join(dtypes)}: write flow.float()")
    said = {
        "format": FORMAT,
        "dtype": dtypes[0] if dtypes else str(torch.get_default_dtype()),
        "modules": writer.modules,
        "flow": root,
        "frozen": [name for name, p in flow.named_parameters() if not p.requires_grad],
    }
    text = json.dumps(said, allow_nan=False)
    arguments = {f"argument {place}": tensor for place, tensor in enumerate(writer.tensors)}
    stored = {f"weight {name}": tensor for name, tensor in tensors.items()} | arguments
    stored = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in stored.items()}
    # What cannot be built again the same is refused now, not when somebody needs it.
    twin = _build(json.loads(text), stored)
    if difference := _difference(flow, twin):
        raise ValueError(f"the flow was changed after it was built, and would come back other: {difference}")
    save_file(stored, path, metadata={"flowlib": text})


def _numbers(flow: nn.Module) -> dict[str, Tensor]:
    """Parameters and buffers, once each: not the masks and tables that follow from a layer's arguments, which
    a file must not be able to say otherwise."""
    kept = flow.state_dict(keep_vars=True)
    unique = {id(tensor): name for name, tensor in reversed(kept.items())}
    return {name: tensor for name, tensor in kept.items() if unique[id(tensor)] == name}


class _Writer:
    """Takes modules apart, parts before wholes, into plain values and tensors."""

    def __init__(self) -> None:
        self.modules: list[dict] = []
        self.tensors: list[Tensor] = []
        self.places: dict[int, int] = {}

    def module(self, module: nn.Module) -> int:
        if id(module) not in self.places:
            name = type(module).__name__
            if _activation(name) is type(module):
                constants = {n: getattr(module, n) for n in getattr(module, "__constants__", ())}
                said = {"activation": name, "with": self.named(constants, name)}
            elif _known(name) is not type(module):
                raise ValueError(f"a {name} cannot be saved: {_refusal(name)}")
            else:
                arguments, named = arguments_of(module)
                said = {
                    "class": name,
                    "arguments": [self.value(v, f"argument {i}", name) for i, v in enumerate(arguments)],
                    "named": self.named(named, name),
                }
            self.modules.append(said)
            self.places[id(module)] = len(self.modules) - 1
        return self.places[id(module)]

    def named(self, values: dict[str, Any], owner: str) -> dict[str, Any]:
        return {name: self.value(value, name, owner) for name, value in values.items()}

    def value(self, value: Any, name: str, owner: str) -> Any:
        """What stands for an argument `name` of a module `owner`."""
        if isinstance(value, nn.Module):
            return {"module": self.module(value)}
        if isinstance(value, Tensor):
            known = [place for place, tensor in enumerate(self.tensors) if tensor is value]
            if not known:
                self.tensors.append(value)
            kind = "parameter" if isinstance(value, nn.Parameter) else "tensor"
            return {kind: known[0] if known else len(self.tensors) - 1}
        if isinstance(value, list | tuple):
            return [self.value(item, name, owner) for item in value]
        if isinstance(value, float) and not math.isfinite(value):
            return {"number": str(value)}
        if value is None or isinstance(value, bool | int | float | str):
            return value
        if isinstance(value, distributions.Distribution):
            return self.distribution(value)
        kind = value.kind if isinstance(value, _Unsaved) else type(value).__name__
        if kind == "Generator":  # a source of noise: the global one after loading
            return None
        raise ValueError(f"{owner} cannot be saved: its {name} is a {kind}")

    def distribution(self, law: Any) -> dict:
        name = type(law).__name__
        if name == "Independent":
            return {"independent": self.distribution(law.base_dist), "axes": law.reinterpreted_batch_ndims}
        if name not in _DISTRIBUTIONS or type(law) is not getattr(distributions, name):
            raise ValueError(
                f"a base that is a {name} cannot be saved, one of {', '.join(_DISTRIBUTIONS)} can; for a "
                "mixture use MixtureNormal"
            )
        return {
            "distribution": name,
            "with": self.named({n: getattr(law, n) for n in _DISTRIBUTIONS[name]}, name),
        }


def _refusal(name: str) -> str:
    try:
        registered(name)
    except ValueError as error:
        return str(error)
    return "it is another class than the one of flowlib that has this name"


def _difference(flow: nn.Module, twin: nn.Module) -> str:
    """The first thing in which a flow differs from the one that its file builds; "" if nothing."""
    ours, theirs = list(flow.named_modules()), list(twin.named_modules())
    for (name, one), (other_name, other) in zip(ours, theirs, strict=False):
        if (name, type(one)) != (other_name, type(other)):
            return f"{name or 'the flow'} is a {type(one).__name__}, built as a {type(other).__name__}"
        for key, value in vars(one).items():
            plain = isinstance(value, bool | int | float | str | tuple) and not key.startswith("_")
            skip = key in ("training", "evaluations") or not plain
            if not skip and value != vars(other).get(key, value):
                return f"{name or 'the flow'}.{key} is {value!r}, built as {vars(other)[key]!r}"
    tables = dict(twin.named_buffers())
    for name, tensor in flow.named_buffers():
        # A base's centre is a point taken from its distribution: a new one is as good.
        same = name.endswith("centre") or torch.equal(tensor.cpu(), tables.get(name, tensor.cpu()))
        if not same:
            return f"{name} holds other numbers"
    if len(ours) != len(theirs):
        return f"it has {len(ours)} modules, built with {len(theirs)}"
    return ""


# --- reading ---------------------------------------------------------------------------------


def read(path: str | os.PathLike) -> nn.Module:
    """Read a flow: see `Flow.load`."""
    if not os.path.exists(path):
        raise FileNotFoundError(f"there is no file {os.fspath(path)}")
    try:
        with safe_open(path, framework="pt") as file:
            text = (file.metadata() or {}).get("flowlib")
            if text is None:
                raise ValueError(
                    "it holds weights only, as safetensors keep them, and no flow: see Flow.save"
                )
            if len(text) > LONGEST:
                raise ValueError(f"its description has {len(text):,} letters, at most {LONGEST:,} are read")
            said = json.loads(text)
            stored = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        return _build(said, stored)
    except RecursionError:
        reason = "its description is nested too deeply"
    except (SafetensorError, ValueError, OSError) as error:  # JSON errors are ValueErrors
        reason = str(error)
    raise ValueError(f"{os.fspath(path)} is no flow that can be loaded: {reason}")


def _build(said: Any, stored: dict[str, Tensor]) -> nn.Module:
    """The flow that a description and its tensors stand for."""
    if not isinstance(said, dict) or said.get("format") != FORMAT:
        got = said.get("format") if isinstance(said, dict) else said
        raise ValueError(
            f"expected a description in format {FORMAT}, got {got!r}: another version of flowlib"
        )
    try:
        floats = (torch.float32, torch.float64, torch.bfloat16, torch.float16)
        dtype = {str(kind): kind for kind in floats}[said["dtype"]]
        modules, root, frozen = said["modules"], said["flow"], set(said["frozen"])
        assert isinstance(modules, list) and type(root) is int and 0 <= root < len(modules)
    except (KeyError, TypeError, AssertionError) as error:
        raise ValueError(f"its description lacks something, or holds the wrong kind ({error!r})") from None
    built: list[Any] = []
    reader = _Reader(built, stored)
    with torch.random.fork_rng([]), torch.device("cpu"), _Budget(stored):
        for place, module in enumerate(modules):
            try:
                built.append(reader.module(module))
            except Exception as error:
                name = module.get("class", "?") if isinstance(module, dict) else module
                raise ValueError(f"part {place} ({name!s:.80}) cannot be built: {error}") from None
    flow = built[root]
    if not isinstance(flow, nn.Module) or not hasattr(flow, "log_prob"):
        raise ValueError(f"it describes a {type(flow).__name__}, not a flow")
    flow.to(dtype)
    weights = {name.removeprefix("weight "): t for name, t in stored.items() if name.startswith("weight ")}
    own = _numbers(flow)
    if own.keys() != weights.keys():
        lacks, more = sorted(own.keys() - weights.keys()), sorted(weights.keys() - own.keys())
        raise ValueError(
            f"its weights do not fit: {len(lacks)} missing {lacks[:3]}, {len(more)} too many {more[:3]}"
        )
    for name, tensor in own.items():
        given = weights[name]
        if given.shape != tensor.shape or given.dtype != tensor.dtype:
            raise ValueError(
                f"{name} should be {tensor.dtype} of shape {tuple(tensor.shape)}, is {given.dtype} of "
                f"{tuple(given.shape)}"
            )
    with torch.no_grad():
        for name, tensor in own.items():
            tensor.copy_(weights[name])
    _check_orders(flow)
    # Layers that read their own state when it is loaded (ActNorm's flag) do so.
    flow.load_state_dict(flow.state_dict())
    for name, parameter in flow.named_parameters():
        parameter.requires_grad_(name not in frozen)
    return flow.eval()


def _check_orders(flow: nn.Module) -> None:
    """Raise unless each order that a layer keeps is one and can be undone: else its inverse would be none."""
    for name, module in flow.named_modules():
        order, back, sign = (module._buffers.get(key) for key in ("order", "back", "sign"))
        if order is not None and back is not None:
            straight = torch.arange(len(order))
            if not (torch.equal(order.sort().values, straight) and torch.equal(back, order.argsort())):
                raise ValueError(f"{name}.order and {name}.back are no order and its way back")
        if sign is not None and not bool((sign.abs() == 1).all()):
            raise ValueError(f"{name}.sign holds other numbers than 1 and -1")


class _Reader:
    """Puts one module together from plain values, tensors, and the modules before it."""

    def __init__(self, built: list[Any], stored: dict[str, Tensor]):
        self.built, self.stored = built, stored
        self.parameters: dict[int, nn.Parameter] = {}
        # No layer has a size larger than all its numbers; counts of layers and steps stay below the first.
        self.largest = max(8192, sum(tensor.numel() for tensor in stored.values()))

    def module(self, said: Any) -> Any:
        if not isinstance(said, dict):
            raise ValueError(f"expected a description, got a {type(said).__name__}")
        if "activation" in said:
            kind = _activation(said["activation"])
            if kind is None:
                raise ValueError(f"{said['activation']!r} is no activation of torch.nn")
            return functools.partial(kind, **self.named(said.get("with", {})))
        kind = registered(said.get("class", ""))
        arguments = [self.value(value) for value in _list(said.get("arguments", []))]
        return kind(*arguments, **self.named(said.get("named", {})))

    def named(self, said: Any) -> dict[str, Any]:
        if not isinstance(said, dict):
            raise ValueError(f"expected arguments by name, got a {type(said).__name__}")
        return {name: self.value(value) for name, value in said.items()}

    def value(self, said: Any) -> Any:
        if isinstance(said, list):
            return tuple(map(self.value, said))
        if isinstance(said, int) and not isinstance(said, bool) and abs(said) > self.largest:
            raise ValueError(f"{said} is larger than all weights of the file together")
        if not isinstance(said, dict):
            return said
        if "module" in said:
            return self.built[_place(said["module"], len(self.built))]
        if "tensor" in said:
            return self.tensor(said["tensor"])
        if "parameter" in said:  # one that a base learns; the same place is the same parameter
            place = _place(said["parameter"], len(self.stored))
            return self.parameters.setdefault(place, nn.Parameter(self.tensor(place)))
        if "number" in said and said["number"] in ("inf", "-inf", "nan"):
            return float(said["number"])
        return self.distribution(said)

    def tensor(self, place: Any) -> Tensor:
        return self.stored[f"argument {_place(place, len(self.stored))}"].clone()

    def distribution(self, said: dict) -> Any:
        if "independent" in said:
            law = self.distribution(said["independent"])
            return distributions.Independent(law, _place(said["axes"], 1 + len(law.batch_shape)))
        name = said.get("distribution")
        if name not in _DISTRIBUTIONS or set(said["with"]) != set(_DISTRIBUTIONS[name]):
            raise ValueError(f"{said!s:.80} is no value that a file may hold")
        return getattr(distributions, name)(**self.named(said["with"]))


def _list(said: Any) -> list:
    if not isinstance(said, list):
        raise ValueError(f"expected a list of arguments, got a {type(said).__name__}")
    return said


def _place(said: Any, count: int) -> int:
    """A place in a list of what came before: no negative number, no bool."""
    if type(said) is not int or not 0 <= said < count:
        raise ValueError(f"{said!r} points at nothing that came before")
    return said


class _Budget(TorchDispatchMode):
    """Stops whoever would make far more numbers, or use far more operations, than the file's weights need."""

    def __init__(self, stored: dict[str, Tensor]):
        super().__init__()
        self.numbers = 10_000_000 + 100 * sum(tensor.numel() for tensor in stored.values())
        self.operations = 20_000 + 2_000 * len(stored)

    def __torch_dispatch__(
        self, function: Callable, types: Any, args: tuple = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        self.operations -= 1
        # An estimate before anything is made: what tensors of these shapes give together, or whole numbers
        # as sizes.
        shapes = [value.shape for value in args if isinstance(value, Tensor)]
        with suppress(RuntimeError):  # shapes of a product, say
            self._spend(math.prod(torch.broadcast_shapes(*shapes)) if shapes else 0)
        if not shapes or function is torch.ops.aten.repeat.default:
            self._spend(math.prod(_sizes(args)) * math.prod(shapes[0] if shapes else ()))
        result = function(*args, **(kwargs or {}))
        self._spend(result.numel() if isinstance(result, Tensor) else 0)
        return result

    def _spend(self, numbers: int) -> None:
        self.numbers -= numbers
        if self.numbers < 0 or self.operations < 0:
            raise ValueError("it would build far more than the weights in the file fill")


def _sizes(arguments: tuple) -> list[int]:
    """The sizes among a factory's arguments: a list of them, else each whole number, as in eye(3, 3)."""
    lists = [value for value in arguments if isinstance(value, list | tuple)]
    numbers = [item for value in lists for item in value] if lists else list(arguments)
    return [n for n in numbers if isinstance(n, int) and not isinstance(n, bool) and n > 0]
