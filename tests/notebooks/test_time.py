"""Time budgets, from the last run of the notebooks (stage `lessons` of tests/run.py)."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections import defaultdict

import pytest

from flowlib.course.folders import lesson_names
from tests.conftest import HOUSE

RESULTS = HOUSE / ".build" / "test" / "lessons.xml"
LOAD = RESULTS.with_name("load")
BUSY = 4.0  # our own checks, two at a time, make about 2
BUDGET = {"lesson.ipynb": 120.0, "demo.ipynb": 10.0}
CELL = 20.0
SHARED = 2.0  # two notebooks run at once on two cores, and start their kernels there


def seconds() -> dict[str, list[float]]:
    """Seconds of each cell by notebook, from nbval's results."""
    found: dict[str, list[float]] = defaultdict(list)
    for case in ET.parse(RESULTS).iter("testcase"):
        where = f"{case.get('classname', '')}.{case.get('name', '')}"
        for path in HOUSE.glob("lessons/*/*.ipynb"):
            if f"{path.parent.name}/{path.stem}" in where or f"{path.parent.name}.{path.stem}" in where:
                found[str(path.relative_to(HOUSE))].append(float(case.get("time", 0)))
    return found


@pytest.mark.parametrize("name", BUDGET)
@pytest.mark.parametrize("lesson", lesson_names(HOUSE))
def test_runs_in_time(lesson, name):
    if not RESULTS.is_file():
        pytest.skip("the notebooks have not run: python -m tests.run --only lessons")
    load = float(LOAD.read_text()) if LOAD.is_file() else 0.0
    if load > BUSY:
        pytest.skip(f"the machine was busy with other things (load {load:.1f}) when the notebooks ran")
    path = f"lessons/{lesson}/{name}"
    measured = seconds().get(path)
    if not measured:
        pytest.skip(f"{path} was not in the last run")
    print(f"{path}: {sum(measured):.1f} s, slowest cell {max(measured):.1f} s")
    assert sum(measured) <= SHARED * BUDGET[name]
    assert max(measured) <= SHARED * CELL
