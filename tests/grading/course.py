"""A small course of flows for the tests of the grader, so that they depend on no lesson.

Four coding tasks: two functions, one that uses a given function, one that trains; and a written one.
`Class` writes submissions to it, honest and hostile.
"""

from __future__ import annotations

import copy
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import nbformat
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from flowlib.course.exercises import exercise
from flowlib.course.exercises.answers import without_markers
from flowlib.course.exercises.exercise import grade_id_of
from flowlib.course.exercises.release import student_version

HOUSE = Path(__file__).resolve().parents[2]
LESSON = "01_small"
SETUP = "import math\n\nimport torch\n\nfrom flowlib.course.exercises import rules\n\ntorch.manual_seed(0)"
GIVEN = """\
def standard_normal(z):
    return -(z**2 + math.log(2 * math.pi)) / 2"""  # above task 3
TASKS = {
    "task1": '''\
def affine(z, a, b):
    """x = a z + b and log|dx/dz|, shapes (batch,) and (batch,)."""
    ### BEGIN SOLUTION
    return a * z + b, torch.full_like(z, math.log(abs(a)))
    ### END SOLUTION
''',
    "task2": '''\
def normal_log_prob(z):
    """log N(z; 0, 1), of the shape of z. Not by torch.distributions or scipy.stats."""
    ### BEGIN SOLUTION
    return -0.5 * z**2 - 0.5 * math.log(2 * math.pi)
    ### END SOLUTION
''',
    "task3": '''\
def log_prob(x, a, b):
    """log p(x) for x = a z + b, z ~ N(0, 1). Use standard_normal."""
    ### BEGIN SOLUTION
    return standard_normal((x - b) / a) - math.log(abs(a))
    ### END SOLUTION
''',
    "task4": '''\
class Fit:
    """A normal density fitted to data by gradient steps: Fit(steps).fit(data), then log_prob(x)."""

    ### BEGIN SOLUTION
    def __init__(self, steps):
        self.steps = steps

    def fit(self, data):
        self.mean = torch.zeros(1, requires_grad=True)
        self.log_scale = torch.zeros(1, requires_grad=True)
        optimizer = torch.optim.Adam([self.mean, self.log_scale], lr=0.1)
        for _ in range(self.steps):
            optimizer.zero_grad()
            loss = -self.log_prob(data).mean()
            loss.backward()
            optimizer.step()
        return loss.item()

    def log_prob(self, x):
        z = (x - self.mean) * torch.exp(-self.log_scale)
        return -0.5 * z**2 - 0.5 * math.log(2 * math.pi) - self.log_scale
    ### END SOLUTION
''',
}
TESTS = {
    "task1_test": (
        3,
        """\
z = torch.linspace(-1, 1, 5)
x, log_det = affine(z, 2.0, 1.0)
assert torch.allclose(x, 2 * z + 1), "x should be a z + b"
### BEGIN HIDDEN TESTS
secret_slope = -3.25
z = torch.randn(5, generator=torch.Generator().manual_seed(rules.hidden_seed(7)))
x, log_det = affine(z, secret_slope, 0.5)
assert x.shape == z.shape, "x should have the shape of z"
torch.testing.assert_close(x, secret_slope * z + 0.5)
assert torch.allclose(log_det, torch.full((5,), math.log(3.25))), "the sign or the absolute value is wrong"
### END HIDDEN TESTS
""",
    ),
    "task2_test": (
        4,
        """\
rules.check_source("normal_log_prob", forbids=("torch.distributions", "scipy.stats"))
z = torch.tensor([0.0, 1.0])
assert torch.allclose(normal_log_prob(z), torch.tensor([-0.9189, -1.4189]), atol=1e-3), "log N(0) is -0.919"
### BEGIN HIDDEN TESTS
hidden_points = torch.tensor([0.37, -2.19], dtype=torch.float64)
out = normal_log_prob(hidden_points)
assert out.dtype == torch.float64, "keep the dtype of z"
torch.testing.assert_close(out, torch.distributions.Normal(0.0, 1.0).log_prob(hidden_points))
### END HIDDEN TESTS
""",
    ),
    "task3_test_a": (
        2,
        """\
x = torch.linspace(-20, 20, 2001)
density = log_prob(x, 2.0, 1.0).exp()
assert abs(torch.trapezoid(density, x).item() - 1) < 1e-3, "the density should integrate to 1"
""",
    ),
    "task3_test_b": (
        2,
        """\
### BEGIN HIDDEN TESTS
x = torch.tensor([0.5, -1.5])
expected = torch.distributions.Normal(1.5, 2.5).log_prob(x)
assert torch.allclose(log_prob(x, -2.5, 1.5), expected, atol=1e-5), "is the log-determinant taken off?"
### END HIDDEN TESTS
""",
    ),
    "task4_test": (
        5,
        """\
generator = torch.Generator().manual_seed(3)
data = 3 + 2 * torch.randn(600, generator=generator)
model = Fit(200)
model.fit(data[:500])
x = torch.linspace(-60, 60, 4001)
mass = torch.trapezoid(model.log_prob(x).exp(), x).item()
assert abs(mass - 1) < 0.01, "the density does not integrate to 1"
assert model.log_prob(data[500:]).mean() > -2.4, "the held-out likelihood is too low"
""",
    ),
}
WRITTEN = """\
Why does density fall where space stretches?

### BEGIN SOLUTION
The area stays one.
### END SOLUTION"""
POINTS = {"task1": 3, "task2": 4, "task3": 4, "task4": 5}
ALL = sum(POINTS.values())


def _about(grade_id, kind="code", points=None, **marks):
    about = dict(grade=False, solution=False, locked=False, task=False, schema_version=3) | marks
    about |= dict(grade_id=grade_id, cell_type=kind)
    return {"nbgrader": about | ({} if points is None else {"points": points})}


def make_course(root: Path) -> Path:
    """Write the course under `root` and return it."""
    cells = [new_markdown_cell("# Small"), new_code_cell(SETUP, metadata=_about("setup", locked=True))]
    for task, source in TASKS.items():
        if task == "task3":
            cells.append(new_code_cell(GIVEN, metadata=_about("task3_given", locked=True)))
        cells.append(new_markdown_cell(f"**{task}**"))
        cells.append(new_code_cell(source.strip(), metadata=_about(task, solution=True)))
        for name, (points, test) in TESTS.items():
            if name.startswith(task):
                marks = _about(name, points=points, grade=True, locked=True)
                cells.append(new_code_cell(test.strip(), metadata=marks))
    written = _about("task5", kind="markdown", points=2, grade=True, solution=True)
    cells.append(new_markdown_cell(WRITTEN, metadata=written))
    for number, cell in enumerate(cells):
        cell["id"] = f"small-{number}"
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    folder = root / "solutions" / LESSON
    folder.mkdir(parents=True)
    (root / "lessons").mkdir()
    shutil.copy(HOUSE / "nbgrader_config.py", root)
    nbformat.write(new_notebook(cells=cells, metadata={"kernelspec": kernel}), folder / "exercises.ipynb")
    return root


class Class:
    """Submissions to the small course."""

    def __init__(self, root: Path):
        self.root = root
        self.solution = root / "solutions" / LESSON / "exercises.ipynb"
        self.released = json.loads(student_version(root, LESSON))
        self.right = {t.grade_id: without_markers(t.source) for t in exercise.read(self.solution).tasks}
        self.submitted = root / "submitted"

    def folder(self, student: str) -> Path:
        """The submission folder of a student, made if need be."""
        folder = self.submitted / student / LESSON
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def notebook(self, **sources: str) -> dict:
        """The released notebook with these sources in its task cells."""
        notebook = copy.deepcopy(self.released)
        for cell in notebook["cells"]:
            if grade_id_of(cell) in sources:
                cell["source"] = sources[grade_id_of(cell)]
        return notebook

    def right_notebook(self, **sources: str) -> dict:
        """A notebook with right answers, except for these."""
        return self.notebook(**{**self.right, "task5": "Because the area stays one.", **sources})

    def hand_in(self, student: str, notebook: dict | bytes | str, name: str = "exercises.ipynb") -> Path:
        """Write a submission."""
        path = self.folder(student) / name
        if isinstance(notebook, dict):
            notebook = json.dumps(notebook)
        path.write_bytes(notebook.encode() if isinstance(notebook, str) else notebook)
        return path


def cell_of(notebook: dict, grade_id: str) -> dict:
    """The marked cell of a notebook."""
    return next(cell for cell in notebook["cells"] if grade_id_of(cell) == grade_id)


def before(notebook: dict, grade_id: str, source: str) -> dict:
    """Insert an unmarked code cell before a marked one."""
    index = notebook["cells"].index(cell_of(notebook, grade_id))
    cell = {"cell_type": "code", "metadata": {}, "source": source, "outputs": [], "execution_count": None}
    notebook["cells"].insert(index, {**cell, "id": f"extra-{len(notebook['cells'])}"})
    return notebook


Edit = Callable[[dict], None]
