"""The runner of `make gpu`: does it say what failed, what differs, and that there is no GPU?"""

import json
import os
import subprocess
import sys

import pytest
import torch

from tests.gpu.__main__ import OUT_OF_TIME, Runner, judged, main, markdown
from tests.gpu.cells import HOUSE, Cell, find_lesson, lesson_numbers, new_namespace, read_cells, run_cell
from tests.gpu.numbers import differences


def notebook(path, *sources, outputs=()):
    """A notebook file of code cells named a, b, c, ..., each with the text that it once printed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    outputs = [*outputs, *[""] * (len(sources) - len(outputs))]
    cells = [
        {
            "cell_type": "code",
            "id": name,
            "source": source.splitlines(keepends=True),
            "outputs": [{"output_type": "stream", "name": "stdout", "text": text.splitlines(keepends=True)}],
        }
        for name, source, text in zip("abcdef", sources, outputs, strict=False)
    ]
    cells.insert(1, {"cell_type": "markdown", "id": "words", "source": ["# A heading"]})
    path.write_text(json.dumps({"cells": cells}), encoding="utf-8")
    return path


def run_module(*command):
    return subprocess.run(
        [sys.executable, "-m", *command], cwd=HOUSE, capture_output=True, text=True, timeout=300, check=False
    )


# --- numbers ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("saved", "here"),
    [
        ("NLL 2.09 nats", "NLL 2.18 nats"),  # 4 %
        ("gap 0.01 nats", "gap 0.02 nats"),  # one unit of the last digit
        ("gap -0.004", "gap −0.004"),
        ("12,345 parameters", "12,345 parameters"),
        ("round trip 3e-07", "round trip 9e-06"),  # rounding errors
        ("sampling took 20 ms", "sampling took 900 ms"),
        ("kept 12 MB", "kept 90 MB"),
        ("3 times faster", "9 times faster"),
        ("tensor([1., 2.])", "tensor([1., 2.], device='cuda:0')"),
        ("a  1.00", "a 1.00"),
        ("flow    NLL    ms\nMAF    1.71  2.38", "flow    NLL    ms\nMAF    1.71 31.44"),
        ("", "\n"),
    ],
)
def test_numbers_that_agree(saved, here):
    assert differences(saved, here) == []


@pytest.mark.parametrize(
    ("saved", "here", "expected"),
    [
        ("NLL 2.09 nats", "NLL 2.31 nats", ["saved 2.09, here 2.31   in: NLL 2.31 nats"]),
        ("1,200 rows, 5 kept", "1,500 rows, 5 kept", ["saved 1,200, here 1,500   in: 1,500 rows, 5 kept"]),
        ("x1 = -0.50", "x1 = +0.50", ["saved -0.50, here +0.50   in: x1 = +0.50"]),
        ("error 2e-03", "error 8e-03", ["saved 2e-03, here 8e-03   in: error 8e-03"]),
        (
            "flow    NLL    ms\nMAF    1.71  2.38",
            "flow    NLL    ms\nMAF    1.91  2.38",
            ["saved 1.71, here 1.91   in: MAF    1.91"],
        ),
        ("holds", "fails", ["saved 'holds', here 'fails'"]),
        ("loss 1.0", "loss nan", ["saved 'loss 1.0', here 'loss nan'"]),
        ("a 1\nb 20", "a 1\nnew 7\nb 30", ["saved '', here 'new 7'", "saved 20, here 30   in: b 30"]),
    ],
)
def test_numbers_that_differ(saved, here, expected):
    assert [str(difference) for difference in differences(saved, here)] == expected


# --- cells -----------------------------------------------------------------------------------


def test_a_notebook_is_read_as_it_was_saved(tmp_path):
    first, second = read_cells(notebook(tmp_path / "x.ipynb", "a = 1", "a + 1", outputs=["", "2\n"]))
    assert (first.id, second.id, second.source, second.printed) == ("a", "b", "a + 1", "2\n")
    assert len(read_cells(find_lesson("5"))) > 30
    assert lesson_numbers()[:2] == ["01", "02"]


def test_a_last_expression_is_shown(capsys):
    namespace = new_namespace()
    for source in ("a = 2", "a\n'shown'", "print('printed')", "a;", "display(a, 'both')"):
        assert run_cell(Cell("x", source, ""), namespace) is None
    assert capsys.readouterr().out == "'shown'\nprinted\n2\nboth\n"


@pytest.mark.parametrize(
    ("source", "line", "code", "error"),
    [
        ("x = 1\n\nassert x == 2, 'unequal'", 3, "assert x == 2, 'unequal'", "AssertionError: unequal"),
        ("def f():\n    return {}['k']\n\n\nf()", 2, "return {}['k']", "KeyError: 'k'"),
        ("import torch\ntorch.ones(2) @ torch.ones(3)", 2, "torch.ones(2) @ torch.ones(3)", "RuntimeError"),
        ("x = 1\nx = = 2", 2, "x = = 2", "SyntaxError: invalid syntax"),
    ],
)
def test_a_cell_that_fails_says_where(source, line, code, error):
    failure = run_cell(Cell("x", source, ""), new_namespace())
    assert (failure.cell, failure.line, failure.code) == ("x", line, code)
    assert failure.error.startswith(error)


def test_a_failure_names_the_line_of_flowlib():
    source = "import torch\nfrom flowlib.flow import RealNVP\nRealNVP(2).log_prob(torch.zeros(3, 5))"
    failure = run_cell(Cell("x", source, ""), new_namespace())
    assert failure.line == 3 and failure.inside.startswith("in bijection.py:")


# --- one lesson ------------------------------------------------------------------------------


def test_a_lesson_runs_as_a_script(tmp_path):
    path = notebook(
        tmp_path / "08_made_up" / "lesson.ipynb",
        "from pathlib import Path\nprint(Path.cwd().name)",
        "import matplotlib.pyplot as plt\nplt.plot([1, 2])\nplt.show()\nprint('nats 2.0')",
        "assert False, 'too bad'",
        "import warnings\nwarnings.warn('slow')\nprint('after, 3.00')",
        outputs=["08_made_up\n", "nats 2.5\n", "", "after, 3.01\n"],
    )
    done = run_module("tests.gpu.lesson", str(path), "--out", str(tmp_path))
    report = json.loads((tmp_path / "lesson_08.json").read_text())
    assert done.returncode == 1 and "FAILED: cell c, line 1: AssertionError: too bad" in done.stdout
    assert [failure["cell"] for failure in report["failures"]] == ["c"]
    assert {cell: [d["here"] for d in found] for cell, found in report["differences"].items()} == {
        "b": ["2.0"]
    }
    assert list(report["cells"]) == ["a", "b", "c", "d"] and "after, 3.00" in done.stdout

    outcome = judged("08", 1.0, report)
    assert not outcome.ok and outcome.lines[0].startswith("FAILED c, line 1: AssertionError: too bad")
    assert outcome.lines[1].startswith("d warns: <cell d>:2: UserWarning: slow")
    assert outcome.lines[2] == "b: saved 2.5, here 2.0   nats 2.0"
    report["failures"], report["seconds"] = [], 121
    outcome = judged("08", 125.0, report)
    assert outcome.ok and outcome.note.startswith("LONGER THAN 120 s")
    text = markdown([outcome], "a card", 130)
    assert "| lesson 08 | ok | 125 | LONGER" in text and "saved 2.5, here 2.0" in text


def test_a_lesson_on_the_pretend_gpu_stops_at_the_cell_that_mixes(tmp_path):
    path = notebook(
        tmp_path / "lesson.ipynb",
        "import torch\nfrom flowlib import training\ndevice = training.best_device()\nassert False, 'judges'",
        "x = torch.ones(3)\ny = torch.ones(3, device=device)\nprint(y.sum())\ny + x",
        "print('not reached')",
    )
    done = run_module("tests.gpu.pretend", str(path))
    assert done.returncode == 1 and "not reached" not in done.stdout
    assert "cell b, line 4: RuntimeError: Expected all tensors to be on the same device" in done.stdout
    assert "    y + x" in done.stdout and "tensor(3., device='gpux:0')" in done.stdout


# --- all of it -------------------------------------------------------------------------------


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU here")
def test_without_a_gpu_it_says_so(capsys, tmp_path):
    assert main(["--out", str(tmp_path)]) == 2
    assert capsys.readouterr().out.startswith("There is no GPU here") and not list(tmp_path.iterdir())


def test_a_program_that_does_not_end_is_stopped(tmp_path):
    runner = Runner(tmp_path, "cpu")
    code, seconds = runner.start(
        "slow", 1.0, "timeit", "-n1", "-r1", "import time; time.sleep(60)", threads=1
    )
    assert code == OUT_OF_TIME and seconds < 30
    code, _ = runner.start("quick", 60.0, "timeit", "-n1", "-r1", "print('done')", threads=1)
    assert code == 0 and runner.tail("quick")[0] == "done"


BARE = """
import sys

class Lacking:
    "A machine with a GPU has torch and little else."
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {lacking}:
            raise ModuleNotFoundError(f"No module named {{name!r}}")

sys.meta_path.insert(0, Lacking())
import pytest
import tests.gpu.__main__, tests.gpu.lesson
sys.exit(pytest.main(["tests/laws", "-m", "cuda", "--collect-only", "-q", "-p", "no:cacheprovider"]))
"""
LACKING = {
    "nbformat",
    "nbconvert",
    "nbval",
    "IPython",
    "ipywidgets",
    "jupyter_client",
    "xdist",
    "pytest_timeout",
}
LACKING |= {"nflows", "normflows", "zuko", "nbgrader", "psutil", "yaml"}


BARE_LESSON = """
import sys
class Lacking:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {lacking}:
            raise ModuleNotFoundError(f"No module named {{name!r}}")

sys.meta_path.insert(0, Lacking())
import importlib.util
plain = importlib.util.find_spec
importlib.util.find_spec = lambda name, package=None: None if name in {lacking} else plain(name, package)
from tests.gpu.cells import Cell, new_namespace, run_cell
cell = "import ipywidgets\\nipywidgets.interact(lambda x: print(x), x=ipywidgets.{control});"
print(run_cell(Cell("slider", cell, ""), new_namespace()))
import inspect
inspect.getmodule(run_cell.__code__)  # looks at every module, as PyTorch does
"""


@pytest.mark.parametrize(
    "control",
    [
        "FloatSlider(2.0, min=0)",
        "IntSlider(value=2.0, min=0)",
        "ToggleButtons(options=[2.0, 3.0], description='')",
        "SelectionSlider(options=[('two', 2.0), ('three', 3.0)])",
    ],
)
def test_a_bare_machine_shows_a_control_at_rest(control):
    program = BARE_LESSON.format(lacking=LACKING, control=control)
    done = subprocess.run([sys.executable, "-c", program], cwd=HOUSE, capture_output=True, text=True)
    assert done.stdout.split() == ["2.0", "None"], done.stdout + done.stderr
    assert done.returncode == 0, done.stderr


def test_a_bare_machine_collects_the_cuda_tests():
    done = subprocess.run(
        [sys.executable, "-c", BARE.format(lacking=LACKING)],
        cwd=HOUSE,
        env=os.environ | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("test_cuda_agrees_with_cpu") > 30
