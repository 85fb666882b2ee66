"""The same walls when the grader is not root: namespaces of an ordinary user in place of another uid."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from tests.grading.course import ALL, Class, before, make_course
from tests.grading.run import FAST, command, entries, executed, points

PROBE = """
import os, ctypes, subprocess
status = open("/proc/self/status").read().splitlines()
print("uid", os.getuid(), [line for line in status if line.startswith(("CapEff", "NoNewPrivs"))])
print("userns", ctypes.CDLL(None).unshare(0x10000000))
for path in ("{root}/solutions", "{root}/out", "{root}/submitted", "/root/.ssh", "/home"):
    print(path, os.path.exists(path) and os.listdir(path))
for path in ("/usr/x", "/x", "/dev/x", "{root}/x"):
    try:
        open(path, "w"); print("WRITTEN", path)
    except OSError as error:
        print(error)
children = 0
try:
    while True:
        if os.fork() == 0:
            import time; time.sleep(5); os._exit(0)
        children += 1
except OSError:
    print("children", children)
"""


def test_as_an_ordinary_user():
    with tempfile.TemporaryDirectory() as folder:  # pytest's own folders are private to root
        root = Path(folder)
        klass = Class(make_course(root))
        klass.hand_in("right", klass.right_notebook())
        probe = PROBE.replace("{root}", str(root))
        klass.hand_in("probe", before(klass.right_notebook(), "task1", probe))
        words = command(klass, *FAST)
        if os.geteuid() == 0:
            words = ordinary(words, root)
        run = subprocess.run(words, cwd=root, capture_output=True, text=True)
        if "namespace failed" in run.stderr or "setting up uid map" in run.stderr:
            pytest.skip(f"user namespaces are switched off here: {run.stderr[-200:]}")
        assert run.returncode == 0, run.stderr[-3000:]
        assert points(entries(klass)["right"]) == ALL
        cells = executed(klass, "probe")["cells"]
    shown = "".join(output.get("text", "") for cell in cells for output in cell.get("outputs", []))
    assert "userns -1" in shown and "WRITTEN" not in shown
    assert f"{root}/solutions False" in shown and "/home False" in shown
    assert "CapEff:\\t0000000000000000" in shown and "NoNewPrivs:\\t1" in shown
    assert 0 < int(shown.split("children ")[1].split()[0]) < 64


def ordinary(words: list[str], folder: Path) -> list[str]:
    """Wrap a command so that root runs it as uid 1000, to which Python's files are made visible."""
    for path in [folder, *folder.rglob("*")]:
        os.chown(path, 1000, 1000)
    script = ["set -e"]
    base = Path(sys.base_prefix).resolve()
    if base.is_relative_to("/root"):  # root's private home: show Python only, and only to read
        script += [
            "stage=$(mktemp -d)",
            f"mount --bind {base} $stage && mount -o remount,bind,ro $stage",
            "mount -t tmpfs -o mode=755 none /root",
            f"mkdir -p {base} && mount --move $stage {base} && rmdir $stage",
        ]
    script += ['exec setpriv --reuid 1000 --regid 1000 --clear-groups env HOME="$0" "$@"']
    return ["unshare", "-m", "--propagation", "private", "sh", "-c", "\n".join(script), str(folder), *words]
