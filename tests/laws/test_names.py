"""What `import flowlib` gives: the names it promises, their types for editors, and a quick start."""

import ast
import importlib
import importlib.metadata
import subprocess
import sys
from pathlib import Path

import pytest

import flowlib

HOUSE = Path(flowlib.__file__).parent
ROOMS = sorted(path.stem for path in HOUSE.glob("*.py") if path.stem != "__init__")
COUNT = """
import sys, torch, numpy
before = set(sys.modules)
import flowlib
from flowlib import RealNVP
print(len(set(sys.modules) - before))
"""


def test_editors_and_python_find_the_same_names():
    tree = ast.parse((HOUSE / "__init__.py").read_text(encoding="utf-8"))
    (for_editors,) = [node for node in tree.body if isinstance(node, ast.If)]
    said = {
        alias.name: node.module
        for node in for_editors.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    assert sorted(said) == sorted(flowlib.__all__)
    for name, module in said.items():
        assert getattr(flowlib, name) is getattr(importlib.import_module(module), name)


def test_what_flowlib_does_not_have_is_missing():
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        flowlib.nothing  # noqa: B018


def test_version_is_that_of_the_package():
    assert flowlib.__version__ == importlib.metadata.version("flowlib")


@pytest.mark.parametrize("room", ROOMS)
def test_each_room_says_its_public_names(room):
    module = importlib.import_module(f"flowlib.{room}")
    written = {
        node.name
        for node in ast.parse(Path(module.__file__).read_text(encoding="utf-8")).body
        if isinstance(node, ast.ClassDef | ast.FunctionDef) and not node.name.startswith("_")
    }
    kernels = {"products", "solve_kernel", "counting_kernel"}  # which a GPU runs
    assert written - kernels <= set(module.__all__)
    for name in module.__all__:
        assert hasattr(module, name), name


@pytest.mark.parametrize("room", ROOMS)
def test_every_argument_and_result_has_a_type(room):
    for node in ast.walk(ast.parse((HOUSE / f"{room}.py").read_text(encoding="utf-8"))):
        # Triton reads the types of kernels for itself; it gives arguments without one those of a call.
        if not isinstance(node, ast.FunctionDef) or (room == "fused" and node.decorator_list):
            continue
        if room == "fused" and node.name == "jit":  # stands in for triton's
            continue
        takes = [
            *node.args.posonlyargs,
            *node.args.args,
            *node.args.kwonlyargs,
            node.args.vararg,
            node.args.kwarg,
        ]
        bare = [one.arg for one in takes if one and one.annotation is None and one.arg not in ("self", "cls")]
        assert not bare, f"{node.name} does not say the types of {bare}"
        assert node.returns or node.name == "__init__", f"{node.name} does not say what it returns"


def test_a_start_loads_little_beside_torch():
    done = subprocess.run([sys.executable, "-c", COUNT], capture_output=True, text=True, check=True)
    assert int(done.stdout) < 60


def test_the_package_says_that_it_is_typed():
    assert (HOUSE / "py.typed").is_file()
