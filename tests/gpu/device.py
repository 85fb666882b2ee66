"""A pretend GPU: tensors say that they are on `gpux`, and a CPU computes their values.

Torch lets Python play the backend of a device, the one called PrivateUse1. Each tensor of the pretend
device owns an empty storage; that storage carries a storage of the CPU, its shadow, where the numbers
lie. An operation on such tensors is done on the shadows, after the check that a real GPU makes: that
all its tensors are on one device. So what a lesson computes is right, and what would stop on a GPU stops
here: a tensor left on the CPU, a plot of a tensor on the GPU, a generator of the wrong device.

`install` works once for each process and for good. It uses what torch 2.13 keeps private.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator

import torch
from torch import Tensor

NAME = "gpux"
KEY = "PrivateUse1"  # what torch calls a device that it does not know
MIXED = "Expected all tensors to be on the same device, but found at least two devices, {}:0 and cpu! ({})"
INDICES = "indices should be either on cpu or on the same device as the indexed tensor (cpu)"
GENERATOR = "Expected a '{}' device type for generator but found '{}'"

aten = torch.ops.aten
# Here a CPU tensor may say which numbers of a tensor on the GPU are meant.
INDEXING = {
    aten.index,
    aten.index_put,
    aten.index_put_,
    aten._index_put_impl_,
    aten._unsafe_index,
    aten._unsafe_index_put,
}
# Kernels of torch that compute shapes and touch no number: they make views of the empty storages.
SHAPES_ONLY = torch._C.DispatchKey.Meta
AS_STRIDED, SET = aten.as_strided.default, aten.set_.source_Storage_storage_offset


def on_gpu(value) -> bool:
    """Is this a tensor of the pretend device?"""
    return isinstance(value, Tensor) and value.device.type == NAME


def shadow(tensor: Tensor) -> Tensor:
    """The CPU tensor that holds the numbers of a tensor of the pretend device: no copy, any strides."""
    values = torch.empty(0, dtype=tensor.dtype)
    storage = tensor.untyped_storage().shadow
    values.set_(storage, tensor.storage_offset(), tensor.shape, tensor.stride())
    if tensor.is_conj() or tensor.is_neg():  # torch's notes that numbers are to be read in another way
        torch._C._set_conj(values, tensor.is_conj())
        torch._C._set_neg(values, tensor.is_neg())
    return values


def from_shadow(values: Tensor, owners: dict[int, Tensor]) -> Tensor:
    """The tensor of the pretend device for a CPU tensor; a view of an owner if it shares its numbers."""
    if values.is_conj() or values.is_neg():
        values = values.resolve_conj().resolve_neg()
    storage = values.untyped_storage()
    owner = owners.get(storage._cdata)
    if owner is None:
        tensor = torch._C._acc.create_empty_tensor((0,), values.dtype)
        tensor.untyped_storage().shadow = storage
        return reshape(tensor, values)
    if owner.dtype != values.dtype:  # the real part of complex numbers, say
        raise NotImplementedError("the pretend GPU cannot view numbers as another dtype")
    shape = values.shape, values.stride(), values.storage_offset()
    return AS_STRIDED._op_dk(SHAPES_ONLY, owner, *shape)


def reshape(tensor: Tensor, values: Tensor) -> Tensor:
    """Give a tensor of the pretend device, in place, the shape, strides and offset of its shadow."""
    layout = values.storage_offset(), values.shape, values.stride()
    return SET._op_dk(SHAPES_ONLY, tensor, tensor.untyped_storage(), *layout)


def each(value, function: Callable):
    """`function` of every tensor in nested lists and tuples; everything else as it is."""
    if isinstance(value, Tensor):
        return function(value)
    if isinstance(value, (list, tuple)) and not isinstance(value, torch.Size):
        return type(value)([each(item, function) for item in value])
    return value


def compute(operation, *args, **kwargs):
    """What the pretend GPU does for every operation: check the devices, compute on the shadows."""
    check_generator(kwargs.get("generator"))
    moved: list[tuple[Tensor, Tensor]] = []

    def to_shadow(tensor: Tensor) -> Tensor:
        if tensor.device.type == NAME:
            moved.append((tensor, shadow(tensor)))
            return moved[-1][1]
        if tensor.dim() and not free:
            raise RuntimeError(MIXED.format(NAME, operation))
        return tensor

    free = operation.overloadpacket in INDEXING
    if free:
        check_indexing(operation, *args)
    plain = [each(value, to_shadow) for value in args]
    named = {name: each(value, to_shadow) for name, value in kwargs.items()}
    if named.get("device") is not None:
        named["device"] = "cpu"
    result = operation(*plain, **named)
    for tensor, values in moved:
        if tensor.shape != values.shape or tensor.stride() != values.stride():
            reshape(tensor, values)
    # An operation in place, or into `out`, returns what it was given.
    given = {id(values): tensor for tensor, values in moved}
    owners = {values.untyped_storage()._cdata: tensor for tensor, values in moved}
    return each(
        result, lambda values: given[id(values)] if id(values) in given else from_shadow(values, owners)
    )


def check_indexing(operation, values: Tensor, indices, *new) -> None:
    """Indices may be on the CPU; what they index, and what is put there, must be on one device."""
    if values.device.type != NAME:
        raise RuntimeError(INDICES)
    for value in new:
        if isinstance(value, Tensor) and value.device.type != NAME and value.dim():
            raise RuntimeError(MIXED.format(NAME, operation))


def check_generator(generator: torch.Generator | None) -> None:
    if generator is not None and generator.device.type != NAME:
        raise RuntimeError(GENERATOR.format(NAME, generator.device.type))


def copy_(target: Tensor, source: Tensor, non_blocking: bool = False) -> Tensor:
    """The one operation between devices: `target.copy_(source)`."""
    source = shadow(source) if on_gpu(source) else source
    (shadow(target) if on_gpu(target) else target).copy_(source)
    return target


def zeros(size, dtype=None, layout=None, device=None, pin_memory=None) -> Tensor:
    """Zeros that have memory, where torch would save it."""
    return torch.zeros(size, dtype=dtype, device=NAME)


_deepcopy = Tensor.__deepcopy__


def deepcopy(tensor: Tensor, memo: dict) -> Tensor:
    """A copy with numbers of its own; torch's way would copy the empty storage."""
    if not on_gpu(tensor):
        return _deepcopy(tensor, memo)
    if id(tensor) not in memo:
        memo[id(tensor)] = tensor.detach().clone().requires_grad_(tensor.requires_grad)
    return memo[id(tensor)]


def swap(first: Tensor, second: Tensor) -> None:
    """Exchange what two parameters hold. Torch's own function also demands that no graph knows them."""
    first.__dict__, second.__dict__ = second.__dict__, first.__dict__
    torch._C._swap_tensor_impl(first, second)


def local_scalar(tensor: Tensor):
    """The number in a tensor of one element: what `.item()` asks for."""
    return shadow(tensor).item()


def ready_made() -> Iterator:
    """Operations for which torch has kernels for any device, which would go before `compute`.

    Those of convolutions ask for a device that torch knows; that of the remainder by a number makes a tensor
    of it, which arrives as a number. The others make room first and then compute into it, which takes twice
    as long.
    """
    yield from (aten.convolution.default, aten.convolution_backward.default, aten.remainder.Scalar)
    key = "CompositeExplicitAutogradNonFunctional"
    for name in torch._C._dispatch_get_registrations_for_dispatch_key(key):
        space, _, name = name.partition("::")
        packet, _, overload = name.partition(".")
        if space == "aten":
            operation = getattr(getattr(aten, packet), overload or "default")
            if not operation._schema.is_mutable:
                yield operation


_kernels: list[torch.library.Library] = []  # kept alive: a library that dies takes its kernels along


def install() -> torch.device:
    """Make the pretend device known to torch, for the rest of this process."""
    from torch.utils import backend_registration

    class Backend(backend_registration._DummyBackendModule):
        def get_amp_supported_dtype(self) -> list[torch.dtype]:
            return [torch.bfloat16, torch.float16]  # asked for when a checkpoint computes again

    backend_registration._setup_privateuseone_for_python_backend(NAME, Backend())
    every = torch.library.Library("_", "IMPL")
    every.fallback(compute, KEY)
    some = torch.library.Library("aten", "IMPL")
    some.impl("copy_", copy_, KEY)
    some.impl("_local_scalar_dense", local_scalar, KEY)
    # Forward-mode differentiation uses zeros without memory, which no shadow can be.
    some.impl("_efficientzerotensor", zeros, KEY)
    for operation in ready_made():
        some.impl(operation, functools.partial(compute, operation), KEY)
    _kernels.extend([every, some])
    torch.Tensor.__deepcopy__ = deepcopy
    # A module that moves keeps its parameters as objects: optimisers hold them.
    torch.__future__.set_swap_module_params_on_conversion(True)
    torch.utils.swap_tensors = swap
    # Backward passes may not leave the thread that Python runs in.
    torch.autograd.set_multithreading_enabled(False)
    return torch.device(NAME, 0)
