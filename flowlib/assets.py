"""The files of the course: trained weights and data, under `assets/` beside the flowlib package.

The environment variable FLOWLIB_ASSETS names another folder.
"""

from __future__ import annotations

import os
from pathlib import Path

from safetensors.torch import load_file
from torch import nn

__all__ = ["asset", "load_weights"]


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
