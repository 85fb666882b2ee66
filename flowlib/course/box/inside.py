"""The student's side: a warm process that forks one boxed notebook for each request.

The warm process has torch and flowlib in memory, runs no student's code itself, and knows nothing
of tests, solutions or grades. For each request it forks; the fork enters the namespaces that the
grader has prepared, gives up its rights, and then serves one submission: run a cell, call a
function. What it replies is a student's word and is treated so by the grader.
"""

from __future__ import annotations

import builtins
import contextlib
import copy
import functools
import importlib
import io
import json
import os
import pdb
import pkgutil
import random
import shutil
import signal
import socket
import sys
import tempfile
import traceback
from collections.abc import Iterable
from pathlib import Path
from types import BuiltinFunctionType, FunctionType, MethodType
from typing import Any

import matplotlib_inline.backend_inline  # noqa: F401  (students' figures: loaded before the fork)
import numpy as np
import torch
from IPython.core import debugger
from IPython.core.interactiveshell import InteractiveShell
from matplotlib import pyplot
from matplotlib.backends import BackendFilter, backend_registry
from traitlets.config import Config

import flowlib
from flowlib.course.box import values, walls
from flowlib.derivatives import descend, gradients
from flowlib.suspects import same

MAX_OUTPUT = 2**20  # characters that one cell may show
_ENVIRONMENT = {
    "HOME": "/tmp/home",
    "USER": "student",
    "LOGNAME": "student",
    "PATH": f"{sys.prefix}/bin:/usr/bin:/bin",
    "LANG": "C.UTF-8",
    "IPYTHONDIR": "/tmp/home/.ipython",
    "MPLCONFIGDIR": "/tmp/home/mpl",
    "XDG_CACHE_HOME": "/tmp/home/.cache",
    "TORCH_HOME": "/tmp/home/torch",
    "PYTHONDONTWRITEBYTECODE": "1",
    "PYTHONSAFEPATH": "1",
    "OMP_NUM_THREADS": "1",
    "CUDA_VISIBLE_DEVICES": "",
    **walls.FIGURES,
}


# ---------------------------------------------------------------------------- the warm process


def warm_up() -> None:
    """Import what exercises import, so that no student's process has to."""
    torch.set_num_threads(1)
    # torch.optim imports torch._dynamo at the first step of the first optimizer.
    for name in ("matplotlib.pyplot", "scipy.stats", "torch._dynamo"):
        importlib.import_module(name)
    for module in pkgutil.iter_modules(flowlib.__path__):
        if module.name != "course":
            with contextlib.suppress(ImportError):
                importlib.import_module(f"flowlib.{module.name}")


def start(close: Iterable[socket.socket] = ()) -> socket.socket:
    """Fork the warm process off this one, which must be warm itself and must hold no secret yet.

    Args:
        close: connections of this process that the new one must not keep.

    Returns:
        the connection over which it takes requests; it ends when all copies of this are closed.
    """
    here, there = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    if os.fork() == 0:
        try:
            for connection in (here, *close):
                connection.close()
            _serve(there)
        finally:
            os._exit(0)
    there.close()
    return here


def request(zygote: socket.socket, what: dict, fds: list[int]) -> None:
    """Ask the warm process for a box that talks over the first of `fds`, in the namespaces of the second."""
    socket.send_fds(zygote, [json.dumps(what).encode()], fds)


def _serve(requests: socket.socket) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the grader's business
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # no zombies
    while True:
        content, fds, _, _ = socket.recv_fds(requests, 65536, 2)
        if not content:
            return
        if os.fork() == 0:
            try:
                _fork_into_box(json.loads(content), fds)
            finally:
                os._exit(1)
        for fd in fds:
            os.close(fd)


def _fork_into_box(request: dict, fds: list[int]) -> None:
    connection = socket.socket(fileno=fds[0])
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    if len(fds) == 2:
        walls.enter(fds[1])
    pid = os.fork()
    if pid:
        values.send(connection, pid)  # as seen from outside: the grader watches its memory
        os._exit(0)
    # From here on this is the student's process. It keeps one connection and nothing else.
    os.dup2(connection.detach(), 3)
    null = os.open(os.devnull, os.O_RDWR)
    for fd in range(3):
        os.dup2(null, fd)
    os.closerange(4, 65536)
    connection = socket.socket(fileno=3)
    try:
        notebook = _move_in(request, boxed=len(fds) == 2)
        values.send(connection, "ready")
    except BaseException:
        values.send(connection, traceback.format_exc())
        raise
    notebook.serve(connection)


def _move_in(request: dict, boxed: bool) -> Notebook:
    os.setsid()
    limits = walls.Limits(**request["limits"])
    where, submission = Path("/tmp"), Path("/submission")
    if boxed:
        walls.lock_in(request["uid"], limits)
    else:
        submission = Path(request["folder"])
        where = Path(tempfile.mkdtemp(dir=submission.parent))  # the grader removes it with the submission
    os.environ.clear()
    os.environ.update({name: value.replace("/tmp", str(where), 1) for name, value in _ENVIRONMENT.items()})
    with contextlib.suppress(OSError), open("/proc/self/oom_score_adj", "w") as score:
        score.write("1000")  # if memory runs out, the kernel ends this process first
    os.makedirs(os.environ["HOME"], exist_ok=True)
    shutil.copytree(submission, where / "work")
    os.chdir(where / "work")
    for seed in (random.seed, np.random.seed, torch.manual_seed):
        seed(request["seed"])
    return Notebook()


# ---------------------------------------------------------------------------- the student's notebook


class TimeLimit(KeyboardInterrupt):
    """A cell or a call ran longer than it may."""


class _Shell(InteractiveShell):
    """IPython as notebooks know it: `!` runs through a pipe, figures need no window."""

    def enable_gui(self, gui=None):
        pass

    def enable_matplotlib(self, gui=None):
        """Whatever `%matplotlib` asks for, figures appear in the notebook."""
        return super().enable_matplotlib("inline")

    def ask_exit(self):
        """`exit` ends a notebook's kernel; here it ends nothing."""

    system = InteractiveShell.system_piped


class Notebook:
    """IPython without a terminal: runs cells, keeps what they show, calls what they define."""

    def __init__(self):
        config = Config()
        config.HistoryManager.enabled = False
        config.InteractiveShell.colors = "nocolor"
        config.InteractiveShell.xmode = "Context"
        self.shell = _Shell.instance(config=config)
        for owner, method, ours in (
            (self.shell.display_pub, "publish", self._publish),
            (self.shell.displayhook, "write_output_prompt", lambda: None),
            (self.shell.displayhook, "write_format_data", self._result),
            (self.shell.displayhook, "finish_displayhook", self._finish),
            (self.shell, "_showtraceback", self._traceback),
        ):
            setattr(owner, method, ours)
        self.shell.enable_matplotlib("inline")
        _nobody_is_there()
        self.objects: dict[int, Any] = {}
        self.outputs: list[dict] = []
        self.size = 0
        sys.path.append(os.getcwd())  # at the end: a submitted torch.py shadows nothing
        self.busy = False
        signal.signal(signal.SIGINT, self._interrupt)
        self.log_out()

    def log_out(self) -> None:
        sys.stdout, sys.stderr = _Stream(self, "stdout"), _Stream(self, "stderr")

    def serve(self, connection: socket.socket) -> None:
        while True:
            request = values.receive(connection)
            if request["do"] == "fork":
                _become_two(connection)
                continue
            try:
                self.busy = True
                reply = getattr(self, f"do_{request['do']}")(**request["arguments"])
                self.busy = False
                message = values.pack({"id": request["id"], "reply": reply})
            except BaseException as error:
                self.busy = False
                message = values.pack({"id": request["id"], "error": _describe(error)})
            connection.setblocking(True)
            connection.sendall(message)

    # What the grader may ask for, besides "fork".

    def do_run(self, source: str) -> dict:
        """Run a cell; its outputs in notebook format, and its error or None."""
        self.outputs, self.size = [], 0
        self.log_out()
        result = self.shell.run_cell(source, store_history=True)
        error = result.error_before_exec or result.error_in_exec
        return {"outputs": self.outputs, "error": _describe(error) if error is not None else None}

    def do_look(self, names: list[str]) -> dict:
        """What kind of thing each name is; values come along, the rest is called by path."""
        space = self.shell.user_ns
        return {name: self._seen(space[name], reachable=True) for name in names if name in space}

    def do_call(self, path: list, args: list, kwargs: dict) -> Any:
        """Call a function, a class or a method."""
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            result = self._at(path)(*args, **kwargs)
        return self._seen(result, reachable=False)

    def do_changes(self, path: list, args: list) -> list[int]:
        """Call something, and say which of its arguments it changed in place."""
        before = copy.deepcopy(args)
        self.do_call(path, args, {})
        return [place for place, pair in enumerate(zip(args, before, strict=True)) if not same(*pair)]

    def do_gradients(self, path: list, args: list, by: list[int]) -> list:
        """Call something, and say what autograd's gradients by these arguments are."""
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            return gradients(self._at(path), args, by)

    def do_descend(self, path: list, calls: list, rate: float) -> bool:
        """Take a step of gradient descent on what an object's methods return."""
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            return descend(self._at(path), calls, rate)

    def do_get(self, path: list) -> Any:
        """The attribute of an object."""
        return self._seen(self._at(path), reachable=True)

    # How.

    def _at(self, path: list) -> Any:
        thing = self.objects[path[0]] if isinstance(path[0], int) else self.shell.user_ns[path[0]]
        for name in path[1:]:
            thing = getattr(thing, name)
        return thing

    def _seen(self, thing: Any, reachable: bool) -> dict:
        """A thing as the grader may know it: by value, or by a name or number to call it by."""
        if reachable and isinstance(thing, type):
            return {"class": thing.__name__}
        if reachable and isinstance(thing, _FUNCTIONS):
            return {"function": getattr(thing, "__name__", "function")}
        try:
            values.pack(thing)
            return {"value": thing}
        except values.NotAValue as error:
            key = len(self.objects)
            self.objects[key] = thing
            why = str(error) if isinstance(error, values.TooLarge) else ""
            return {"object": key, "type": type(thing).__name__, "why": why}

    def _interrupt(self, *_) -> None:
        if self.busy:  # an interrupt that comes too late must not hit the next request
            raise TimeLimit("the time limit was reached")

    def _show(self, output: dict) -> None:
        self.size += sum(len(str(part)) for part in (output.get("data") or output).values())
        if self.size <= MAX_OUTPUT:
            self.outputs.append(output)

    def write(self, name: str, text: str) -> None:
        """Something was printed."""
        room = MAX_OUTPUT - self.size
        self.size += len(text)
        if room <= 0:
            return
        if len(text) > room:
            text = text[:room] + f"\n[cut: a cell may show {MAX_OUTPUT:,} characters]\n"
        last = self.outputs[-1] if self.outputs else {}
        if last.get("output_type") == "stream" and last["name"] == name:
            last["text"].append(text)
        else:
            self.outputs.append({"output_type": "stream", "name": name, "text": [text]})

    def _publish(self, data: dict, metadata: dict | None = None, **_) -> None:
        self._show({"output_type": "display_data", "data": _plain(data), "metadata": {}})

    def _result(self, format_dict: dict, md_dict: dict | None = None) -> None:
        count = self.shell.execution_count
        self._show(
            {
                "output_type": "execute_result",
                "data": _plain(format_dict),
                "metadata": {},
                "execution_count": count,
            }
        )

    def _finish(self) -> None:
        self.shell.displayhook._is_active = False

    def _traceback(self, kind: type, value: BaseException, lines: list[str]) -> None:
        if not isinstance(lines, list):
            lines = str(lines).split("\n")
        self._show({"output_type": "error", "ename": kind.__name__, "evalue": str(value), "traceback": lines})


def _nobody_is_there() -> None:
    """What asks for a screen, a debugger or somebody at the keyboard finds none, and the code goes on."""
    drawing: Any = pyplot  # Any: a function of it is replaced
    switch = drawing.switch_backend

    def without_windows(backend: str) -> None:
        # What a notebook on the student's own machine draws in a window is drawn as a picture here.
        name = str(backend).lower()
        if "inline" in name or name in backend_registry.list_builtin(BackendFilter.NON_INTERACTIVE):
            switch(backend)

    def nothing(*_, **__) -> None:
        pass

    def nobody(prompt: object = "") -> str:
        raise EOFError("input() waits for somebody to type, and at grading nobody is there")

    drawing.switch_backend = without_windows
    sys.breakpointhook = pdb.set_trace = debugger.set_trace = nothing
    builtins.input = nobody


def _become_two(connection: socket.socket) -> None:
    """Fork; the new process goes on over a connection of its own, which comes with the request."""
    connection.setblocking(True)
    _, (fd, *_), _, _ = socket.recv_fds(connection, 1, 1)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # no zombies
    if os.fork() == 0:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        os.dup2(fd, connection.fileno())
        values.send(connection, os.getpid())
    os.close(fd)


_FUNCTIONS = FunctionType, MethodType, BuiltinFunctionType, functools.partial


class _Stream(io.TextIOBase):
    """sys.stdout and sys.stderr of a notebook."""

    def __init__(self, notebook: Notebook, name: str):
        self._notebook, self._name = notebook, name

    encoding = "utf-8"

    def writable(self) -> bool:
        return True

    def write(self, text: str) -> int:
        if not isinstance(text, str):
            raise TypeError(f"write() argument must be str, not {type(text).__name__}")
        self._notebook.write(self._name, text)
        return len(text)


def _plain(data: dict) -> dict:
    """The formats of an output as text; images arrive from IPython as base64 or bytes."""
    import base64

    plain = {}
    for kind, content in data.items():
        if isinstance(content, bytes):
            content = base64.b64encode(content).decode()
        if isinstance(content, str):
            plain[kind] = content
    return plain


def _describe(error: BaseException) -> dict:
    """An exception as values: its type and its words."""
    if isinstance(error, type):
        error = error()
    try:
        words = f"{error.msg} (line {error.lineno})" if isinstance(error, SyntaxError) else str(error)
    except BaseException:  # it is the student's own class
        words = ""
    return {"type": type(error).__name__, "message": words[:2000]}


if __name__ == "__main__":  # a warm process of its own, for `rehearsal`
    warm_up()
    _serve(socket.socket(fileno=int(sys.argv[1])))
