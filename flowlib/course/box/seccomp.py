"""A filter of system calls: what no notebook needs and an attack might.

It closes what namespaces and limits leave open: memory that no limit counts (memfd, System V shared
memory), new user namespaces, other processes' memory, rarely used doors into the kernel, and the
questions about which pages of a file lie in memory, by which two submissions could talk.
"""

from __future__ import annotations

import ctypes
import os
import platform
import struct
import subprocess
import sys

_EPERM, _ENOSYS = 1, 38
_ALLOW, _ERROR, _KILL = 0x7FFF0000, 0x00050000, 0x80000000
_LOAD, _EQUAL, _AT_LEAST, _ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_NEW_NAMESPACES = 0x7E020080  # the CLONE_NEW* flags
_PR_SET_SECCOMP, _FILTER_MODE, _PR_SET_NO_NEW_PRIVS = 22, 2, 38

# Each name with its number on x86-64 and on 64-bit ARM.
_REFUSED = {
    "add_key": (248, 217),
    "bpf": (321, 280),
    "cachestat": (451, 451),
    "fadvise64": (221, 223),
    "io_uring_setup": (425, 425),
    "keyctl": (250, 219),
    "memfd_create": (319, 279),
    "memfd_secret": (447, 447),
    "mincore": (27, 232),
    "mount": (165, 40),
    "perf_event_open": (298, 241),
    "pivot_root": (155, 41),
    "preadv2": (327, 286),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "ptrace": (101, 117),
    "request_key": (249, 218),
    "setns": (308, 268),
    "shmget": (29, 194),
    "umount2": (166, 39),
    "unshare": (272, 97),
    "userfaultfd": (323, 282),
}
_CLONE, _CLONE3 = (56, 220), (435, 435)
_MACHINES = {"x86_64": (0, 0xC000003E), "aarch64": (1, 0xC00000B7)}


def problem() -> str:
    """Why this machine takes no filter, in words; '' where it does. A process of its own tries it."""
    if platform.machine() not in _MACHINES:
        have = " and ".join(_MACHINES)
        return f"the filter of system calls knows {have}, not this machine's {platform.machine()}"
    tried = subprocess.run([sys.executable, "-I", "-S", __file__], capture_output=True, text=True)
    said = tried.stderr.strip().splitlines()[-1:] or ["it said nothing"]
    return f"the kernel takes no filter of system calls ({said[0]})" if tried.returncode else ""


def install() -> bool:
    """Filter this process and all its children for good; False on a machine that the table lacks.

    Raises:
        OSError: the kernel refuses.
    """
    if platform.machine() not in _MACHINES:
        return False
    column, architecture = _MACHINES[platform.machine()]
    numbers = [row[column] for row in _REFUSED.values()]
    # Jumps count the instructions to skip, if true and if false.
    program = [
        (_LOAD, 0, 0, 4),  # the architecture of the call: a 32-bit call has other numbers
        (_EQUAL, 1, 0, architecture),
        (_RETURN, 0, 0, _KILL),
        (_LOAD, 0, 0, 0),  # its number
        (_AT_LEAST, 0, 1, 0x40000000),  # the x32 numbers
        (_RETURN, 0, 0, _ERROR | _EPERM),
    ]
    for number in numbers:
        program += [(_EQUAL, 0, 1, number), (_RETURN, 0, 0, _ERROR | _EPERM)]
    program += [
        (
            _EQUAL,
            0,
            1,
            _CLONE3[column],
        ),  # its flags lie behind a pointer; told it is missing, libc uses clone
        (_RETURN, 0, 0, _ERROR | _ENOSYS),
        (_EQUAL, 0, 3, _CLONE[column]),
        (_LOAD, 0, 0, 16),  # the flags of clone
        (_ANY_BIT, 0, 1, _NEW_NAMESPACES),
        (_RETURN, 0, 0, _ERROR | _EPERM),
        (_RETURN, 0, 0, _ALLOW),
    ]
    code = ctypes.create_string_buffer(b"".join(struct.pack("=HBBI", *line) for line in program))
    head = ctypes.create_string_buffer(struct.pack("@HP", len(program), ctypes.addressof(code)))
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_SECCOMP, _FILTER_MODE, head, 0, 0):
        raise OSError(ctypes.get_errno(), "the filter of system calls was refused")
    return True


if __name__ == "__main__":  # see `problem`
    ctypes.CDLL(None).prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    sys.exit(0 if install() else os.EX_UNAVAILABLE)
