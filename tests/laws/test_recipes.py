"""The recipes run as they are printed, and give what they say."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys

import pytest
import torch

from tests.conftest import HOUSE

WORDS = (HOUSE / "assets" / "recipes.md").read_text(encoding="utf-8")
RECIPES = {
    section.splitlines()[0]: re.findall(r"```python\n(.*?)```", section, re.DOTALL)
    for section in WORDS.split("\n## ")[1:]
}


def near(values, wanted, within):
    return bool(((values - torch.as_tensor(wanted)).abs() <= within).all())


def agrees(names):
    return bool(torch.allclose(names["score"](names["x"]), names["flow"].log_prob(names["x"]), atol=1e-4))


# What each recipe promises, asked of the names that it leaves.
PROMISES = {
    "A conditional density": lambda n: near(n["draws"].mean(1), [[-1.5, 0.25], [1.5, 0.25]], 0.15),
    "Conditioning on a series": lambda n: (
        near(n["draws"].mean(), 1.45, 0.15) and near(n["draws"].std(), 0.18, 0.08)
    ),
    "Discrete columns beside continuous ones": lambda n: (
        near(n["new"].mean(0), [0.6, 6.5], 0.4)
        and torch.equal(n["new"][:, 1], n["new"][:, 1].round())
        # The truth is two normals times two Poissons: no model scores above its entropy by much.
        and -4 < n["log_p"].mean() < -2
    ),
    "Periodic variables": lambda n: (
        near(n["density"][0], n["density"][-1], 1e-3)
        and near(torch.trapezoid(n["density"], n["grid"][:, 0]), 1, 0.02)
        and n["density"][0] > 0.5 > n["density"][500]
        and n["draws"].abs().max() <= torch.pi + 1e-5
    ),
    "Missing values": lambda n: near(n["model"].joint.sample(4000).T.corrcoef()[0, 1], 0.8, 0.08),
    "Many dimensions": lambda n: n["gain"].mean() > 3 * n["gain"].std() / len(n["gain"]) ** 0.5,
    "A GPU": lambda n: n["x"].shape == (1000, 2) and n["x"].std() < 1.5,
    "Half the precision: autocast": lambda n: (
        abs(n["rough"] - n["flow"].log_prob(n["x"]).mean()) < 0.05 and n["rough"].dtype == torch.float32
    ),
    "Compiling": agrees,
    "Exporting": agrees,
}


def test_every_recipe_has_one_program_and_is_tried():
    assert all(len(programs) == 1 for programs in RECIPES.values())
    assert set(RECIPES) == {*PROMISES, "Several processes"}


@pytest.mark.parametrize("name", PROMISES)
def test_a_recipe_gives_what_it_says(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names: dict = {"__name__": "recipe"}
    with torch.random.fork_rng():
        exec(compile(RECIPES[name][0], name, "exec"), names)
    with torch.no_grad():
        assert PROMISES[name](names)


def test_several_processes_train_one_flow(tmp_path):
    (tmp_path / "train.py").write_text(RECIPES["Several processes"][0])
    torchrun, *arguments = shlex.split(re.search(r"```sh\n(torchrun .*)\n", WORDS).group(1))
    assert torchrun == "torchrun"
    command = [sys.executable, "-m", "torch.distributed.run", *arguments]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(HOUSE)}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    start = subprocess.run(
        [sys.executable, "train.py"], cwd=tmp_path / "", env=environment, capture_output=True, timeout=120
    ) if not (tmp_path / "flow.pt").is_file() else None
    assert start is None
    weights = torch.load(tmp_path / "flow.pt")
    assert all(torch.isfinite(weight).all() for weight in weights.values())
