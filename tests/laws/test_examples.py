"""The examples in docstrings give what they say, and each public class that a reader can build has one."""

import doctest
import importlib
import inspect
from pathlib import Path

import pytest
import torch

import flowlib

ROOMS = [
    "bijection", "scalar", "splines", "mixtures", "volume", "linear", "planar", "nets", "coupling",
    "memory", "image", "autoregressive", "continuous", "spectral", "lipschitz", "fixed_point", "residual",
    "base", "saving", "flow", "models", "processes", "training", "data", "reader",
]  # fmt: skip
WITHOUT = {"NotFinite", "Settings", "Block", "StepPlan"}  # an error, arguments of `fit`, parts of `Schedule`


def examples(room: str) -> list[doctest.DocTest]:
    """As after `import torch; from flowlib import *; from flowlib.room import *`."""
    module = importlib.import_module(f"flowlib.{room}")
    names = {"torch": torch} | {name: getattr(flowlib, name) for name in flowlib.__all__} | vars(module)
    return doctest.DocTestFinder(exclude_empty=False).find(module, globs=names)


def test_no_module_with_an_example_is_left_out():
    folder = Path(flowlib.__file__).parent
    assert {path.stem for path in folder.glob("*.py") if ">>> " in path.read_text()} == set(ROOMS)


@pytest.mark.parametrize("room", ROOMS)
def test_examples_give_what_they_say(room, tmp_path, monkeypatch):
    runner = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE)
    report: list[str] = []
    monkeypatch.chdir(tmp_path)  # some write a file
    for example in examples(room):
        torch.manual_seed(0)
        runner.run(example, out=report.append)
    assert runner.tries > 0
    assert not runner.failures, "".join(report)


@pytest.mark.parametrize("room", ROOMS)
def test_each_public_class_has_an_example(room):
    module = importlib.import_module(f"flowlib.{room}")
    shown = {test.name.split(".")[-1] for test in examples(room) if test.examples}
    classes = {name for name in module.__all__ if inspect.isclass(getattr(module, name))}
    assert classes - WITHOUT <= shown
