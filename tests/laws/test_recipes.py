"""The program in README and the recipes run as they are printed, and give what they say."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys

import pytest
import torch

from flowlib.flow import Flow
from tests.conftest import HOUSE

README = (HOUSE / "README.md").read_text(encoding="utf-8")
WORDS = (HOUSE / "assets" / "recipes.md").read_text(encoding="utf-8")
RECIPES = {
    section.splitlines()[0]: re.findall(r"```python\n(.*?)```", section, re.DOTALL)
    for section in WORDS.split("\n## ")[1:]
}


def near(values, wanted, within):
    return bool(((values - torch.as_tensor(wanted)).abs() <= within).all())


def agrees(names):
    return torch.allclose(names["score"](names["x"]), names["flow"].log_prob(names["x"]), atol=1e-4)


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
    weights = torch.load(tmp_path / "flow.pt")
    assert all(torch.isfinite(weight).all() for weight in weights.values())


def test_readme_goes_from_a_table_to_a_density(tmp_path):
    """In twenty lines, and better than a Gaussian by more than three standard errors."""
    program = re.search(r"```python\n(.*?)```", README, re.DOTALL).group(1)
    assert len(program.splitlines()) <= 20
    (tmp_path / "assets").symlink_to(HOUSE / "assets")
    command = [sys.executable, "-W", "error", "-c", program]
    environment = os.environ | {"PYTHONPATH": str(HOUSE), "MPLBACKEND": "Agg"}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    gain, error = map(float, re.search(r"above a Gaussian: (\S+) ± (\S+)", done.stdout).groups())
    assert gain > 3 * error > 0
    said, spread = map(float, re.search(r"scores (\S+) ± (\S+) nats a diamond", README).groups())
    assert abs(gain - said) <= 0.1 + 0.1 * said and abs(error - spread) <= 0.1
    assert (tmp_path / "diamonds.png").stat().st_size > 10_000
    density = Flow.load(tmp_path / "diamonds.safetensors")
    # In the units of the table: a usual diamond, and one that is too deep for its size.
    ideal = torch.tensor([[0.5, 61.8, 56.0, 1500.0, 5.1, 5.12, 3.16]])
    context = torch.tensor([[0.0, 0.0, 1.0, 0.0, 0.0]])
    assert (
        density.log_prob(ideal, context)
        > density.log_prob(ideal * torch.tensor([1, 1.1, 1, 1, 1, 1, 1]), context) + 5
    )
