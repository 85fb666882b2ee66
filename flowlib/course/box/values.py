"""Values as bytes: what travels between the grader and a student's process.

A message is a value: None, bool, int, float, complex, str, bytes, a tensor, an array, or a list,
tuple or dict of these. It becomes one JSON header (the structure) and one safetensors block (the
numbers). Reading it can build nothing but values: there is no pickle and no code in it.
"""

from __future__ import annotations

import base64
import json
import select
import socket
import struct
import time
from typing import Any

import numpy as np
import torch
from safetensors.torch import load, save

MAX_BYTES = 64 * 2**20  # of one message
MAX_DEPTH = 50
_PREFIX = struct.Struct(">II")  # bytes of the header, bytes of the tensor block


class NotAValue(TypeError):
    """Something else than a value was to be sent."""


class TooLarge(NotAValue):
    """A value is larger than a message may be."""


class Malformed(Exception):
    """What arrived is no message, or is too large."""


class Late(Exception):
    """Nothing complete arrived in time."""


class Gone(Exception):
    """The other side closed the connection."""


# ---------------------------------------------------------------------------- values and bytes


def pack(value: Any, limit: int = MAX_BYTES) -> bytes:
    """A value as one message of at most `limit` bytes.

    Raises:
        NotAValue: it holds something else than values, is nested too deep or is too large.
    """
    tensors: dict[str, torch.Tensor] = {}
    header = json.dumps(_encode(value, tensors, 0)).encode()
    block = save(tensors) if tensors else b""
    if len(header) + len(block) > limit:
        size = (len(header) + len(block)) / 2**20
        raise TooLarge(f"a value of {size:.0f} MB is too large to be passed; the limit is {limit >> 20} MB")
    return _PREFIX.pack(len(header), len(block)) + header + block


def unpack(header: bytes, block: bytes) -> Any:
    """The value of a message.

    Raises:
        Malformed: the bytes are no message of `pack`.
    """
    try:
        tensors = load(block) if block else {}
        return _decode(json.loads(header), tensors, 0)
    except Malformed:
        raise
    except RecursionError:
        raise Malformed("nested too deep") from None
    except Exception as error:  # whatever the parsers say of hostile bytes, they are malformed
        raise Malformed(f"{type(error).__name__} while reading a message") from None


def _encode(value: Any, tensors: dict, depth: int) -> Any:
    if depth > MAX_DEPTH:
        raise NotAValue(f"nested deeper than {MAX_DEPTH} levels")
    kind = type(value)
    if value is None or kind in (bool, int, float, str):
        return value
    if isinstance(value, np.str_):
        return str(value)
    if isinstance(value, torch.Tensor):
        return {"tensor": _keep(value, tensors)}
    if isinstance(value, np.ndarray | np.generic):
        try:
            tensor = torch.from_numpy(np.array(value))  # a copy: no negative strides, no read-only memory
        except TypeError:
            raise NotAValue(f"an array of dtype {value.dtype}") from None
        return {"array" if isinstance(value, np.ndarray) else "scalar": _keep(tensor, tensors)}
    if isinstance(value, list | tuple):
        items = [_encode(item, tensors, depth + 1) for item in value]
        return {"list" if isinstance(value, list) else "tuple": items}
    if isinstance(value, dict):
        pairs = [[_encode(k, tensors, depth + 1), _encode(v, tensors, depth + 1)] for k, v in value.items()]
        return {"dict": pairs}
    if kind is complex:
        return {"complex": [value.real, value.imag]}
    if kind is bytes:
        return {"bytes": base64.b64encode(value).decode()}
    if kind is torch.dtype:
        return {"dtype": str(value).removeprefix("torch.")}
    for plain in (int, float, str):
        if isinstance(value, plain):  # a subclass, such as an enum
            return plain(value)
    raise NotAValue(f"a {kind.__name__}")


def _keep(tensor: torch.Tensor, tensors: dict) -> str:
    name = str(len(tensors))
    # The copy is deliberate: safetensors refuses two tensors that share memory.
    tensors[name] = tensor.detach().to("cpu", copy=True).to_dense().contiguous().resolve_conj().resolve_neg()
    return name


def _decode(node: Any, tensors: dict, depth: int) -> Any:
    if depth > 2 * MAX_DEPTH:
        raise Malformed("nested too deep")
    if node is None or isinstance(node, bool | int | float | str):
        return node
    if not isinstance(node, dict) or len(node) != 1:
        raise Malformed("an unknown kind of value")
    (kind, content), *_ = node.items()
    if kind == "tensor":
        return tensors[content]
    if kind == "array":
        return tensors[content].numpy()
    if kind == "scalar":
        return tensors[content].numpy()[()]
    if kind == "list":
        return [_decode(item, tensors, depth + 1) for item in content]
    if kind == "tuple":
        return tuple(_decode(item, tensors, depth + 1) for item in content)
    if kind == "dict":
        return {_decode(k, tensors, depth + 1): _decode(v, tensors, depth + 1) for k, v in content}
    if kind == "complex":
        return complex(*content)
    if kind == "bytes":
        return base64.b64decode(content)
    if kind == "dtype" and isinstance(dtype := getattr(torch, content), torch.dtype):
        return dtype
    raise Malformed("an unknown kind of value")


# ---------------------------------------------------------------------------- over a socket


def send(connection: socket.socket, value: Any, seconds: float | None = None, limit: int = MAX_BYTES) -> None:
    """Send one message of at most `limit` bytes, giving up after some seconds.

    Raises:
        NotAValue: see `pack`.
        Late, Gone: the other side does not read, or has closed.
    """
    left = memoryview(pack(value, limit))
    end = None if seconds is None else time.monotonic() + seconds
    connection.setblocking(False)
    while left:
        _wait(connection, select.POLLOUT, end)
        try:
            left = left[connection.send(left) :]
        except BlockingIOError:
            continue
        except OSError:
            raise Gone from None


def receive(connection: socket.socket, seconds: float | None = None, limit: int = MAX_BYTES) -> Any:
    """Receive one message.

    Raises:
        Late: it did not arrive complete in time.
        Gone: the other side has closed.
        Malformed: it is no message or larger than `limit` bytes.
    """
    end = None if seconds is None else time.monotonic() + seconds
    connection.setblocking(False)
    header, block = _PREFIX.unpack(_read(connection, _PREFIX.size, end))
    if header + block > limit:
        raise Malformed(f"a message of {(header + block) / 2**20:.0f} MB, the limit is {limit >> 20} MB")
    return unpack(_read(connection, header, end), _read(connection, block, end))


def arriving(connection: socket.socket, seconds: float) -> bool:
    """Wait until something can be read, or the other side has closed; False if nothing came in time."""
    try:
        _wait(connection, select.POLLIN, time.monotonic() + seconds)
    except Late:
        return False
    return True


def hung_up(connection: socket.socket) -> bool:
    """The other side has closed."""
    poll = select.poll()
    poll.register(connection, select.POLLRDHUP)
    return bool(poll.poll(0))


def _read(connection: socket.socket, count: int, end: float | None) -> bytes:
    parts = []
    while count:
        _wait(connection, select.POLLIN, end)
        try:
            part = connection.recv(min(count, 2**20))
        except BlockingIOError:
            continue
        except OSError:
            raise Gone from None
        if not part:
            raise Gone
        parts.append(part)
        count -= len(part)
    return b"".join(parts)


def _wait(connection: socket.socket, event: int, end: float | None) -> None:
    poll = select.poll()
    poll.register(connection, event)
    left = None if end is None else max(0.0, end - time.monotonic())
    if not poll.poll(None if left is None else left * 1000):
        raise Late
