"""The pieces that take exercises apart and try answers, on an exercise of their own."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from flowlib.course.box.outside import CallRefused
from flowlib.course.exercises import exercise
from flowlib.course.exercises.answers import read_answers
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
        assert all(result.passed for result in rehearse(tiny, task.grade_id))
    with pytest.raises(KeyError, match="no coding task 'task9'"):
        rehearse(tiny, "task9")


def test_one_mistake_costs_once(tiny):
    wrong = TASK1.replace("return a * z", "return z")
    assert not any(result.passed for result in rehearse(tiny, "task1", wrong))
    assert all(result.passed for result in rehearse(tiny, "task2"))


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
    (result,) = rehearse(tiny, "task1", source)
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
    (good,) = rehearse(work, "task1")
    (bad,) = rehearse(work, "task1", "def scale(z, a):\n    return z * float('nan'), z")
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


def test_answer_files_are_read(tiny_course):
    answers = read_answers(tiny_course / "solutions" / LESSON / "answers")
    wrong = next(answer for answer in answers if answer.name == "wrong_task1_sign")
    assert (wrong.task, wrong.caught_by, wrong.says, wrong.right) == (
        "task1",
        "task1_test",
        "the sign",
        False,
    )
    assert wrong.source.startswith("def scale")
    assert any(answer.right for answer in answers)


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("right_a.py", "x = 1\n", "no docstring"),
        ("wrong_a.py", '"""\ntask: task1\nwhy: no\n"""\n', "lacks caught_by, says"),
        ("good_a.py", '"""\ntask: task1\nwhy: no\n"""\n', "right_.* or wrong_"),
        ("right_b.py", '"""just text"""\n', "lines of `key: value`"),
    ],
)
def test_bad_answer_files_are_refused(tmp_path, name, content, says):
    (tmp_path / name).write_text(content)
    with pytest.raises(ValueError, match=says):
        read_answers(tmp_path)


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
