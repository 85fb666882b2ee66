"""Where the course explains what a broken law is about: an equation, and the lesson in which it stands."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

__all__ = ["EQUATIONS", "cure_of", "running_shell", "show_cure"]

# Words of a law's message -> the equation that cures it. The first that stand in the message count, so
# mistakes come before the laws that find them.
EQUATIONS = {
    "the factor H*W": "5.7",
    "but J is not triangular": "4.4",
    "at the output": "1.3",
    "wrong order": "2.11",
    "layer is inverted": "2.11",
    "of the stack is used": "2.11",
    "over the dimensions": "2.10",
    "log(2 pi)": "2.3",
    "the factor 1/2 before |z|^2": "2.3",
    "absolute value": "1.4",
    "sign": "1.4",
    "normalising direction": "1.4",
    "the map folds": "3.5",
    "check_triangular": "6.4",
    "check_normalized": "1.2",
    "check_samples": "1.2",
    "check_log_det": "1.4",
    "check_inverse": "1.4",
}


def cure_of(message: str, equation: str | None = None) -> tuple[str, str] | None:
    """What to read again after this message of a law, and its address; None where the course has nothing.

    The address ends in the cell that holds the equation; it is "" outside of the lessons' folders.

    Args:
        equation: the one to read, "2.3", where the lesson names it; by default the message decides.
    """
    equation = equation or next((cure for words, cure in EQUATIONS.items() if words in message), None)
    if equation is None:
        return None
    lesson, address, tag = int(equation.split(".")[0]), "", f"\\tag{{{equation}}}"
    for file in sorted(Path("..").glob(f"{lesson:02d}_*/lesson.ipynb")):
        for cell in json.loads(file.read_text(encoding="utf-8"))["cells"]:
            if not address and tag in "".join(cell["source"]):
                address = f"{file.as_posix()}#cell-id={cell['id']}"
    return f"equation ({equation}) of lesson {lesson}", address


def show_cure(message: str, equation: str | None = None) -> None:
    """Say what to read again after this message of a law: a link in a notebook, words elsewhere."""
    cure = cure_of(message, equation)
    if cure is None:
        return
    words, address = cure
    if hasattr(running_shell(), "kernel") and address:
        notebook = sys.modules["IPython"].display
        notebook.display(notebook.Markdown(f"Read again: [{words}]({address})"))
    else:
        print(f"Read again: {words}")


def running_shell() -> Any:
    """The IPython in which this runs, None where there is none; flowlib itself does not ask for IPython."""
    return sys.modules["IPython"].get_ipython() if "IPython" in sys.modules else None
