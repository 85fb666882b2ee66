"""Everything that needs a GPU, on a machine that has little else: `make gpu`.

    python -m tests.gpu                     the cuda tests, all lessons as scripts, the GPU benchmark
    python -m tests.gpu --part lessons      one part: tests, lessons or bench
    python -m tests.gpu --lesson 05         one lesson
    python -m tests.gpu --device cpu        a dry run without a GPU: lessons only

Writes gpu.md and gpu.json, and what each program printed, into `--out` (or the folder that GPU_OUT names).
The code is 1 if something failed, 2 if there is no GPU.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path

from tests.gpu.cells import HOUSE, lesson_numbers

PARTS = ("tests", "lessons", "bench")
NEEDED = ("torch", "torchdiffeq", "scipy", "sklearn", "matplotlib", "seaborn", "safetensors", "tqdm", "PIL")
ALL = 470  # seconds for everything: under eight minutes
LIMITS = {"tests": 150, "lessons": 300, "bench": 300}
LONG = 120  # a lesson that takes more seconds is too slow
AT_ONCE = 4
OUT_OF_TIME = 124


@dataclass
class Outcome:
    """How one program ended: a lesson, the tests, or the benchmark. `lines` say what a person must see."""

    name: str
    ok: bool
    seconds: float
    note: str = ""
    lines: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.name:12} {'ok' if self.ok else 'FAILED':7} {self.seconds:6.0f} s  {self.note}"


class Runner:
    """Starts programs one after another or at once, each with a limit, their output in a file."""

    def __init__(self, out: Path, device: str, limit: float = ALL):
        self.out, self.device = out, device
        self.ends = time.monotonic() + limit

    def start(self, name: str, limit: float, module: str, *arguments: str, threads: int) -> tuple[int, float]:
        """Run a module of Python. Returns its exit code, or OUT_OF_TIME, and the seconds it took."""
        environment = os.environ | {"MPLBACKEND": "Agg", "OMP_NUM_THREADS": str(threads)}
        if self.device == "cpu":
            environment["CUDA_VISIBLE_DEVICES"] = ""
        limit = max(1.0, min(limit, self.ends - time.monotonic()))
        started = time.monotonic()
        with open(self.out / f"{name}.txt", "w", encoding="utf-8") as log:
            command = [sys.executable, "-m", module, *arguments]
            try:
                code = subprocess.run(
                    command, cwd=HOUSE, env=environment, stdout=log, stderr=log, timeout=limit, check=False
                ).returncode
            except subprocess.TimeoutExpired:
                code = OUT_OF_TIME
        return code, time.monotonic() - started

    def tail(self, name: str, count: int = 8) -> tuple[str, ...]:
        """The last lines that a program printed."""
        text = (self.out / f"{name}.txt").read_text(encoding="utf-8", errors="replace")
        return tuple(text.strip().splitlines()[-count:])

    def tests(self) -> Outcome:
        """The tests marked cuda."""
        arguments = ("tests/laws", "-m", "cuda", "-q", "-p", "no:cacheprovider")
        code, seconds = self.start("tests", LIMITS["tests"], "pytest", *arguments, threads=4)
        last = self.tail("tests")
        return Outcome("cuda tests", code == 0, seconds, last[-1] if last else "", () if code == 0 else last)

    def lesson(self, number: str) -> Outcome:
        """One lesson as a script, in a process of its own."""
        name = f"lesson_{number}"
        report = self.out / f"{name}.json"
        report.unlink(missing_ok=True)
        arguments = (number, "--out", str(self.out))
        code, seconds = self.start(name, LIMITS["lessons"], "tests.gpu.lesson", *arguments, threads=2)
        if not report.is_file():
            note = f"no end in {seconds:.0f} s" if code == OUT_OF_TIME else f"ended with code {code}"
            return Outcome(f"lesson {number}", False, seconds, note, self.tail(name))
        return judged(number, seconds, json.loads(report.read_text(encoding="utf-8")))

    def lessons(self, numbers: list[str]) -> list[Outcome]:
        with ThreadPoolExecutor(AT_ONCE) as pool:
            return list(pool.map(self.lesson, numbers))

    def bench(self) -> Outcome:
        """The GPU benchmark: last and alone, for it measures times."""
        arguments = ["--out", str(self.out)]
        if self.device == "cpu":
            arguments += ["--device", "cpu", "--quick"]
        threads = os.cpu_count() or 1
        code, seconds = self.start(
            "bench", LIMITS["bench"], "tests.benchmarks.gpu", *arguments, threads=threads
        )
        note = (
            "all bars met"
            if code == 0
            else "time ran out"
            if code == OUT_OF_TIME
            else "a bar missed, or it failed"
        )
        return Outcome("benchmark", code == 0, seconds, note, () if code == 0 else self.tail("bench", 20))


def judged(number: str, seconds: float, report: dict) -> Outcome:
    """A lesson's outcome, from the report that it wrote."""
    slow = sorted(report["cells"].items(), key=lambda cell: -cell[1])[:3]
    note = f"on {report['device']}; slowest cells " + ", ".join(f"{cell} {s:.1f} s" for cell, s in slow)
    if report["seconds"] > LONG:
        note = f"LONGER THAN {LONG} s; {note}"
    lines = [f"FAILED {f['cell']}, line {f['line']}: {f['error']} | {f['code']}" for f in report["failures"]]
    lines += [f"{cell} warns: {text}" for cell, text in report["warnings"].items()]
    for cell, found in report["differences"].items():
        lines += [f"{cell}: saved {d['saved']}, here {d['here']}   {d['line']}" for d in found]
    return Outcome(f"lesson {number}", not report["failures"], seconds, note, tuple(lines))


def markdown(outcomes: list[Outcome], device: str, seconds: float) -> str:
    """The summary: one row for each program, then what a person must see of each."""
    rows = [f"| {o.name} | {'ok' if o.ok else 'FAILED'} | {o.seconds:.0f} | {o.note} |" for o in outcomes]
    text = [f"{device}. {seconds:.0f} s in all.", "", "| what | | s | |", "|-|-|-:|-|", *rows]
    for outcome in outcomes:
        if outcome.lines:
            text += ["", f"{outcome.name}:", "", "```", *outcome.lines, "```"]
    return "\n".join([*text, ""])


def machine() -> str:
    """The machine in one line: the card, its driver's CUDA, and the versions."""
    import torch

    card = torch.cuda.get_device_name() if torch.cuda.is_available() else "no GPU"
    python = ".".join(map(str, sys.version_info[:3]))
    return f"{card}, torch {torch.__version__}, Python {python}, {os.cpu_count()} processor cores"


def problem(device: str) -> str | None:
    """Why nothing can run here, in one line; None if it can."""
    missing = [name for name in NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        return f"{sys.executable} lacks {', '.join(missing)}: name another Python, make gpu GPU_PYTHON=..."
    import torch

    if device == "cuda" and not torch.cuda.is_available():
        return "There is no GPU here that torch can use. A dry run: python -m tests.gpu --device cpu"
    return None


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.gpu", description=__doc__.splitlines()[0])
    parser.add_argument("--part", choices=PARTS, help="only this part")
    parser.add_argument("--lesson", help="only this lesson, as 5 or 05")
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda")
    parser.add_argument(
        "--out", type=Path, default=Path(os.environ.get("GPU_OUT") or HOUSE / ".build" / "gpu")
    )
    wanted = parser.parse_args(arguments)
    why_not = problem(wanted.device)
    if why_not:
        print(why_not)
        return 2
    numbers = lesson_numbers()
    if wanted.lesson:
        numbers = [number for number in numbers if int(number) == int(wanted.lesson)]
        if not numbers:
            parser.error(f"there is no lesson {wanted.lesson}")
    everything = PARTS if wanted.device == "cuda" else ("lessons",)
    parts = ("lessons",) if wanted.lesson else (wanted.part,) if wanted.part else everything
    out = Path(wanted.out).resolve()
    out.mkdir(parents=True, exist_ok=True)
    runner, started, outcomes = Runner(out, wanted.device), time.monotonic(), []
    print(machine(), flush=True)
    for part in parts:
        result = runner.lessons(numbers) if part == "lessons" else [getattr(runner, part)()]
        outcomes += result
        for outcome in result:
            print(outcome, *outcome.lines, sep="\n    ", flush=True)
        seconds = time.monotonic() - started
        # After every part, so that a machine that is taken away leaves what it found.
        (out / "gpu.md").write_text(markdown(outcomes, machine(), seconds), encoding="utf-8")
        about = {"machine": machine(), "seconds": seconds, "outcomes": [asdict(o) for o in outcomes]}
        (out / "gpu.json").write_text(json.dumps(about, indent=1, ensure_ascii=False), encoding="utf-8")
    print(f"{time.monotonic() - started:.0f} s; the summary is {out / 'gpu.md'}")
    return 0 if all(outcome.ok for outcome in outcomes) else 1


if __name__ == "__main__":
    sys.exit(main())
