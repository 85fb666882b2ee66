"""The files of the course: trained weights and data, under `assets/` beside the flowlib package.

The environment variable FLOWLIB_ASSETS names another folder.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from safetensors.torch import load_file
from torch import nn

__all__ = ["asset", "load_weights", "measure", "read_results"]


def asset(*parts: str) -> Path:
    """The path of a file under assets/.

    Raises:
        FileNotFoundError: it is not there; the message says what to do.
    """
    folder = Path(os.environ.get("FLOWLIB_ASSETS") or Path(__file__).resolve().parent.parent / "assets")
    path = folder.joinpath(*parts)
    if not path.exists():
        raise FileNotFoundError(
            f"expected {path}. The course's data lie in the folder `assets` of its repository: run from a "
            "clone with flowlib installed in place (pip install -e .), or set FLOWLIB_ASSETS to that folder."
        )
    return path


def load_weights(flow: nn.Module, file: str, name: str) -> nn.Module:
    """Give a flow the weights that the course trained for it, and set it to evaluation.

    Args:
        flow: built with the arguments that it had in training.
        file: a file of assets/weights without its ending, such as "04_realnvp".
        name: which of the file's flows: its keys start with this name and a dot.

    Returns:
        The same flow.

    Raises:
        FileNotFoundError: there is no such file.
        KeyError: the file keeps no flow of this name.
        RuntimeError: the flow has other layers than the one that was trained.
    """
    weights = load_file(asset("weights", f"{file}.safetensors"))
    own = {key.removeprefix(f"{name}."): w for key, w in weights.items() if key.startswith(f"{name}.")}
    if not own:
        kept = sorted({key.split(".")[0] for key in weights})
        raise KeyError(f"{file} keeps no flow named {name!r}; it has {', '.join(kept)}")
    flow.load_state_dict(own)
    return flow.eval()


def read_results(file: str, table: str) -> list[dict]:
    """What was measured beforehand, because it takes too long for a lesson: one dict a row.

    Beside `assets/results/NN_name.json` stands the program that wrote it, NN_name.py.

    Args:
        file: such as "03_planar_flows".
        table: which of the file's tables.

    Raises:
        FileNotFoundError: there is no such file.
        KeyError: the file has no table of this name.
    """
    tables = json.loads(asset("results", f"{file}.json").read_text(encoding="utf-8"))
    if table not in tables:
        raise KeyError(f"{file} has no table {table!r}; it has {', '.join(sorted(tables))}")
    return tables[table]


def measure(
    file: str, tables: Mapping[str, Callable[[], Iterable[Mapping]]], names: Sequence[str] = ()
) -> None:
    """Measure what `read_results` reads: run the tables named, or all, print their rows and write the file.

    A table is written when it is whole; those that are not named stay as they are.

    Args:
        file: such as "03_planar_flows".
        tables: for each table a function that yields its rows, flat dicts.
        names: which of them.

    Raises:
        FileNotFoundError: there is no folder of results.
        KeyError: there is no table of this name.
    """
    path = asset("results") / f"{file}.json"
    kept = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    for name in names or tables:
        rows = []
        for row in tables[name]():
            print(name, row, flush=True)
            rows.append(row)
        kept[name] = rows
        lines = {table: ",\n".join(map(json.dumps, rows)) for table, rows in kept.items()}
        text = ",\n".join(f'"{table}": [\n{rows}\n]' for table, rows in lines.items())
        path.write_text(f"{{\n{text}\n}}\n", encoding="utf-8")
