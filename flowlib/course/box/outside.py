"""The grader's side: starts boxed processes, and stands in for what students define.

Nothing that comes back over the bridge is trusted: it is values or it is an error of that call.
"""

from __future__ import annotations

import builtins
import contextlib
import copy
import dataclasses
import glob
import math
import os
import resource
import signal
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch

from flowlib import derivatives
from flowlib.course.box import inside, values, walls

GRACE = 3.0  # seconds between asking a cell to stop and ending its process
TICK = 0.25  # seconds between two looks at a box's time and memory
REPLY_SECONDS = 30.0  # that a reply may take to arrive, once it has begun
START_SECONDS = 120.0  # that a process may take to start, on a very busy machine


class BoxLost(Exception):
    """A student's process is gone; `reason` is one of 'timed out', 'kernel lost', 'tampering'."""

    def __init__(self, reason: str, message: str):
        super().__init__(message)
        self.reason = reason


class StudentError(RuntimeError):
    """A student's code raised an exception of no built-in type, or ran too long."""

    too_long: bool  # set where it ran too long


class CallRefused(TypeError):
    """A call gave something that a test cannot use."""


class Box:
    """One student's process, from first cell to last call.

    Args:
        zygote: the connection to the warm process that it is forked from (`inside.start`).
        folder: the submitted files, which the box sees as a copy in its working directory.
        limits: what it may use.
        worker: the number of the worker, for its own uid.
        isolate: False runs it without any wall.
        end: when nothing may run any more, by the monotonic clock.
    """

    def __init__(
        self,
        zygote: socket.socket,
        folder: Path,
        limits: walls.Limits,
        worker: int = 0,
        seed: int = 0,
        isolate: bool = True,
        end: float = math.inf,
    ):
        self.limits, self.end = limits, end
        self.lost: BoxLost | None = None
        self.stopped = False  # the last request was told to stop, by the grader's clock
        self.saw_nan = self.saw_object = ""  # in words, the last NaN and the last object that came back
        self.for_nan: float | None = None  # what a test gets in place of NaN
        self.holder = walls.Holder(folder, limits) if isolate else None
        self.connection, there = socket.socketpair()
        request = {
            "limits": dataclasses.asdict(limits),
            "uid": walls.FIRST_UID + worker,
            "folder": str(folder),
            "seed": seed,
        }
        fds = [there.fileno()] + ([self.holder.pidfd] if self.holder else [])
        inside.request(zygote, request, fds)
        there.close()
        self._count = 0
        self._watched = time.monotonic()
        self._allowance = math.inf
        self.pid = self._pidfd = 0
        try:
            self.pid = int(values.receive(self.connection, START_SECONDS))
            self._pidfd = os.pidfd_open(self.pid)
            if (state := values.receive(self.connection, START_SECONDS)) != "ready":
                raise walls.NoSandbox(f"a student's process did not start: {state}")
        except (values.Late, values.Gone, values.Malformed, OSError) as error:
            self.close()
            raise walls.NoSandbox(f"a student's process did not start: {error!r}") from error
        except walls.NoSandbox:
            self.close()
            raise

    def __enter__(self) -> Box:
        return self

    def __exit__(self, *_) -> None:
        self.close()

    def close(self) -> None:
        self.connection.close()
        if self.holder:
            self.holder.close()
            self.holder = None
        elif self._pidfd and self._signal(signal.SIGSTOP):  # stopped, it makes no new children meanwhile
            for pid in _families([self.pid]):
                with contextlib.suppress(OSError):
                    os.kill(pid, signal.SIGKILL)
        if self._pidfd:
            os.close(self._pidfd)
            self._pidfd = 0

    def fork(self) -> Box:
        """A second process in the state of this one; for boxes without walls, that is for rehearsals."""
        twin = copy.copy(self)
        twin.connection, there = socket.socketpair()
        values.send(self.connection, {"do": "fork"}, START_SECONDS)
        socket.send_fds(self.connection, [b"f"], [there.fileno()])
        there.close()
        twin.pid = int(values.receive(twin.connection, START_SECONDS))
        twin._pidfd = os.pidfd_open(twin.pid)
        return twin

    @contextlib.contextmanager
    def allow(self, seconds: float) -> Iterator[None]:
        """Limit what all calls inside this block may take together."""
        self._allowance = seconds
        self.saw_nan = self.saw_object = ""
        try:
            yield
        finally:
            self._allowance = math.inf

    def run(self, source: str, seconds: float) -> dict:
        """Run a cell; {'outputs': [...], 'error': None or {'type', 'message'}}.

        Raises:
            BoxLost: the process died, or did not stop when told to.
        """
        try:
            reply = self._ask("run", seconds, source=source)
        except BoxLost:
            raise
        except (
            Exception
        ) as failed:  # not the cell but the notebook itself, for example on what it had to show
            said = {"type": getattr(failed, "from_student", "Error"), "message": str(failed)}
            return {"outputs": [], "error": said}
        error = reply.get("error") if isinstance(reply, dict) else None
        if not isinstance(reply, dict) or not (error is None or _is_error(error)):
            raise self._lose("tampering", "the process sent a reply that no notebook sends")
        return {"outputs": reply.get("outputs"), "error": error}

    def look(self, names: list[str], seconds: float) -> dict[str, Any]:
        """Stand-ins for the names that exist: values as they are, the rest as proxies."""
        reply = self._ask("look", seconds, names=names)
        if not isinstance(reply, dict):
            raise self._lose("tampering", "the process sent a reply that no notebook sends")
        return {name: self._stand_in(reply[name], [name], seconds) for name in names if name in reply}

    def call(self, path: list, args: tuple, kwargs: dict, seconds: float) -> Any:
        """Call something that the student defined.

        Raises:
            StudentError, or a built-in error of the same type: the student's code raised it.
            CallRefused: an argument or the result is no value.
            BoxLost: the process died, or did not answer in time.
        """
        try:
            reply = self._ask("call", seconds, path=path, args=list(args), kwargs=kwargs)
        except values.NotAValue as error:
            raise CallRefused(f"a test may pass values only, and passed {error}") from None
        return self._stand_in(reply, [], seconds)

    def changed_arguments(self, path: list, args: tuple, seconds: float) -> list[int]:
        """Call something, and say which of its arguments it changed in place."""
        reply = self._ask("changes", seconds, path=path, args=list(args))
        if not isinstance(reply, list) or not all(type(n) is int and 0 <= n < len(args) for n in reply):
            raise self._lose("tampering", "the process sent a reply that no notebook sends")
        return reply

    def gradients(self, path: list, args: tuple, by: list[int], seconds: float) -> list[torch.Tensor]:
        """Autograd's gradients of what a call returns; see `flowlib.derivatives.gradients`."""
        asked = [part for place in by for part in derivatives.tensors(args[place])]
        reply = self._ask("gradients", seconds, path=path, args=list(args), by=by)
        right = isinstance(reply, list) and len(reply) == len(asked)
        if not right or not all(isinstance(g, torch.Tensor) for g in reply):
            raise self._lose("tampering", "the process sent a reply that no notebook sends")
        if any(gradient.shape != part.shape for gradient, part in zip(reply, asked, strict=True)):
            raise self._lose("tampering", "the process sent a reply that no notebook sends")
        return reply

    def descend(self, path: list, calls: list, rate: float, seconds: float) -> bool:
        """Take a step of gradient descent on an object; see `flowlib.derivatives.descend`."""
        reply = self._ask("descend", seconds, path=path, calls=calls, rate=rate)
        if not isinstance(reply, bool):
            raise self._lose("tampering", "the process sent a reply that no notebook sends")
        return reply

    def get(self, path: list, seconds: float) -> Any:
        """Read an attribute of an object."""
        return self._stand_in(self._ask("get", seconds, path=path), path, seconds)

    def _stand_in(self, seen: Any, path: list, seconds: float) -> Any:
        kind = next(iter(seen), None) if isinstance(seen, dict) else None
        if kind == "value":
            if count := _count_nan(seen["value"]):
                self.saw_nan = f"your code returned NaN ({count} of the numbers)"
            return seen["value"] if self.for_nan is None else _without_nan(seen["value"], self.for_nan)
        if kind == "object" and isinstance(seen["object"], int):
            name, why = str(seen.get("type"))[:100], str(seen.get("why") or "")[:200]
            self.saw_object = why or f"it gave a {name} where a test needs values"
            return ObjectProxy(self, [seen["object"]], seconds, str(seen.get("type")))
        if kind in ("function", "class") and path:
            return function_proxy(self, path, seconds, str(seen[kind]))
        raise CallRefused("expected a value, got something else")

    def _ask(self, do: str, seconds: float, **arguments: Any) -> Any:
        if self.lost:
            raise self.lost
        if self._allowance <= 0:
            raise _too_long(seconds)
        self._count += 1
        self.stopped = False
        clock, limit = _Clock(self.pid), min(seconds, self._allowance)
        try:
            values.send(self.connection, {"id": self._count, "do": do, "arguments": arguments}, limit + GRACE)
            while not values.arriving(self.connection, min(TICK, limit + 0.01)):
                self._watch_memory()
                over = max(clock.seconds() - limit, time.monotonic() - self.end)
                if over > GRACE:
                    raise values.Late
                if over > 0:
                    self.stopped = True
                    self._signal(signal.SIGINT)
            left = max(0.0, self.end - time.monotonic())
            reply = values.receive(self.connection, min(REPLY_SECONDS, left) + GRACE)
            if time.monotonic() - self._watched > TICK:
                self._watch_memory()
        except values.Late:
            raise self._lose(
                "timed out", f"it ran longer than {seconds:.0f} s and could not be stopped"
            ) from None
        except values.Gone:
            raise self._lose("kernel lost", "the process ended in the middle of this") from None
        except values.Malformed as error:
            raise self._lose("tampering", f"the process sent a malformed reply: {error}") from None
        finally:
            self._allowance -= clock.seconds()
        if not isinstance(reply, dict) or reply.get("id") != self._count:
            raise self._lose("tampering", "the process sent a reply that no notebook sends")
        if "error" in reply:
            if not _is_error(reply["error"]):
                raise self._lose("tampering", "the process sent a reply that no notebook sends")
            raise _too_long(seconds) if self.stopped else _raised(reply["error"])
        return reply.get("reply")

    def _signal(self, number: int) -> bool:
        """Send a signal to exactly this process; False if it has ended."""
        try:
            signal.pidfd_send_signal(self._pidfd, number)
        except OSError:
            return False
        return True

    def _lose(self, reason: str, message: str) -> BoxLost:
        self.lost = BoxLost(reason, message)
        self.close()
        return self.lost

    def _watch_memory(self) -> None:
        self._watched = time.monotonic()
        roots = [self.pid] + ([self.holder.pid] if self.holder else [])
        family, limit = _families(roots), self.limits.memory_mb * 2**20
        # Forks share pages: count those once, but only when it matters, because it is slow.
        if sum(map(_memory_of, family)) > limit and sum(map(_own_memory_of, family)) > limit:
            raise self._lose("kernel lost", f"it used more than {self.limits.memory_mb} MB of memory")


class _Clock:
    """Seconds since a process was asked for something, less those that it waited for a processor.

    On a busy machine honest code waits; that must not cost it its points. What sleeps does not wait.
    """

    PATIENCE = 10  # but the wall clock may show at most this many times as much

    def __init__(self, pid: int):
        self.pid = pid
        self.start, self.waited = time.monotonic(), self._waited()

    def seconds(self) -> float:
        wall = time.monotonic() - self.start
        return max(wall - (self._waited() - self.waited), wall / self.PATIENCE)

    def _waited(self) -> float:
        with contextlib.suppress(OSError, IndexError), open(f"/proc/{self.pid}/schedstat") as file:
            return int(file.read().split()[1]) / 1e9
        return 0.0


def _families(roots: list[int]) -> set[int]:
    """These processes and all that descend from them."""
    found: set[int] = set()
    waiting = list(roots)
    while waiting:
        pid = waiting.pop()
        if pid not in found:
            found.add(pid)
            for path in glob.glob(f"/proc/{pid}/task/*/children"):
                with contextlib.suppress(OSError), open(path) as file:
                    waiting += map(int, file.read().split())
    return found


def _own_memory_of(pid: int) -> int:
    """Bytes of memory that a process holds, of shared pages its part; 0 if it has ended."""
    with contextlib.suppress(OSError), open(f"/proc/{pid}/smaps_rollup") as file:
        for line in file:
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    return 0


def _memory_of(pid: int) -> int:
    """Bytes of memory that a process holds, shared pages included; 0 if it has ended."""
    with contextlib.suppress(OSError), open(f"/proc/{pid}/statm") as file:
        return int(file.read().split()[1]) * resource.getpagesize()
    return 0


# ---------------------------------------------------------------------------- stand-ins


def function_proxy(box: Box, path: list, seconds: float, name: str):
    """A plain callable that stands for a student's function or class."""

    def call(*args, **kwargs):
        return box.call(path, args, kwargs, seconds)

    def changed_arguments(*args):
        return box.changed_arguments(path, args, seconds)

    def gradients(*args, by):
        return box.gradients(path, args, by, seconds)

    call.__name__ = call.__qualname__ = name
    # For `checks.check_unchanged` and `checks.check_differentiable`.
    call.__dict__.update(changed_arguments=changed_arguments, gradients=gradients)
    return call


class ObjectProxy:
    """Stands for a student's object: call it, call its methods, read its values."""

    def __init__(self, box: Box, path: list, seconds: float, type_name: str):
        self.__dict__.update(_box=box, _path=path, _seconds=seconds, _type=type_name)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        return self._box.get([*self._path, name], self._seconds)

    def __call__(self, *args, **kwargs) -> Any:
        return self._box.call(self._path, args, kwargs, self._seconds)

    def _descend(self, calls: list, rate: float) -> bool:
        """For `checks.check_learns`."""
        return self._box.descend(self._path, calls, rate, self._seconds)

    def __repr__(self) -> str:
        return f"<a student's {self._type}>"

    def __bool__(self) -> bool:
        raise TypeError(f"a {self._type} is no value: it is neither true nor false here")

    def __eq__(self, other: object) -> bool:
        raise TypeError(f"a {self._type} is no value: it cannot be compared here")


def _is_error(error: Any) -> bool:
    return isinstance(error, dict) and all(isinstance(error.get(key), str) for key in ("type", "message"))


def _too_long(seconds: float) -> StudentError:
    """What a call raises that the grader's clock has stopped."""
    error = StudentError(f"it ran longer than {seconds:.0f} s")
    error.too_long = True
    return error


def _raised(error: dict) -> Exception:
    """The exception that a student's code raised; built-in ones keep their type."""
    name, message = error["type"][:100], error["message"][:2000]
    kind = getattr(builtins, name, None)
    if isinstance(kind, type) and issubclass(kind, Exception) and kind not in _ODD_ERRORS:
        raised: Any = kind(message)
    else:
        raised = StudentError(f"{name}: {message}")
    raised.from_student = name
    return raised


_ODD_ERRORS = {UnicodeDecodeError, UnicodeEncodeError, UnicodeTranslateError, ExceptionGroup, AssertionError}


def _without_nan(value: Any, number: float) -> Any:
    """A value with this number in place of each NaN."""
    if not _count_nan(value):
        return value
    if isinstance(value, torch.Tensor):
        return torch.where(torch.isnan(value), torch.full_like(value, number), value)
    if isinstance(value, np.ndarray | np.generic):
        return np.where(np.isnan(value), value.dtype.type(number), value)[()]
    if isinstance(value, list | tuple):
        return type(value)(_without_nan(item, number) for item in value)
    if isinstance(value, dict):
        return {key: _without_nan(item, number) for key, item in value.items()}
    return number


def _count_nan(value: Any) -> int:
    """How many of the numbers in a value are NaN."""
    if isinstance(value, torch.Tensor):
        return int(torch.isnan(value).sum()) if value.is_floating_point() or value.is_complex() else 0
    if isinstance(value, np.ndarray | np.generic):
        return int(np.isnan(value).sum()) if value.dtype.kind in "fc" else 0
    if isinstance(value, list | tuple):
        return sum(map(_count_nan, value))
    if isinstance(value, dict):
        return sum(map(_count_nan, value.values()))
    return int(isinstance(value, float | complex) and value != value)
