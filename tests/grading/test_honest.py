"""The honest but unlucky class: each gets exactly the marks it has earned."""

from __future__ import annotations

import copy
import json

import pytest

from tests.grading.course import ALL, Class, before, cell_of, grade_id_of, make_course
from tests.grading.run import FAST, entries, executed, feedback, grade, points

CASES: dict[str, tuple] = {}


def case(earned: float = ALL, note: str = "", outcome: str = "graded"):
    """Add a function that gives the notebook (or writes the submission itself)."""

    def add(write):
        CASES[write.__name__] = write, earned, note, outcome
        return write

    return add


def extra(notebook: dict, source: str, where: str = "task1") -> dict:
    return before(notebook, where, source)


@case()
def plain(klass, student):
    return klass.right_notebook()


@case()
def warns_on_stderr(klass, student):
    source = """
import sys, warnings
def affine(z, a, b):
    warnings.warn('careful')
    print('hm', file=sys.stderr)
    return a * z + b, torch.full_like(z, math.log(abs(a)))
"""
    return extra(klass.right_notebook(task1=source), "import sys\nprint('loading', file=sys.stderr)")


@case()
def progress_bars(klass, student):
    source = klass.right["task4"].replace("for _ in range(self.steps)", "for _ in tqdm(range(self.steps))")
    return klass.right_notebook(task4="from tqdm.auto import tqdm\n" + source)


@case()
def float64_default(klass, student):
    return extra(
        klass.right_notebook(task4=klass.right["task4"].replace("(data)", "(data.double())")),
        "torch.set_default_dtype(torch.float64)",
    )


@case()
def warnings_as_errors(klass, student):
    return extra(klass.right_notebook(), "import warnings\nwarnings.simplefilter('error')")


@case(note="task2 is there 2 times")
def duplicated_cell(klass, student):
    notebook = klass.right_notebook()
    index = notebook["cells"].index(cell_of(notebook, "task2"))
    first = copy.deepcopy(notebook["cells"][index])
    first["source"] = "def normal_log_prob(z):\n    return z  # first try"
    notebook["cells"].insert(index, first)
    return notebook


@case(note="task1_test is there 3 times")
def duplicated_tests(klass, student):
    notebook = klass.right_notebook()
    notebook["cells"][5:5] = [copy.deepcopy(cell_of(notebook, "task1_test")) for _ in range(2)]
    return notebook


@case(note="deleted test cells were put back")
def deleted_tests(klass, student):
    notebook = klass.right_notebook()
    notebook["cells"] = [cell for cell in notebook["cells"] if "_test" not in grade_id_of(cell)]
    return notebook


@case()
def deleted_setup(klass, student):
    notebook = klass.right_notebook()
    notebook["cells"] = [cell for cell in notebook["cells"] if grade_id_of(cell) != "setup"]
    return notebook


@case(earned=ALL - 4)
def deleted_task(klass, student):
    notebook = klass.right_notebook()
    notebook["cells"] = [cell for cell in notebook["cells"] if grade_id_of(cell) != "task2"]
    return notebook


@case(note="had lost its mark")
def all_marks_lost(klass, student):
    notebook = klass.right_notebook()
    for cell in notebook["cells"]:
        cell["metadata"] = {}
    return notebook


def without_marks(notebook: dict) -> dict:
    for cell in notebook["cells"]:
        cell["metadata"] = {}
    return notebook


def words(source: str, number: int) -> dict:
    return {"cell_type": "markdown", "metadata": {}, "source": source, "id": f"words-{number}"}


@case(note="task5 had lost its mark; its cell was found by its question or its place")
def question_kept_but_marks_lost(klass, student):
    """The answer stands under the question, in a notebook that was put together anew."""
    notebook = without_marks(
        klass.right_notebook(task5="Why does density fall where space stretches?\n\nSo.")
    )
    notebook["cells"].insert(0, words("My name is Ann.", 0))
    notebook["cells"].insert(0, notebook["cells"].pop())
    return notebook


@case(outcome="flagged", note="task5 had lost its mark: 2 cells of text may be the answer")
def marks_lost_and_two_answers(klass, student):
    notebook = without_marks(klass.right_notebook(task5="The area stays one."))
    notebook["cells"].append(words("And the density is what is left.", 1))
    return notebook


@case(note="the written answer task5 is missing")
def written_answer_deleted(klass, student):
    notebook = klass.right_notebook()
    notebook["cells"].remove(cell_of(notebook, "task5"))
    return notebook


@case()
def answer_in_a_cell_of_its_own(klass, student):
    notebook = klass.right_notebook(task5=cell_of(klass.released, "task5")["source"])
    notebook["cells"].append(words("Because the area stays one.", 2))
    return notebook


@case()
def answer_doubled_and_the_last_left_blank(klass, student):
    notebook = klass.right_notebook()
    notebook["cells"].append(copy.deepcopy(cell_of(klass.released, "task5")))
    return notebook


@case()
def written_answer_left_as_it_was(klass, student):
    return klass.right_notebook(task5=cell_of(klass.released, "task5")["source"])


@case()
def windows_for_figures(klass, student):
    """Backends for screens that the grader's machine lacks, in every way in which people ask for them."""
    source = """
%matplotlib widget
%matplotlib qt
import matplotlib, matplotlib.pyplot as plt
matplotlib.use('TkAgg')
plt.switch_backend('QtAgg')
matplotlib.use('WebAgg')
plt.plot([1, 2])
plt.show()
matplotlib.use('Agg')
"""
    return klass.right_notebook(task1=source + klass.right["task1"])


@case()
def leftovers_of_debugging(klass, student):
    stops = "breakpoint(); import pdb; pdb.set_trace(); return"
    notebook = klass.right_notebook(task1=klass.right["task1"].replace("return", stops))
    return extra(extra(notebook, "%debug"), "%pdb on\nname = input('who? ')")


@case()
def nan_where_no_test_looks(klass, student):
    """What fit returns is looked at by nobody."""
    source = klass.right["task4"].replace("return loss.item()", "return [loss.item(), float('nan')]")
    return klass.right_notebook(task4=source)


@case(earned=ALL - 4)
def nan_where_a_test_looks(klass, student):
    return klass.right_notebook(task2=klass.right["task2"] + " + torch.where(z < -2, math.nan, 0.0)")


@case()
def edited_tests(klass, student):
    notebook = klass.right_notebook()
    cell_of(notebook, "task1_test")["source"] = "print(affine(torch.zeros(2), 1.0, 2.0))"
    return notebook


@case(note="byte-order mark")
def byte_order_mark(klass, student):
    klass.hand_in(student, b"\xef\xbb\xbf" + json.dumps(klass.right_notebook()).encode())


@case(note="UTF-16")
def utf16(klass, student):
    klass.hand_in(student, json.dumps(klass.right_notebook()).encode("utf-16"))


@case(note="cp1252")
def windows_text(klass, student):
    notebook = klass.right_notebook(task5="Weil die Fläche eins bleibt – für alle.")
    klass.hand_in(student, json.dumps(notebook, ensure_ascii=False).encode("cp1252"))


@case(note="exercises (1).ipynb")
def second_download(klass, student):
    klass.hand_in(student, klass.right_notebook(), "exercises (1).ipynb")


@case(note="01_small")
def folder_in_folder(klass, student):
    (klass.folder(student) / "01_small").mkdir()
    klass.hand_in(student, klass.right_notebook(), "01_small/exercises.ipynb")


@case(outcome="flagged")
def two_candidates(klass, student):
    klass.hand_in(student, klass.right_notebook(), "exercises final.ipynb")
    klass.hand_in(student, {"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": []}, "notes.ipynb")


@case()
def foreign_kernel(klass, student):
    notebook = klass.right_notebook()
    notebook["metadata"] = {
        "kernelspec": {"name": "my-conda-env-3.9", "display_name": "x", "language": "python"}
    }
    return notebook


@case()
def no_metadata_of_the_notebook(klass, student):
    notebook = klass.right_notebook()
    del notebook["metadata"], notebook["nbformat_minor"]
    return notebook


@case(note="old format 3")
def old_format(klass, student):
    cells = []
    for cell in klass.right_notebook()["cells"]:
        old = {"cell_type": cell["cell_type"], "metadata": cell["metadata"]}
        old["input" if cell["cell_type"] == "code" else "source"] = cell["source"]
        cells.append(old)
    return {"nbformat": 3, "nbformat_minor": 0, "metadata": {"name": ""}, "worksheets": [{"cells": cells}]}


@case(note="turned into a markdown cell")
def cell_type_changed(klass, student):
    notebook = klass.right_notebook()
    cell = cell_of(notebook, "task3")
    cell["cell_type"] = "markdown"
    return notebook


@case()
def slow_machine(klass, student):
    slow = "import time\ntime.sleep(1.5)\n"
    return klass.right_notebook(**{task: slow + source for task, source in klass.right.items()})


@case(earned=ALL - 5)
def crash_in_task4(klass, student):
    return klass.right_notebook(task4="import os\nos.abort()")


@case(earned=ALL - 5)
def crash_in_a_call_of_task4(klass, student):
    return klass.right_notebook(task4=klass.right["task4"].replace("loss = ", "import os; os.abort() #"))


@case(earned=ALL - 4)
def syntax_error_in_task2(klass, student):
    return klass.right_notebook(task2="def normal_log_prob(z:\n    return z")


@case(earned=ALL - 4)
def loop_in_task2(klass, student):
    return klass.right_notebook(task2="while True:\n    pass")


@case(earned=ALL - 3)
def one_mistake_costs_once(klass, student):
    return klass.right_notebook(
        task1="def affine(z, a, b):\n    return a * z + b, -torch.full_like(z, math.log(abs(a)))"
    )


@case()
def consistent_in_own_way(klass, student):
    """Task 1 returns more than asked for where the student's own task 3 asks for it."""
    task1 = """
def affine(z, a, b, log_only=False):
    log_det = torch.full_like(z, math.log(abs(a)))
    return log_det if log_only else (a * z + b, log_det)
"""
    task3 = """
def log_prob(x, a, b):
    z = (x - b) / a
    return normal_log_prob(z) - affine(z, a, b, log_only=True)
"""
    return klass.right_notebook(task1=task1, task3=task3)


@case()
def given_names_overwritten(klass, student):
    """Cells of the student's own use names of a locked cell further down; in the notebook they do no harm."""
    notebook = extra(klass.right_notebook(), "standard_normal = None", "task1")
    return extra(notebook, "def standard_normal(z):\n    return 0", "task2")


@case()
def locked_cell_moved_and_doubled(klass, student):
    notebook = klass.right_notebook()
    given = cell_of(notebook, "task3_given")
    notebook["cells"].remove(given)
    notebook["cells"] += [given, copy.deepcopy(given)]
    return extra(notebook, "standard_normal = None", "task1")


@case()
def crashes_in_scratch_cells(klass, student):
    """Each ends the process; what comes after is saved by a further attempt."""
    notebook = extra(klass.right_notebook(), "import os\nos._exit(1)", "task1")
    notebook = extra(notebook, "import os\nos.abort()", "task3")
    return extra(notebook, "import faulthandler\nfaulthandler._sigsegv()", "task4")


@case(earned=ALL - 2)
def crash_on_an_input_of_one_test(klass, student):
    crash = "    if a < 0:\n        import os; os.abort()\n    return"
    source = klass.right["task3"].replace("    return", crash)
    return klass.right_notebook(task3=source)


@case()
def scratch_cells_fail(klass, student):
    notebook = extra(klass.right_notebook(), "1 / 0", "task2")
    return extra(notebook, "undefined_name\nimport nonsense", "task4")


@case()
def exit_at_the_end(klass, student):
    notebook = extra(klass.right_notebook(), "exit()", "task2")
    notebook["cells"].append(
        {"cell_type": "code", "metadata": {}, "source": "quit()\nraise SystemExit", "outputs": []}
    )
    return notebook


@case()
def crash_after_the_last_test(klass, student):
    notebook = klass.right_notebook()
    notebook["cells"].append(
        {"cell_type": "code", "metadata": {}, "source": "import os\nos._exit(1)", "outputs": []}
    )
    return notebook


@case(note="cells had been moved")
def tasks_in_another_order(klass, student):
    notebook = klass.right_notebook()
    cell = cell_of(notebook, "task2")
    notebook["cells"].remove(cell)
    notebook["cells"].insert(2, cell)
    return notebook


@case()
def helper_in_a_cell_and_a_file(klass, student):
    (klass.folder(student) / "helpers.py").write_text("import math\nHALF_LOG = 0.5 * math.log(2 * math.pi)\n")
    notebook = klass.right_notebook(task2="def normal_log_prob(z):\n    return -square(z) - HALF_LOG")
    return extra(notebook, "from helpers import HALF_LOG\ndef square(z):\n    return 0.5 * z * z", "task2")


@case()
def reads_and_writes_files(klass, student):
    (klass.folder(student) / "data.csv").write_text("1,2\n3,4\n")
    source = """
import matplotlib.pyplot as plt, numpy as np
plt.plot(np.loadtxt('data.csv', delimiter=','))
plt.savefig('figure.png')
torch.save({'a': 1}, 'model.pt')
open('other.csv', 'a').write('5,6')
plt.show()
"""
    return extra(klass.right_notebook(task2=source + klass.right["task2"]), source)


@case()
def magics_and_await(klass, student):
    source = """
%matplotlib inline
%timeit -n1 -r1 1 + 1
!echo hello
import asyncio
await asyncio.sleep(0)
%load_ext autoreload
"""
    return extra(klass.right_notebook(task1=source + klass.right["task1"]), "%%bash\necho hello")


@case()
def other_styles(klass, student):
    """Lambdas, callable objects, dataclasses, partial functions, lists for tuples."""
    task1 = "affine = lambda z, a, b: [a * z + b, torch.full_like(z, math.log(abs(a)))]"
    task2 = """
class Normal:
    def __call__(self, z):
        return -0.5 * z**2 - 0.5 * math.log(2 * math.pi)
normal_log_prob = Normal()
"""
    task3 = """
import functools
def of_any(base, x, a, b):
    z = (x - b) / a
    return base(z) - affine(z, a, b)[1]
log_prob = functools.partial(of_any, normal_log_prob)
"""
    task4 = """
import dataclasses
@dataclasses.dataclass
class Fit:
    steps: int
    def fit(self, data):
        self.normal = torch.distributions.Normal(data.mean(), data.std())
        self.log_prob = self.normal.log_prob
"""
    return klass.right_notebook(task1=task1, task2=task2, task3=task3, task4=task4)


@case()
def workers_and_threads(klass, student):
    source = """
import threading
from torch.utils.data import DataLoader
batches = list(DataLoader(torch.arange(8), num_workers=2))
thread = threading.Thread(target=print, args=('hi',))
thread.start()
thread.join()
assert len(batches) == 8
"""
    return klass.right_notebook(task1=source + klass.right["task1"])


@case()
def large_outputs_saved(klass, student):
    notebook = klass.right_notebook()
    output = {"output_type": "stream", "name": "stdout", "text": "x" * 5_000_000}
    notebook["cells"][1]["outputs"] = [output] * 4
    return notebook


@case(earned=0.0)
def untouched(klass, student):
    return klass.notebook()


# Those that nobody could grade are told why, in words.


@case(earned=0.0, outcome="failed", note="ends in the middle")
def truncated(klass, student):
    klass.hand_in(student, json.dumps(klass.right_notebook())[:-500])


@case(earned=0.0, outcome="failed", note="merge markers")
def merge_markers(klass, student):
    text = json.dumps(klass.right_notebook(), indent=1)
    klass.hand_in(student, text.replace(' "cells"', '<<<<<<< HEAD\n "cells"', 1))


@case(earned=0.0, outcome="failed", note="0 bytes")
def zero_bytes(klass, student):
    klass.hand_in(student, b"")


@case(earned=0.0, outcome="failed", note="expected exercises.ipynb, found 'answers.pdf'")
def wrong_file(klass, student):
    klass.hand_in(student, b"%PDF", "answers.pdf")


@pytest.fixture(scope="module")
def graded(tmp_path_factory):
    klass = Class(make_course(tmp_path_factory.mktemp("honest")))
    for name, (write, *_) in CASES.items():
        notebook = write(klass, name)
        if notebook is not None:
            klass.hand_in(name, notebook)
    klass.run = grade(klass, *FAST, "--class-key", "tests")
    klass.entries = entries(klass)
    return klass


def test_the_class_is_large_enough_and_all_have_an_outcome(graded):
    assert graded.run.returncode == 0, graded.run.stderr[-3000:]
    assert len(CASES) >= 20
    assert graded.entries.keys() == CASES.keys()


@pytest.mark.parametrize("name", CASES)
def test_gets_what_it_earned(graded, name):
    _, earned, note, outcome = CASES[name]
    entry = graded.entries[name]
    assert points(entry) == earned, {k: (o["status"], o["message"]) for k, o in entry["tests"].items()}
    assert entry["outcome"] == outcome, entry["why"]
    words = "; ".join(entry["notes"] + entry["why"])
    assert note in words


def test_statuses_say_what_happened(graded):
    def status(name, test):
        return graded.entries[name]["tests"][test]["status"]

    assert status("deleted_task", "task2_test") == "missing"
    assert status("crash_in_a_call_of_task4", "task4_test") == "kernel lost"
    assert status("truncated", "task1_test") == "not graded"
    message = graded.entries["syntax_error_in_task2"]["tests"]["task2_test"]["message"]
    assert "SyntaxError" in message and "task2" in message
    message = graded.entries["loop_in_task2"]["tests"]["task2_test"]["message"]
    assert "longer than 4 s" in message
    message = graded.entries["untouched"]["tests"]["task1_test"]["message"]
    assert "write affine" in message


def test_a_person_is_asked_unless_there_is_surely_no_answer(graded):
    import csv

    with open(graded.root / "out" / "grades.csv") as file:
        waits = {row["student_id"]: row["needs_manual_grade"] == "True" for row in csv.DictReader(file)}
    for name in ("written_answer_deleted", "written_answer_left_as_it_was", "untouched"):
        assert not waits[name], name
    for name in ("all_marks_lost", "question_kept_but_marks_lost", "marks_lost_and_two_answers"):
        assert waits[name], name
    for name in ("answer_in_a_cell_of_its_own", "answer_doubled_and_the_last_left_blank", "plain"):
        assert waits[name], name
    marked = [cell["source"] for cell in executed(graded, "question_kept_but_marks_lost")["cells"]]
    assert any("So." in source for source in marked)
    message = graded.entries["nan_where_a_test_looks"]["tests"]["task2_test"]["message"]
    assert "NaN" in message or "nan" in message or "wrong" in message


def test_feedback_teaches(graded):
    page = feedback(graded, "one_mistake_costs_once")
    assert "the sign or the absolute value is wrong" in page
    assert "13 of 18" in page
    assert "secret_slope" not in page
    page = feedback(graded, "reads_and_writes_files")
    assert "data:image/png;base64," in page


def test_executed_notebook_is_one_that_nbgrader_reads(graded):
    import nbformat

    for name in ("plain", "all_marks_lost", "deleted_tests", "duplicated_cell"):
        notebook = nbformat.from_dict(executed(graded, name))
        nbformat.validate(notebook)
        ids = [grade_id_of(cell) for cell in notebook["cells"] if grade_id_of(cell)]
        assert len(ids) == len(set(ids)) == 12


def test_klass_is_what_it_claims(tmp_path):
    """The right notebook differs from the released one in its answers only."""
    klass = Class(make_course(tmp_path))
    changed = {
        grade_id_of(new)
        for old, new in zip(klass.released["cells"], klass.right_notebook()["cells"], strict=True)
        if old["source"] != new["source"]
    }
    assert changed == {"task1", "task2", "task3", "task4", "task5"}
