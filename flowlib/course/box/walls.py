"""The box that a student's process lives in: bubblewrap's namespaces, then limits, then no privileges.

`Holder` starts bubblewrap around a program that only sleeps, so that the namespaces and mounts
exist. `enter` moves a forked process into them. A process that already holds torch can so be
boxed in 20 ms, where starting Python and torch inside the box would take a second.

Inside: no network, the system and the course's Python read-only, own process table, an empty /tmp
of limited size, and nothing else of the machine: no course, no gradebook, no other student.
"""

from __future__ import annotations

import ctypes
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import flowlib
from flowlib.course.box import seccomp

FIGURES = {"MPLBACKEND": "module://matplotlib_inline.backend_inline"}  # as notebooks show them
FIRST_UID = 64001  # when the grader is root, worker n's students run as uid 64001 + n
MB = 2**20

_NAMESPACES = {
    "mnt": 0x00020000,
    "cgroup": 0x02000000,
    "uts": 0x04000000,
    "ipc": 0x08000000,
    "user": 0x10000000,
    "pid": 0x20000000,
    "net": 0x40000000,
}
_PR_SET_DUMPABLE, _PR_CAPBSET_DROP, _PR_SET_NO_NEW_PRIVS = 4, 24, 38
_libc = ctypes.CDLL(None, use_errno=True)


class NoSandbox(RuntimeError):
    """This machine cannot isolate the students' code; the message says why and what to do."""


@dataclass(frozen=True)
class Limits:
    """What one submission may use."""

    cell_seconds: float = 30.0
    total_seconds: float = 300.0
    memory_mb: int = 3072
    processes: int = 64
    file_mb: int = 64
    tmp_mb: int = 256


# ---------------------------------------------------------------------------- the walls


def walls(folder: Path, limits: Limits) -> list[str]:
    """What bubblewrap is told of the box; `folder` appears in it as /submission."""
    args = ["--unshare-ipc", "--unshare-pid", "--unshare-net", "--unshare-uts", "--unshare-cgroup"]
    args += ["--die-with-parent", "--new-session", "--hostname", "grader", "--clearenv"]
    if os.geteuid() != 0:  # root changes to another uid instead, which a user namespace would not map
        args += ["--unshare-user", "--disable-userns", "--cap-drop", "ALL"]
    args += ["--ro-bind", "/usr", "/usr"]
    for name in ("bin", "sbin", "lib", "lib64"):
        if os.path.islink(f"/{name}"):
            args += ["--symlink", os.readlink(f"/{name}"), f"/{name}"]
        elif os.path.isdir(f"/{name}"):
            args += ["--ro-bind", f"/{name}", f"/{name}"]
    for path in ("/etc/ld.so.cache", "/etc/fonts", "/etc/localtime", "/etc/alternatives"):
        args += ["--ro-bind-try", path, path]
    args += ["--proc", "/proc", "--dev", "/dev"]
    # Before what is visible: the course itself may lie under /tmp, which an empty one would cover.
    for path, size in (("/dev/shm", 64), ("/tmp", limits.tmp_mb)):
        args += ["--perms", "1777", "--size", str(size * MB), "--tmpfs", path]
    for visible in _visible():
        # bubblewrap makes missing parents with mode 0700, which another uid cannot pass.
        for parent in reversed(visible.parents[:-1]):
            args += ["--perms", "0755", "--dir", str(parent)]
        args += ["--ro-bind", str(visible), str(visible)]
    args += ["--ro-bind", str(folder), "/submission"]
    return args + ["--remount-ro", "/dev", "--remount-ro", "/", "--chdir", "/tmp"]


def _visible() -> list[Path]:
    """What of this machine a student may read beyond the system: Python, its packages, flowlib, its data."""
    package = Path(flowlib.__file__).resolve().parent
    wanted = [Path(sys.base_prefix).resolve(), Path(sys.prefix).resolve(), package]
    data = package.parent / "assets" / "data"
    if data.is_dir():
        wanted.append(data)
    seen: list[Path] = [Path("/usr")]
    for path in wanted:
        if not any(path.is_relative_to(other) for other in seen):
            seen.append(path)
    return seen[1:]


def shown(path: Path) -> Path | None:
    """The folder of this machine that a student may read and in which `path` lies, if there is one."""
    path = path.resolve()
    system = [Path("/usr"), *(Path(f"/{name}").resolve() for name in ("bin", "sbin", "lib", "lib64"))]
    return next((folder for folder in [*system, *_visible()] if path.is_relative_to(folder)), None)


_SLEEPER = ["sh", "-c", "echo ready; exec sleep infinity"]


def _pipe_with(words: str) -> int:
    """The reading end of a pipe that holds these words; they must fit into it (64 KB)."""
    read, write = os.pipe()
    with os.fdopen(write, "wb") as file:
        file.write(words.encode(errors="surrogateescape"))
    return read


class Holder:
    """bubblewrap around a sleeping program: it keeps the namespaces until `close`."""

    def __init__(self, folder: Path, limits: Limits):
        program = shutil.which("bwrap")
        if program is None:
            raise NoSandbox("bubblewrap is not installed (Debian, Ubuntu: apt install bubblewrap)")
        read, write = os.pipe()
        # Through a pipe: inside, /proc/1/cmdline shows the command line, with the folders of this machine.
        told = _pipe_with("\0".join([*walls(folder, limits), ""]))
        try:
            self.process = subprocess.Popen(
                [program, "--args", str(told), "--info-fd", str(write), *_SLEEPER],
                pass_fds=[told, write],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                start_new_session=True,
                env={},
            )
        except OSError:
            os.close(read)
            raise
        finally:
            os.close(told)
            os.close(write)
        try:
            said, complained = self.process.stdout, self.process.stderr
            assert said and complained  # pipes, as asked for above
            if said.readline() != b"ready\n":
                words = complained.read().decode(errors="replace").strip()
                raise NoSandbox(f"bubblewrap does not work on this machine: {words}")
            with os.fdopen(os.dup(read), "rb") as info:
                self.pid = json.loads(info.read())["child-pid"]
            self.pidfd = os.pidfd_open(self.pid)
        except BaseException:
            self.process.kill()
            self.process.wait()
            raise
        finally:
            os.close(read)

    def close(self) -> None:
        """End everything inside: the kernel kills all of a process namespace with its first process."""
        os.close(self.pidfd)
        self.process.kill()
        self.process.wait()
        for pipe in (self.process.stdout, self.process.stderr):
            if pipe:
                pipe.close()


def enter(pidfd: int) -> None:
    """Move this single-threaded process into a holder's namespaces; its next child is inside fully."""
    flags = sum(_NAMESPACES.values())
    if os.geteuid() == 0:
        flags -= _NAMESPACES["user"]
    if _libc.setns(pidfd, flags):
        code = ctypes.get_errno()
        raise OSError(code, f"setns: {os.strerror(code)}")


def lock_in(uid: int, limits: Limits) -> None:
    """Give up every privilege for good, and set the limits; the last act before a student's code."""
    for kind, value in (
        (resource.RLIMIT_AS, limits.memory_mb * MB),
        (resource.RLIMIT_FSIZE, limits.file_mb * MB),
        (resource.RLIMIT_NOFILE, 256),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_CPU, int(limits.total_seconds) + 10),
        (resource.RLIMIT_NPROC, limits.processes),
    ):
        hard = resource.getrlimit(kind)[1]
        value = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(kind, (value, value))
    for capability in range(64):
        _libc.prctl(_PR_CAPBSET_DROP, capability, 0, 0, 0)
    if os.geteuid() == 0:
        os.setgroups([])
        os.setresgid(uid, uid, uid)
        os.setresuid(uid, uid, uid)
    header, none = (ctypes.c_uint32 * 2)(0x20080522, 0), (ctypes.c_uint32 * 6)()
    if _libc.capset(header, none) or _libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "could not give up privileges")
    _libc.prctl(_PR_SET_DUMPABLE, 1, 0, 0, 0)  # cleared by the change of uid; /proc/self needs it
    if not seccomp.install():
        raise NoSandbox("this machine has no filter of system calls")


def probe() -> None:
    """Check that the box works here.

    Raises:
        NoSandbox: it does not; the message says why and what to do.
    """
    if shutil.which("bwrap") is None:
        why = "bubblewrap is not installed (Debian, Ubuntu: apt install bubblewrap)"
    elif not (why := seccomp.problem()):
        with tempfile.TemporaryDirectory() as folder:
            try:
                Holder(Path(folder), Limits()).close()
                return
            except (NoSandbox, OSError) as error:
                why = str(error)
    raise NoSandbox(
        f"{why}. Students' code would run with your rights, so nothing was graded. "
        "To grade code that you trust, or on a machine that holds nothing else, say --no-sandbox."
    )
