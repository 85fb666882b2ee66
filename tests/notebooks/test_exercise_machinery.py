"""The pieces that take exercises apart and try answers, on an exercise of their own."""

from __future__ import annotations

from dataclasses import replace

import jupytext
import pytest
import torch

from flowlib.course.box.outside import CallRefused
from flowlib.course.exercises import exercise
from flowlib.course.exercises.answers import changed, read_answers, without_markers
from flowlib.course.exercises.memory import Meter
from flowlib.course.grading.rehearsal import open_box, rehearse
from tests.tiny import LESSON, TASK1, TASK2


@pytest.fixture
def tiny(tiny_course):
    return exercise.read(tiny_course / "solutions" / LESSON / "exercises.ipynb")


def test_reads_the_parts(tiny):
    assert [task.grade_id for task in tiny.tasks] == ["task1", "task2"]
    assert [test.grade_id for test in tiny.task("task2").tests] == ["task2_test_a", "task2_test_b"]
    assert tiny.task("task2").names == ("Shift", "total")
    assert [task.grade_id for task in tiny.written] == ["task3"]
    assert tiny.points == 13
    assert tiny.setup == ("import math\n\nimport torch",)


def test_reference_earns_all_and_an_unknown_task_is_named(tiny):
    for task in tiny.tasks:
        assert all(result.passed for result in rehearse(tiny, task.grade_id).values())
    with pytest.raises(KeyError, match="no coding task 'task9'"):
        rehearse(tiny, "task9")


def test_one_mistake_costs_once(tiny):
    wrong = TASK1.replace("return a * z", "return z")
    assert not any(result.passed for result in rehearse(tiny, "task1", wrong).values())
    assert all(result.passed for result in rehearse(tiny, "task2").values())


@pytest.mark.parametrize(
    ("source", "says"),
    [
        ("def scale(z, a:\n    pass", "SyntaxError"),
        ("raise ValueError('no')", "ValueError: no"),
        ("other = 1", "did you define it"),
        ("def scale(z, a):\n    return object(), z", "could not use what your code returned"),
        ("class Odd(Exception): pass\ndef scale(z, a):\n    raise Odd('hm')", "your code raised Odd: hm"),
    ],
)
def test_broken_sources_fail_with_words(tiny, source, says):
    (result,) = rehearse(tiny, "task1", source).values()
    assert not result.passed
    assert says in result.message


@pytest.fixture
def define():
    """Stand-ins for what a source defines in a student's process."""
    boxes = []

    def looked_at(source, *names):
        boxes.append(open_box())
        assert boxes[-1].run("import torch\n" + source, 10.0)["error"] is None
        return boxes[-1].look(list(names), 10.0)

    yield looked_at
    for box in boxes:
        box.close()


def test_an_answer_never_holds_what_the_test_holds(define):
    """Writing into an argument or keeping a result cannot change what a test sees."""
    spoil = define(
        """
kept = []
def spoil(z):
    kept.append(z)
    z += 1
    return z
def later():
    kept[0] += 5
""",
        "spoil",
        "later",
    )
    z = torch.zeros(2, requires_grad=True)
    result = spoil["spoil"](z * 1)
    spoil["later"]()
    assert torch.equal(z, torch.zeros(2))
    assert torch.equal(result, torch.ones(2))
    assert not result.requires_grad


def test_objects_are_called_by_method_and_read_by_value(define):
    counter = define(
        """
class Counter:
    def __init__(self, start):
        self.value = start

    def add(self, step):
        self.value += step
        return self.value

    def __call__(self, z):
        return z * self.value
""",
        "Counter",
    )["Counter"](2)
    assert counter.add(3) == 5
    assert counter.value == 5
    assert counter(2.0) == 10.0
    with pytest.raises(AttributeError):
        _ = counter.missing


@pytest.mark.parametrize("thing", [object(), torch.nn.Linear(1, 1), [object()]])
def test_only_values_are_passed_to_an_answer(define, thing):
    echo = define("def echo(z): return z", "echo")["echo"]
    with pytest.raises(CallRefused, match="values only"):
        echo(thing)


def test_nan_never_passes(tiny):
    tests = tiny.task("task1").tests
    lenient = replace(
        tests[0], source="x, _ = scale(torch.ones(2), 1.0)\nassert not (x - 1).abs().max() > 0.1"
    )
    work = replace(tiny, tasks=(replace(tiny.task("task1"), tests=(lenient,)),))
    (good,) = rehearse(work, "task1").values()
    (bad,) = rehearse(work, "task1", "def scale(z, a):\n    return z * float('nan'), z").values()
    assert good.passed
    assert not bad.passed
    assert "NaN" in bad.message


def test_running_leaves_no_trace(tiny, capsys):
    """Seeds, the default dtype and the printed output of an answer end with it."""
    torch.manual_seed(0)
    expected = torch.rand(1)
    torch.manual_seed(0)
    noisy = "import sys\nprint('hello')\nprint('!', file=sys.stderr)\ntorch.manual_seed(7)\n"
    noisy += "torch.set_default_dtype(torch.float64)\n"
    rehearse(tiny, "task1", noisy + TASK1)
    assert torch.equal(torch.rand(1), expected)
    assert torch.get_default_dtype() is torch.float32
    assert capsys.readouterr() == ("", "")


def test_answer_files_are_read(tiny):
    answers = read_answers(tiny)
    wrong = next(answer for answer in answers if answer.name == "wrong_task1_sign")
    assert (wrong.task, wrong.caught_by, wrong.says, wrong.right) == (
        "task1",
        "task1_test",
        "the sign",
        False,
    )
    assert wrong.source.startswith("def scale")
    assert any(answer.right for answer in answers)
    assert [answer.name for answer in answers] == sorted(answer.name for answer in answers)


def test_an_answer_may_be_a_change_of_the_reference_or_of_a_right_answer(tiny):
    sources = {answer.name: answer.source for answer in read_answers(tiny)}
    reference = without_markers(TASK2)
    assert sources["wrong_task2_sign"] == reference.replace("return z + self.b", "return z - self.b")
    assert "return torch.add(z, self.b)" in sources["right_task2_add"]
    assert "total = float(torch.tensor(4.0))" in sources["right_task2_add"]
    assert sources["wrong_task1_no_abs"] == sources["right_task1_where"].replace(".abs()", "")


def test_a_change_moves_nothing_else():
    source = "a = 1\nb = 2\na = 1\nc = 3\n"
    assert changed(source, [["  b = 2", "- a = 1", "+", "+ a = 4"]]) == "a = 1\nb = 2\n\na = 4\nc = 3"
    assert changed(source, [["- b = 2"], ["  c = 3", "+ d = 4"]]) == "a = 1\na = 1\nc = 3\nd = 4"


RIGHT = '# %% right: a\n"""\nwhy: so\n"""\nx = 1\n'


@pytest.mark.parametrize(
    ("content", "line", "says"),
    [
        ("# %% right: a\nx = 1\n", 1, "a docstring must follow"),
        ('# %% right: a\n"""why: so"""\nx = 1\n', 1, "on lines of their own"),
        ('# %% wrong: a\n"""\nwhy: no\n"""\nx = 1\n', 1, "lacks caught_by, says"),
        ('# %% good: a\n"""\nwhy: so\n"""\nx = 1\n', 1, "a heading is"),
        ('# %% right: a\n"""\njust text\n"""\nx = 1\n', 1, "lines of `key: value`"),
        ('# %% right: a\n"""\n"""\nx = 1\n', 1, "lines of `key: value`"),
        ('# %% right: a\n"""\nwhy: a: b\n"""\nx = 1\n', 1, "mapping values are not allowed"),
        ('# %% right: a\n"""\nwhy: so\nsays: no\n"""\nx = 1\n', 1, "says, which says nothing"),
        ('# %% right: a\n"""\nwhy: so\n"""\n', 1, "either a change .* or code"),
        ('# %% right: a\n"""\nwhy: so\n\n- x\n"""\nx = 1\n', 1, "either a change .* or code"),
        (RIGHT + RIGHT, 6, "an answer above has this name"),
        ("x = 1\n" + RIGHT, 1, "above the first `# %%` heading"),
        ("x = 1\n", 1, "above the first `# %%` heading"),
        (RIGHT + '# %% right: b\n"""\nwhy: so\nfrom: c\n\n- x = 1\n"""\n', 6, "no right answer above .* 'c'"),
        (RIGHT + '# %% right: b\n"""\nwhy: so\n\n- x = 1\n"""\n', 6, "must stand once, not 0 times"),
        ('# %% right: a\n"""\nwhy: so\n\n+ x = 1\n"""\n', 1, "must stand once"),
        ('# %% right: a\n"""\nwhy: so\n\n* x = 1\n"""\n', 1, "begins with `- `, `\\+ ` or two spaces"),
    ],
)
def test_bad_answer_files_are_refused(tiny, content, line, says):
    path = tiny.path.parent / "answers" / "task1.py"
    path.write_text(content)
    with pytest.raises(ValueError, match=f"(?s)task1.py, line {line}.*{says}"):
        read_answers(tiny)


def test_an_answer_file_is_named_after_a_task(tiny):
    (tiny.path.parent / "answers" / "task9.py").write_text(RIGHT)
    with pytest.raises(ValueError, match=r"task9.py is named after no task; there are task1, task2"):
        read_answers(tiny)


def test_a_change_that_fits_the_reference_no_more_is_named(tiny):
    """Also where the lines have come to stand there twice."""
    task1, task2 = tiny.tasks
    for source, times in (("total = 4.0", 0), (task2.source + "\n" + task2.source, 2)):
        work = replace(tiny, tasks=(task1, replace(task2, source=source)))
        with pytest.raises(ValueError, match=rf"(?s)task2.py, line .* right: add.*once, not {times} times"):
            read_answers(work)


def test_editors_open_answer_files_as_cells(tiny):
    """In the percent format of jupytext, and what it writes is what it read."""
    path = tiny.path.parent / "answers" / "task1.py"
    notebook = jupytext.read(path)
    assert len(notebook.cells) == sum(answer.task == "task1" for answer in read_answers(tiny))
    content = path.read_text()
    jupytext.write(notebook, path, fmt="py:percent")
    assert path.read_text().endswith(content)
    assert len(read_answers(tiny)) == 9  # the header that it writes does no harm


def test_no_notebook_is_refused(tmp_path):
    (tmp_path / "a.ipynb").write_text("[]")
    with pytest.raises(ValueError, match="is not a Jupyter notebook"):
        exercise.read(tmp_path / "a.ipynb")
    with pytest.raises(FileNotFoundError):
        exercise.read(tmp_path / "b.ipynb")


def test_names_and_regions():
    source = "a, (b, *c) = 1, (2, 3)\nd: int = 4\nimport os\nx.y = z[0] = 5\nfor i in []: pass"
    assert exercise.defined_names(source) == ("a", "b", "c", "d")
    assert exercise.defined_names("def (") == ()
    assert exercise.task_of("task3_test_b") == "task3"
    with pytest.raises(ValueError, match="must be named"):
        exercise.task_of("quiz")
    assert "BEGIN" not in exercise.without_region(TASK2, exercise.SOLUTION)
    assert "self.b = b" not in exercise.without_region(TASK2, exercise.SOLUTION)


def test_the_meter_counts_what_is_held_and_no_more():
    """In bytes of 1,000 numbers: views and what was there before are free, what is let go counts no more."""
    before = torch.ones(1000)
    with Meter(before) as meter:
        view = before[:500]
        first = before + 1
        second = first.view(10, 100)
        assert meter.now == 4000
        held = {"far away": first * 2}
        assert meter.now == 8000
        del first, second, held
    assert (meter.now, meter.most, len(view)) == (0, 8000, 500)


def test_the_meter_sees_the_graph_and_the_backward_pass():
    x = torch.ones(1000, requires_grad=True)
    with Meter(x) as meter:
        total = x.exp().sin().sum()  # exp is kept for itself and for sin; sin is not kept
        assert meter.now == 4000 + 4
        (gradient,) = torch.autograd.grad(total, x)
    assert meter.now == 4000 + 4
    assert meter.most >= 8000
    assert len(gradient) == 1000
