"""A course of one tiny exercise, for tests of the machinery that must not depend on a lesson."""

from __future__ import annotations

import shutil
from pathlib import Path

import nbformat
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

LESSON = "01_tiny"
HOUSE = Path(__file__).resolve().parents[1]

TASK1 = '''\
def scale(z, a):
    """x = a z and log|dx/dz|, of shape (batch,)."""
    ### BEGIN SOLUTION
    log_det = torch.full(z.shape, math.log(abs(a)), dtype=z.dtype)
    return a * z, log_det
    ### END SOLUTION
'''
TEST1 = """\
z = torch.linspace(-1, 1, 5)
x, log_det = scale(z, 2.0)
assert torch.allclose(x, 2 * z), "x should be a times z"
### BEGIN HIDDEN TESTS
x, log_det = scale(z, -3.0)
assert torch.isfinite(log_det).all(), "log|dx/dz| is the log of an absolute value: what is log(-3)?"
assert torch.allclose(log_det, torch.full((5,), math.log(3.0))), "the sign of the log-determinant is flipped"
### END HIDDEN TESTS
"""
TASK2 = '''\
class Shift:
    """x = z + b."""

    def __init__(self, b):
        ### BEGIN SOLUTION
        self.b = b
        ### END SOLUTION

    def forward(self, z):
        ### BEGIN SOLUTION
        return z + self.b
        ### END SOLUTION


total = 0.0
### BEGIN SOLUTION
total = (4.0 * torch.ones(1)).sum().item()
### END SOLUTION
'''
WRITTEN = """\
### BEGIN SOLUTION
Because space is stretched by the factor, density falls by the same factor.
### END SOLUTION
=== BEGIN MARK SCHEME ===
3 points for saying that the area stays one.
=== END MARK SCHEME ===
"""
ANSWERS = {
    "task1.py": '''# %% right: product
"""
why: multiplies in place of filling
"""


def scale(z, a):
    return z * a, torch.ones_like(z) * math.log(abs(a))


# %% right: where
"""
why: takes the log of a tensor
"""


def scale(z, a):
    return z * a, torch.full_like(z, a).abs().log()


# %% wrong: sign
"""
caught_by: task1_test
says: the sign
why: returns the inverse's log-determinant
from: product

-     return z * a, torch.ones_like(z) * math.log(abs(a))
+     return z * a, -torch.ones_like(z) * math.log(abs(a))
"""

# %% wrong: no_abs
"""
caught_by: task1_test
says: absolute value
why: forgets the absolute value
from: where

-     return z * a, torch.full_like(z, a).abs().log()
+     return z * a, torch.full_like(z, a).log()
"""

# %% wrong: identity
"""
caught_by: task1_test
says: a times z
why: does nothing
"""


def scale(z, a):
    return z, torch.zeros_like(z)
''',
    "task2.py": '''# %% right: lambda
"""
why: keeps a function in place of a number
"""


class Shift:
    def __init__(self, b):
        self.forward = lambda z: b + z


total = 4.0


# %% right: add
"""
why: adds with torch.add

-         return z + self.b
+         return torch.add(z, self.b)

- total = (4.0 * torch.ones(1)).sum().item()
+ total = float(torch.tensor(4.0))
"""

# %% wrong: sign
"""
caught_by: task2_test_a
says: shift by b
why: shifts the wrong way

-         return z + self.b
+         return z - self.b
"""

# %% wrong: total
"""
caught_by: task2_test_b
says: total
why: sums the wrong thing

- total = (4.0 * torch.ones(1)).sum().item()
+ total = 3.0
"""
''',
}


def _about(grade_id, *, grade=False, solution=False, locked=False, points=None, kind="code"):
    about = dict(grade=grade, solution=solution, locked=locked, task=False, grade_id=grade_id)
    about |= dict(schema_version=3, cell_type=kind)
    if points is not None:
        about["points"] = points
    return {"nbgrader": about}


def tiny_notebook() -> nbformat.NotebookNode:
    """Two coding tasks of 5 points, the second with two test cells, and a written one of 3."""
    test = dict(grade=True, locked=True)
    cells = [
        new_markdown_cell("# Tiny"),
        new_code_cell("import math\n\nimport torch", metadata=_about("setup", locked=True)),
        new_markdown_cell("**Task 1.** Scale."),
        new_code_cell(TASK1.strip(), metadata=_about("task1", solution=True)),
        new_code_cell(TEST1.strip(), metadata=_about("task1_test", points=5, **test)),
        new_markdown_cell("**Task 2.** Shift."),
        new_code_cell(TASK2.strip(), metadata=_about("task2", solution=True)),
        new_code_cell(
            'assert Shift(1.0).forward(torch.zeros(2)).eq(1).all(), "shift by b"',
            metadata=_about("task2_test_a", points=3, **test),
        ),
        new_code_cell(
            'assert abs(total - 4.0) < 1e-6, "total"', metadata=_about("task2_test_b", points=2, **test)
        ),
        new_markdown_cell(
            WRITTEN.strip(), metadata=_about("task3", grade=True, solution=True, points=3, kind="markdown")
        ),
    ]
    for number, cell in enumerate(cells):
        cell["id"] = f"tiny-{number}"
    kernel = {"name": "python3", "display_name": "Python 3 (ipykernel)", "language": "python"}
    return new_notebook(cells=cells, metadata={"kernelspec": kernel})


def make_tiny_course(root: Path) -> Path:
    """A course under `root` whose one lesson has the tiny exercise, unreleased."""
    solutions = root / "solutions" / LESSON
    (solutions / "answers").mkdir(parents=True)
    (root / "lessons").mkdir()
    shutil.copy(HOUSE / "nbgrader_config.py", root)
    nbformat.write(tiny_notebook(), solutions / "exercises.ipynb")
    for name, content in ANSWERS.items():
        (solutions / "answers" / name).write_text(content)
    return root
