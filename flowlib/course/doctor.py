"""What a machine has and lacks for the course, and the command that mends it."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import platform
import re
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

from flowlib.course import extras

INSTALL = extras.command("course")


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at.

    `state` is "good", "note" (the course works without) or "missing"; `mend` is a command or "".
    """

    state: str
    what: str
    found: str
    mend: str = ""


def examine(root: Path) -> list[Finding]:
    """Look at everything the course needs, in the order in which things must be mended."""
    return [
        python(),
        *packages(root),
        torch_device(),
        kernel(),
        *extensions(),
        grading(),
        sandbox(),
        *data(root),
    ]


def python() -> Finding:
    version = platform.python_version()
    where = "in a virtual environment" if sys.prefix != sys.base_prefix else f"in {sys.prefix}"
    return Finding("good", "python", f"{version} {where}")


def packages(root: Path) -> list[Finding]:
    """Every package that the course asks for, at the versions it is tested with."""
    tested = pinned_versions(root)
    absent, other, right = [], [], 0
    for name in extras.asked_for("") + extras.asked_for("course"):
        try:
            version = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            absent.append(name)
            continue
        wanted = tested.get(normalised(name))
        if wanted and version.split("+")[0] != wanted:
            other.append(f"{name} {version} (tested with {wanted})")
        else:
            right += 1
    findings = []
    if absent:
        findings.append(Finding("missing", "packages", f"not installed: {', '.join(absent)}", INSTALL))
    if other:
        findings.append(Finding("note", "versions", "; ".join(other), INSTALL))
    if not absent:
        findings.append(Finding("good", "packages", f"all there, {right} at the tested version"))
    return findings


def pinned_versions(root: Path) -> dict[str, str]:
    lines = (root / "constraints.txt").read_text().splitlines()
    pins = (line.split("==") for line in lines if "==" in line)
    return {normalised(name): version.strip() for name, version in pins}


def normalised(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def torch_device() -> Finding:
    if importlib.util.find_spec("torch") is None:
        return Finding("missing", "torch", "not installed", INSTALL)
    import torch

    if torch.cuda.is_available():
        return Finding("good", "torch", f"{torch.__version__}, GPU {torch.cuda.get_device_name()}")
    return Finding("good", "torch", f"{torch.__version__}, no GPU: the CPU is enough for every lesson")


def kernel() -> Finding:
    """The kernel `python3` that notebooks name: it must start this very Python."""
    if importlib.util.find_spec("jupyter_client") is None:
        return Finding("missing", "kernel", "jupyter_client is not installed", INSTALL)
    from jupyter_client.kernelspec import KernelSpecManager, NoSuchKernel

    mend = f"{sys.executable} -m ipykernel install --sys-prefix"
    try:
        spec = KernelSpecManager().get_kernel_spec("python3")
    except NoSuchKernel:
        return Finding("missing", "kernel", "no kernel is called python3", mend)
    program = spec.argv[0]
    # By these names Jupyter starts the Python that it runs in itself.
    if program not in ("python", "python3", "python{}.{}".format(*sys.version_info)):
        found = shutil.which(program)
        # The folder too: the Pythons of several environments may be links to one file.
        if not found or not all(
            os.path.samefile(theirs, ours)
            for theirs, ours in (
                (found, sys.executable),
                (os.path.dirname(found), os.path.dirname(sys.executable)),
            )
        ):
            return Finding("note", "kernel", f"python3 starts {program}, not {sys.executable}", mend)
    return Finding("good", "kernel", "python3")


def extensions() -> list[Finding]:
    """nbgrader's pages in JupyterLab: Validate for students, formgrader for instructors."""
    if importlib.util.find_spec("nbgrader") is None:
        return [Finding("missing", "nbgrader", "not installed", INSTALL)]
    version = importlib.metadata.version("nbgrader")
    labextension = Path(sys.prefix) / "share/jupyter/labextensions/@jupyter/nbgrader/package.json"
    switch = Path(sys.prefix) / "etc/jupyter/jupyter_server_config.d/nbgrader.json"
    if labextension.is_file() and switch.is_file():
        return [Finding("good", "nbgrader", f"{version}, with its Validate button in JupyterLab")]
    mend = f"{sys.executable} -m pip install --force-reinstall --no-deps -c constraints.txt nbgrader"
    return [Finding("missing", "nbgrader", f"{version}, but its extension is not in JupyterLab", mend)]


def grading() -> Finding:
    """The packages with which exercises are released and graded. Only instructors need them."""
    if missing := extras.absent("grade"):
        found = f"not installed, only instructors need it: {', '.join(missing)}"
        return Finding("note", "grading", found, extras.command("grade"))
    return Finding("good", "grading", "its packages are all there")


def sandbox() -> Finding:
    """bubblewrap, in which students' code runs at grading. Only instructors need it."""
    if not sys.platform.startswith("linux"):
        found = f"there is none on {platform.system()}: grade on Linux, or your own work with --no-sandbox"
        return Finding("note", "sandbox", found)
    if shutil.which("bwrap") is None:
        mend = "sudo apt install bubblewrap"
        return Finding("note", "sandbox", "bubblewrap is not installed; only grading needs it", mend)
    try:
        from flowlib.course.box import walls
        from flowlib.course.grading import trial
    except ImportError as error:  # said above, with the command that mends it
        return Finding("note", "sandbox", f"it can be tried when {error.name} is installed")
    try:
        trial.on_this_machine()
    except walls.NoSandbox as error:
        found, mend = f"{str(error).split('. ')[0]}; only grading needs it", ""
        if "namespace" in found or "uid map" in found:
            switch = "kernel.apparmor_restrict_unprivileged_userns=0"
            mend = f"allow unprivileged user namespaces: sudo sysctl {switch}"
        return Finding("note", "sandbox", found, mend)
    return Finding("good", "sandbox", "bubblewrap works, and a notebook runs in it")


def data(root: Path) -> list[Finding]:
    """The course's data and notebooks."""
    absent = [
        name for name in ("ames.csv", "diamonds.csv.gz") if not (root / "assets" / "data" / name).is_file()
    ]
    if absent:
        return [
            Finding("missing", "data", f"not in assets/data: {', '.join(absent)}", "git checkout assets/data")
        ]
    lessons = sorted((root / "lessons").glob("*/lesson.ipynb"))
    return [
        Finding("good", "data", "complete, nothing is downloaded"),
        Finding("good" if lessons else "note", "lessons", f"{len(lessons)} lessons"),
    ]
