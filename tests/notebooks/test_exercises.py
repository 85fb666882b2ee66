"""Every exercise set judged by its answers: right ones earn all, wrong ones fail with the right words."""

from __future__ import annotations

import ast
import functools
import re
import textwrap

import pytest

from flowlib import checks
from flowlib.course.exercises import exercise, rules
from flowlib.course.exercises.answers import read_answers
from flowlib.course.exercises.release import releasable
from flowlib.course.exercises.rules import submitted_sources
from flowlib.course.grading.rehearsal import rehearse, rehearse_draws
from tests.conftest import HOUSE
from tests.notebooks.test_lessons import words as words_of

LESSONS = releasable(HOUSE)


@functools.cache
def solution(lesson):
    return exercise.read(HOUSE / "solutions" / lesson / "exercises.ipynb")


@functools.cache
def answers(lesson):
    return read_answers(solution(lesson))


CODING = [(lesson, task.grade_id) for lesson in LESSONS for task in solution(lesson).tasks]
ANSWERS = [
    pytest.param(lesson, a, id=f"{lesson[:2]}-{a.name}") for lesson in LESSONS for a in answers(lesson)
]
TRAINING = {  # tests that take seconds
    ("01_change_of_variables", "task4"),
    ("03_planar_flows", "task5"),
    ("05_glow", "task7"),
    ("08_splines_and_mixtures", "task5"),
}
FURTHER = {"05_glow", "07_continuous"}  # task 7 was added when the other six had their points
pytestmark = pytest.mark.timeout(120)


@pytest.mark.parametrize(("lesson", "task"), CODING)
def test_reference_earns_all(lesson, task):
    failed = [result for result in rehearse(solution(lesson), task).values() if not result.passed]
    assert not failed


@pytest.mark.parametrize(("lesson", "task"), CODING)
def test_untouched_release_earns_nothing(lesson, task):
    released = exercise.read(HOUSE / "lessons" / lesson / "exercises.ipynb").task(task)
    results = rehearse(solution(lesson), task, released.source)
    assert not [name for name, result in results.items() if result.passed]
    assert all("NotImplementedError" in result.message for result in results.values())


@pytest.mark.parametrize(("lesson", "answer"), ANSWERS)
def test_answer_is_judged_rightly(lesson, answer):
    results = rehearse(solution(lesson), answer.task, answer.source)
    failed = {name: result.message for name, result in results.items() if not result.passed}
    if answer.right:
        assert not failed, f"{answer.name} is right ({answer.why}) and loses points"
        judge_on_other_draws(lesson, answer, 1 if (lesson, answer.task) in TRAINING else 2)
        return
    assert failed, f"{answer.name} is wrong ({answer.why}) and earns everything"
    assert answer.caught_by in failed, f"{answer.name} must fail {answer.caught_by}, failed {sorted(failed)}"
    message = failed[answer.caught_by]
    assert answer.says.lower() in message.lower(), f"the message must say {answer.says!r}; it says: {message}"
    judge_on_other_draws(lesson, answer, 0 if (lesson, answer.task) in TRAINING else 2)


def judge_on_other_draws(lesson, answer, count):
    """No class is luckier than another: right stays right and wrong stays wrong on other hidden numbers."""
    work = solution(lesson)
    draws = {test.grade_id for test in work.task(answer.task).tests if test.draws}
    if not answer.right:
        draws &= {answer.caught_by}
    if draws:
        keys = [f"class {number}" for number in range(count)]
        for key, results in zip(
            keys, rehearse_draws(work, answer.task, answer.source, keys, draws), strict=False
        ):
            unfair = [result for result in results.values() if result.passed != answer.right]
            assert not unfair, f"{answer.name}, on what {key} draws: {unfair}"


@pytest.mark.soak
@pytest.mark.parametrize(("lesson", "answer"), ANSWERS)
def test_answer_is_judged_rightly_in_many_classes(lesson, answer):
    judge_on_other_draws(lesson, answer, 5 if (lesson, answer.task) in TRAINING else 20)


@pytest.mark.parametrize(("lesson", "task"), CODING)
def test_enough_answers(lesson, task):
    """Two right answers in different styles and five mistakes to each coding task."""
    mine = [answer for answer in answers(lesson) if answer.task == task]
    assert sum(answer.right for answer in mine) >= 2
    assert sum(not answer.right for answer in mine) >= 5


@pytest.mark.parametrize("lesson", LESSONS)
def test_answers_belong_to_tests(lesson):
    tests = {task.grade_id: {test.grade_id for test in task.tests} for task in solution(lesson).tasks}
    for answer in answers(lesson):
        assert answer.task in tests, f"{answer.name}: no such task"
        assert answer.right or answer.caught_by in tests[answer.task], f"{answer.name}: no such test cell"


@pytest.mark.parametrize("lesson", LESSONS)
def test_exercise_set_keeps_the_format(lesson):
    """20 points in 4 to 6 tasks, 16 to 18 of them graded by machine, and 4 more for a further task.

    Ids and cells are as nbgrader wants them.
    """
    work = solution(lesson)
    further = 4 if lesson in FURTHER else 0
    assert 4 <= len(work.tasks) + len(work.written) - bool(further) <= 6
    assert work.points == 20 + further
    assert sum(task.points for task in work.tasks) - further in (16, 17, 18)
    assert len(work.written) == 1
    assert work.setup
    names = [task.grade_id for task in work.tasks] + [task.grade_id for task in work.written]
    assert sorted(names) == [f"task{number + 1}" for number in range(len(names))]
    for task in work.tasks:
        assert task.tests, f"{task.grade_id} has no test cell"
        assert all(marker in task.source for marker in exercise.SOLUTION), (
            f"{task.grade_id} has no solution region"
        )
        assert task.names, f"{task.grade_id} defines nothing"
        assert any(exercise.HIDDEN[0] in test.source for test in task.tests), f"{task.grade_id} hides no test"
        assert all(type(test.points) is int and test.points > 0 for test in task.tests)
    metadata = work.notebook["metadata"]
    assert metadata["kernelspec"]["name"] == "python3"
    assert (work.notebook["nbformat"], work.notebook["nbformat_minor"]) >= (4, 5)
    grade_ids = [cell.grade_id for cell in work.cells if cell.role is not exercise.Role.OTHER]
    assert len(grade_ids) == len(set(grade_ids))
    written = work.written[0].source
    assert exercise.MARK_SCHEME[0] in written and exercise.SOLUTION[0] in written
    assert not exercise.public(written), "the question stands above: so check sees an untouched answer"


@pytest.mark.parametrize("lesson", LESSONS)
def test_setup_defines_nothing_to_write(lesson):
    work = solution(lesson)
    for task in work.tasks:
        for setup in work.setup:
            assert not set(exercise.defined_names(setup)) & set(task.names)


# ---------------------------------------------------------------------------- what helps and what ends a set

HINTS = ["Hint 1: the idea", "Hint 2: the formula", "Hint 3: the line"]


def markdown(lesson):
    """The words of a set by the id of their cell."""
    cells = solution(lesson).notebook["cells"]
    return {cell["id"]: exercise.text(cell) for cell in cells if cell["cell_type"] == "markdown"}


@pytest.mark.parametrize(("lesson", "task"), CODING)
def test_a_task_has_three_staged_hints(lesson, task):
    """Folded one by one; the last one is not the solution."""
    shown = markdown(lesson).get(f"{task}-hint", "") or statement(lesson, task)
    hints = re.findall(r"<details><summary>(.*?)</summary>\n\n(.*?)\n</details>", shown, re.DOTALL)
    assert [title for title, _ in hints] == HINTS
    assert all(len(hint.split()) >= 10 for _, hint in hints)
    assert "`" in hints[2][1], "the last hint names a call"
    said = re.sub(r"\s+", "", hints[2][1])
    for line in solution(lesson).task(task).source.split("\n"):
        line = re.sub(r"\s+|return", "", line)
        assert len(line) < 30 or line not in said, f"the last hint gives the solution away: {line}"


@pytest.mark.parametrize("lesson", LESSONS)
def test_a_set_says_how_hard_each_task_is(lesson):
    """In the table at its top and beside the task's points, and what the marks mean."""
    title = markdown(lesson)["title"]
    table = dict(re.findall(r"^\| (\d) \|.*\| \d \| (●+○*) \|$", title, re.MULTILINE))
    assert len(table) == len(solution(lesson).tasks) + 1
    for number, mark in table.items():
        assert f" points, {mark}, " in statement(lesson, f"task{number}").split("\n")[0]
    assert all(f"{mark} " in title.partition("**How hard.**")[2] for mark in ("●○○", "●●○", "●●●"))


@pytest.mark.parametrize("lesson", LESSONS)
def test_a_set_ends_with_a_challenge_and_how_to_hand_in(lesson):
    cells = solution(lesson).notebook["cells"]
    challenge, hand_in = (exercise.text(cell) for cell in cells[-2:])
    assert [cell["id"] for cell in cells[-2:]] == ["challenge", "hand-in"]
    assert challenge.startswith("## Challenge (no points)") and 60 <= words_of(challenge) <= 120
    assert f"flowcourse check lessons/{lesson}/exercises.ipynb" in hand_in
    assert all(word in hand_in for word in ("Validate", "receipt", "written answer"))


@pytest.mark.parametrize("lesson", LESSONS)
def test_the_setup_makes_errors_short(lesson):
    assert "\nshort_errors()" in solution(lesson).setup[0]


# ---------------------------------------------------------------------------- what a task forbids


def rules_of(test):
    """The statements of a test cell that ask what the source uses."""
    return [node for node in ast.parse(test.source).body if "check_source" in ast.unparse(node)]


def read(lesson, task, cells):
    """What reading alone says of these cells: the messages of refusals, and the doubts."""
    refused, found = [], []
    for test in solution(lesson).task(task).tests:
        for rule in rules_of(test):
            with submitted_sources(cells, exercise.given_code(solution(lesson))) as doubts:
                try:
                    exec(ast.unparse(rule), {"rules": rules})
                except checks.LawBroken as broken:
                    refused.append(str(broken))
            found += doubts
    return refused, found


def assigned(task, source):
    """Every function and class gets its name by an assignment."""
    tree = ast.parse(source)
    for node in list(tree.body):
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            node.name, name = f"_{node.name}", node.name
            tree.body.append(ast.parse(f"{name} = _{name}").body[0])
    return {task: ast.unparse(tree)}


def under_if(task, source):
    return {task: "if True:\n" + textwrap.indent(source, "    ")}


def own_cell(task, source):
    return {task: "# see above", "cell 1": source}


def below_magic(task, source):
    return {task: "%matplotlib inline\n" + source}


def timed(task, source):
    return {task: "%%time\n" + source}


def by_string(task, source):
    """Every attribute is looked up by a name that is put together."""

    class Spell(ast.NodeTransformer):
        def visit_Attribute(self, node):
            self.generic_visit(node)
            spelt = ast.parse(f"getattr(None, {node.attr[:1]!r} + {node.attr[1:]!r})", mode="eval").body
            spelt.args[0] = node.value
            return spelt if isinstance(node.ctx, ast.Load) else node

    return {task: ast.unparse(Spell().visit(ast.parse(source)))}


def executed(task, source):
    return {task: f"exec({source!r})"}


FORMS = (assigned, under_if, own_cell, below_magic, timed, by_string, executed)


@functools.cache
def forbidden(lesson):
    """The answers that a rule forbids as they stand."""
    return [a for a in answers(lesson) if "does not allow" in str(read(lesson, a.task, {a.task: a.source}))]


@pytest.mark.parametrize("lesson", LESSONS)
def test_a_forbidden_answer_is_caught_in_every_form(lesson):
    for answer in forbidden(lesson):
        for form in FORMS:
            refused, doubts = read(lesson, answer.task, form(answer.task, answer.source))
            assert refused or doubts, f"{answer.name} escapes when it is {form.__name__}"


def test_many_answers_are_forbidden():
    assert sum(len(forbidden(lesson)) for lesson in LESSONS) >= 40


@pytest.mark.parametrize("lesson", LESSONS)
def test_reading_finds_nothing_in_right_answers(lesson):
    """In no form in which they would still be right."""
    right = [(task.grade_id, task.source) for task in solution(lesson).tasks]
    right += [(answer.task, answer.source) for answer in answers(lesson) if answer.right]
    for task, source in right:
        cells = [{task: source}, below_magic(task, source), timed(task, source)]
        if "keeps=" not in "".join(test.source for test in solution(lesson).task(task).tests):
            cells += [assigned(task, source), under_if(task, source), own_cell(task, source)]
        for form in cells:
            assert read(lesson, task, form) == ([], []), form


@pytest.mark.parametrize("lesson", LESSONS)
def test_every_test_of_a_task_asks_for_the_same(lesson):
    """A forbidden thing costs every test that calls the function, not only one of them."""
    for task in solution(lesson).tasks:
        first = {test.grade_id: rule for test in task.tests for rule in rules_of(test)[:1]}
        assert len({ast.unparse(rule).partition("forbids=")[2] for rule in first.values()}) <= 1
        guarded = {name.value for rule in first.values() for name in rule.value.args}
        for test in task.tests:
            called = {node.id for node in ast.walk(ast.parse(test.source)) if isinstance(node, ast.Name)}
            names = (
                {name.value for name in first[test.grade_id].value.args} if test.grade_id in first else set()
            )
            assert names == called & guarded, test.grade_id


IN_WORDS = {
    "flowlib": "nothing of flowlib but `checks`, `data` and `plots`",
    "linalg": "of whatever library",
    "products": "no other product (",
    "derivatives": "`backward`",
    "jacobians": "`jacobian`, `jacrev`, `jacfwd`, `hessian`",
    "norms": "normalisation layers",
}
LATER = ("flowlib.coupling", "flowlib.image", "flowlib.autoregressive", "flowlib.continuous")  # than lesson 3


@pytest.mark.parametrize("lesson", LESSONS)
def test_the_statement_says_what_is_forbidden(lesson):
    for task in solution(lesson).tasks:
        words = statement(lesson, task.grade_id)
        for rule in (rule for test in task.tests for rule in rules_of(test)):
            asked = {keyword.arg: ast.literal_eval(keyword.value) for keyword in rule.value.keywords}
            for entry in asked.get("forbids", ()):
                if entry in LATER or (lesson[:2] == "03" and entry.startswith("flowlib.models.")):
                    assert "no layer of a later lesson" in words
                else:
                    said = IN_WORDS.get(entry, entry.removeprefix("*."))
                    assert said in words or f"{said.rpartition('.')[2]}`" in words, (task.grade_id, entry)
            for entry in (*asked.get("requires", ()), *asked.get("keeps", ())):
                assert f"{entry.rpartition('.')[2]}`" in words, (task.grade_id, entry)
            for name in asked.get("allows", ()):
                assert (
                    name.split("_")[0].replace("expm", "matrix_exp").replace("triangular", "solve") in words
                )


def statement(lesson, task):
    """The words above the cell of a task."""
    cells = solution(lesson).notebook["cells"]
    title = f"## Task {task.removeprefix('task')} "
    return next(text for cell in cells if (text := exercise.text(cell)).startswith(title))
