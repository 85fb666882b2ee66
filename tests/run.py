"""Every check of the course, from fast to slow, with progress and an account of what was skipped.

    python -m tests.run                 everything but what takes long
    python -m tests.run --fast          what a change must pass first, in two minutes
    python -m tests.run --lesson 03     what concerns one lesson
    python -m tests.run --only laws     one stage
    python -m tests.run --soak          what takes long

Each stage writes .build/test/<stage>.xml; the code is 1 if a stage failed, 130 after Ctrl-C.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
import xml.etree.ElementTree as ET
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

HOUSE = Path(__file__).resolve().parents[1]
RESULTS = HOUSE / ".build" / "test"
PARALLEL = ["-n", "2", "--dist", "loadfile"]
ALONE = "--ignore=tests/grading/test_speed.py"  # it measures, so nothing may run beside it
FAST_LAWS = ("bijection", "contract", "scalar", "splines", "linear", "planar", "nets", "coupling", "moved")
HOUSE_TESTS = ["tests/test_house.py", "tests/test_walls.py"]
STILL = "--ignore=tests/browser/timings"  # they measure, too
UNTIMED = "--ignore=tests/notebooks/test_time.py"  # it reads the times of the stage "lessons"


# How long each stage takes on two idle cores, in seconds, as measured.
SECONDS = {
    "house": 115,
    "laws": 165,
    "gpu": 85,
    "exercises": 575,
    "lessons": 160,
    "budgets": 6,
    "grading": 770,
    "pace": 90,
    "browser": 665,
    "timings": 260,
}


@dataclass
class Stage:
    name: str
    command: list[str]
    paths: list[str]

    @property
    def results(self) -> Path:
        return RESULTS / f"{self.name}.xml"

    @property
    def empty(self) -> bool:
        return not any(
            (HOUSE / path).is_file() or list((HOUSE / path).rglob("test_*.py")) for path in self.paths
        )


def tool(name: str, *command: str) -> Stage:
    return Stage(name, [sys.executable, "-m", *command], ["pyproject.toml"])


def form(paths: list[str]) -> list[Stage]:
    return [
        tool("ruff check", "ruff", "check", "--quiet", *paths),
        tool("ruff format", "ruff", "format", "--check", "--quiet", *paths),
    ]


def pytest(name: str, paths: list[str], *arguments: str) -> Stage:
    command = [sys.executable, "-m", "pytest", "-q", "--durations=3", f"--junitxml={RESULTS / name}.xml"]
    return Stage(name, [*command, *arguments, *paths], paths)


def nbval(lesson: str = "") -> Stage:
    """Run lessons and demos again and compare every saved output."""
    found = sorted((HOUSE / "lessons").glob(f"{lesson}*/*.ipynb"))
    paths = [str(p.relative_to(HOUSE)) for p in found if p.name in ("lesson.ipynb", "demo.ipynb")]
    # Warnings inside a notebook show in its outputs, which are compared; those of the runner are not ours.
    arguments = ["--nbval", "--nbval-current-env", "--nbval-cell-timeout=120", "-W", "default", *PARALLEL]
    arguments += [f"--nbval-sanitize-with={HOUSE / 'assets/nbval.cfg'}"]
    return pytest("lessons", paths, *arguments)


def everything() -> list[Stage]:
    return [
        *form(["."]),
        tool("types", "mypy"),
        pytest(
            "house", [f"tests/{path.name}" for path in sorted(Path("tests").glob("test_*.py"))], *PARALLEL
        ),
        pytest("laws", ["tests/laws"], "-n", "2"),
        pytest("gpu", ["tests/gpu"], "-n", "2", "--dist", "loadgroup"),
        pytest("exercises", ["tests/notebooks"], UNTIMED, "-n", "2"),
        nbval(),
        pytest("budgets", ["tests/notebooks/test_time.py"]),
        pytest("grading", ["tests/grading"], ALONE, *PARALLEL),
        pytest("pace", ["tests/grading/test_speed.py"]),
        pytest("browser", ["tests/browser"], STILL),
        pytest("timings", ["tests/browser/timings"]),
    ]


def one_lesson(number: str) -> list[Stage]:
    folders = [
        p.name for p in sorted((HOUSE / "lessons").iterdir()) if p.name.startswith(f"{int(number):02d}_")
    ]
    if not folders:
        sys.exit(f"There is no lesson {number}.")
    lesson = folders[0]
    paths = [p for p in (f"lessons/{lesson}", f"solutions/{lesson}") if (HOUSE / p).exists()]
    return [
        *form(paths),
        # Tests of the notebooks are named 03_planar_flows, those of the answers 03-right_task1.
        pytest("exercises", ["tests/notebooks"], UNTIMED, "-k", f"{lesson[:3]} or {lesson[:2]}-", "-n", "2"),
        nbval(lesson),
        pytest("gpu", ["tests/gpu"], "-k", lesson),
        pytest("budgets", ["tests/notebooks/test_time.py"], "-k", lesson[:3]),
    ]


def fast() -> list[Stage]:
    laws = [f"tests/laws/test_{name}.py" for name in FAST_LAWS]
    return [
        *form(["."]),
        tool("types", "mypy"),
        pytest("house", HOUSE_TESTS, "-n", "2"),
        pytest("laws", laws, "-n", "2"),
        tool("release", "flowlib.course.cli", "release", "--check"),
    ]


def soak() -> list[Stage]:
    return [pytest("soak", ["tests"], "-m", "soak")]


def run(stage: Stage) -> bool:
    stage.results.unlink(missing_ok=True)
    environment = os.environ | {"MPLBACKEND": "Agg", "PYTHONHASHSEED": "0"}
    if "-n" in stage.command:
        environment |= {"OMP_NUM_THREADS": "1"}
    if stage.name == "lessons":
        (RESULTS / "load").write_text(f"{os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else "0")
        environment.pop("MPLBACKEND")  # notebooks draw inline
    code = subprocess.run(stage.command, cwd=HOUSE, env=environment, check=False).returncode
    return code in (0, 5)  # pytest ends with 5 when a selection is empty


def forecast(usual: dict[str, int]) -> str:
    """How long these stages take, to be said before the first."""
    if not usual:
        return ""
    lines = [f"{name:12} {seconds:6} s" for name, seconds in {**usual, "all": sum(usual.values())}.items()]
    return "\n".join(["What this takes on two idle cores:", *lines, ""])


def skipped(stages: list[Stage]) -> Counter[tuple[str, str]]:
    """Which stage skipped for which reason, and how often."""
    reasons: Counter[tuple[str, str]] = Counter()
    for stage in stages:
        if not stage.results.is_file():
            continue
        for case in ET.parse(stage.results).iter("skipped"):
            reasons[stage.name, case.get("message", "no reason given")] += 1
    return reasons


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.run", description=__doc__.splitlines()[0])
    parser.add_argument("--lesson", help="only what concerns this lesson, as 3 or 03")
    parser.add_argument("--only", help="only this stage: " + ", ".join(stage.name for stage in everything()))
    parser.add_argument("--fast", action="store_true", help="what a change must pass first")
    parser.add_argument("--soak", action="store_true", help="what takes long")
    wanted = parser.parse_args()
    stages = everything()
    if wanted.lesson:
        stages = one_lesson(wanted.lesson)
    elif wanted.fast or wanted.soak:
        stages = fast() if wanted.fast else soak()
    if wanted.only:
        stages = [stage for stage in stages if stage.name == wanted.only]
        if not stages:
            parser.error(f"there is no stage {wanted.only!r}")
    whole = not (wanted.lesson or wanted.fast or wanted.soak)  # a part of a stage is not what was measured
    usual = {stage.name: SECONDS[stage.name] for stage in stages if whole and stage.name in SECONDS}
    print(forecast(usual), end="", flush=True)
    RESULTS.mkdir(parents=True, exist_ok=True)
    start, account = time.monotonic(), []
    for number, stage in enumerate(stages, start=1):
        if not stage.paths or stage.empty:
            account.append((stage.name, "nothing to do", 0.0))
            continue
        print(
            f"\n[{number}/{len(stages)}] {stage.name}  ({time.monotonic() - start:.0f} s so far)", flush=True
        )
        began = time.monotonic()
        good = run(stage)
        account.append((stage.name, "passed" if good else "FAILED", time.monotonic() - began))
    print("\n" + "-" * 60)
    for (stage, reason), count in sorted(skipped(stages).items()):
        print(f"skipped in {stage}, {count}x: {reason}")
    for name, state, seconds in account:
        beside = f"  (usually {usual[name]} s)" if name in usual else ""
        print(f"{name:12} {state:14} {seconds:6.0f} s{beside}")
    print(f"{'all':12} {'':14} {time.monotonic() - start:6.0f} s")
    failed = [name for name, state, _ in account if state == "FAILED"]
    if failed:
        print(f"\nFailed: {', '.join(failed)}. To run one again:")
        print(f"  .venv/bin/python -m tests.run --only {failed[0]!r}")
    else:
        print("\nAll checks passed.")
    return 1 if failed else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        print("\nStopped.")
        sys.exit(130)
