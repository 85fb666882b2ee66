"""The house is in order: folders, environment files, README."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
import tomllib

import pytest
import yaml

from flowlib.course.doctor import normalised, pinned_versions
from tests import run
from tests.conftest import HOUSE

FOLDERS = {"lessons", "solutions", "flowlib", "tests", "assets"}
EIGHT_PACKAGES = {
    "torch",
    "jupyterlab",
    "matplotlib",
    "seaborn",
    "scikit-learn",
    "nbgrader",
    "nbval",
    "scipy",
}
README = (HOUSE / "README.md").read_text(encoding="utf-8")
MAKEFILE = (HOUSE / "Makefile").read_text(encoding="utf-8")


def tracked() -> list[str]:
    if not (HOUSE / ".git").exists():
        pytest.skip("not a git checkout")
    listed = subprocess.run(["git", "ls-files"], cwd=HOUSE, capture_output=True, text=True, check=True)
    return listed.stdout.splitlines()


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


def commands() -> list[str]:
    """The lines of README's shell blocks, without comments."""
    lines = "\n".join(blocks("(?:sh|bash|shell)")).splitlines()
    return sorted(
        {line.split(" #")[0].strip() for line in lines if line.strip() and not line.startswith("#")}
    )


# ---------------------------------------------------------------------------- layout


def test_no_other_folder_at_the_top():
    visible = {path.split("/")[0] for path in tracked() if "/" in path and not path.startswith(".")}
    assert visible <= FOLDERS


def test_nothing_large_or_generated_is_kept():
    for path in tracked():
        file = HOUSE / path
        if file.is_file():
            assert not re.search(r"\.(pyc|db|log|tmp|bak|orig)$|\.ipynb_checkpoints|__pycache__", path), path
            assert file.stat().st_size <= 3 * 2**20, f"{path} has {file.stat().st_size / 2**20:.1f} MB"


def test_lessons_hold_what_students_open_and_solutions_what_instructors_hold():
    for path in tracked():
        parts = path.split("/")
        if parts[0] == "lessons" and len(parts) > 1:
            assert parts[-1] in ("lesson.ipynb", "demo.ipynb", "exercises.ipynb"), path
        if parts[0] == "solutions" and len(parts) > 1:
            assert parts[2:] == ["exercises.ipynb"] or re.match(r"answers/task\d\.py", "/".join(parts[2:]))


# ---------------------------------------------------------------------------- environments


def test_environment_file_is_in_step_with_the_constraints():
    """The eight packages at the tested versions, each with a word on what it is for, then the course."""
    content = (HOUSE / "environment.yml").read_text(encoding="utf-8")
    environment = yaml.safe_load(content)
    assert environment["channels"][0] == "conda-forge"
    *conda, pip = environment["dependencies"]
    assert [re.split("[=<>]", name)[0] for name in conda] == ["python", "pip"]
    pins = {normalised(line.split("==")[0]): line.split("==")[1] for line in pip["pip"] if "==" in line}
    assert set(pins) == EIGHT_PACKAGES
    tested = pinned_versions(HOUSE)
    assert pins == {name: tested[name] for name in pins}
    assert pip["pip"][-1] == "-e .[course]"
    assert "-c constraints.txt" in pip["pip"]
    for name in pins:
        (line,) = [line for line in content.splitlines() if re.search(rf"- {name}==", line)]
        assert len(line.partition("#")[2].split()) >= 3, f"say what {name} is for"


def requirements() -> dict[str, list[str]]:
    project = tomllib.loads((HOUSE / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return {"flowlib": project["dependencies"], **project["optional-dependencies"]}


def test_every_package_that_is_asked_for_has_a_tested_version():
    tested = pinned_versions(HOUSE)
    for extra, names in requirements().items():
        for name in names:
            assert re.fullmatch(r"[\w.-]+(\[\w+\])?", name), (
                f"{extra}: versions stand in constraints.txt, not here: {name}"
            )
            assert normalised(name.split("[")[0]) in tested, f"{name} of {extra} is not in constraints.txt"


def test_ci_runs_the_tests():
    script = HOUSE / ".ci" / "run"
    assert os.access(script, os.X_OK)
    assert script.read_text().splitlines()[-1] == "exec make test"
    subprocess.run(["sh", "-n", str(script)], check=True)


# ---------------------------------------------------------------------------- README


def test_make_says_what_it_can_do():
    targets = set(" ".join(re.findall(r"^\.PHONY: (.*)$", MAKEFILE, re.MULTILINE)).split())
    said = subprocess.run(["make"], cwd=HOUSE, capture_output=True, text=True, check=True).stdout
    for target in targets - {"help", "clean"}:
        assert re.search(rf"\bmake {target}\b", said), target


@pytest.mark.parametrize("line", commands())
def test_commands_in_readme_work(line):
    """Each is understood; those that only look are run."""
    first, *rest = shlex.split(line.replace(".venv/bin/", "").replace(".venv\\Scripts\\", ""))
    if first == "make":
        subprocess.run(["make", "--dry-run", *rest], cwd=HOUSE, capture_output=True, check=True)
    elif first == "flowcourse":
        looks = rest[:1] == ["doctor"] or "--check" in rest
        arguments = rest if looks else [*rest, "--help"]
        run = [sys.executable, "-m", "flowlib.course.cli", *arguments]
        done = subprocess.run(run, cwd=HOUSE, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
    elif first in ("pip", "python", "py"):
        assert "-c constraints.txt" in line or "venv" in rest or "tests.run" in rest, line
    else:
        assert first in ("git", "cd", "conda", "mamba", "docker", "wsl", "sudo"), f"who tests this? {line}"


# The first is a whole analysis: tests/laws/test_recipes.py runs it.
@pytest.mark.parametrize("code", blocks("python")[1:])
def test_python_in_readme_runs(code):
    subprocess.run([sys.executable, "-W", "error", "-c", code], cwd=HOUSE, check=True, timeout=120)


def test_readme_shows_itself_in_one_screen():
    """What it is, the two commands and a picture stand in the first 40 lines."""
    top = "\n".join(README.splitlines()[:40])
    assert "git clone" in top and "make lab" in top
    assert re.search(r"!\[[^\]]{10,}\]\(|<img[^>]*alt=\"[^\"]{10,}\"", top)


def test_links_in_readme_lead_somewhere():
    addresses = re.findall(r"\]\(([^)\s#]+)\)", README) + re.findall(r'(?:src|href)="([^"#]+)"', README)
    for address in addresses:
        if not address.startswith(("http", "mailto:")):
            assert (HOUSE / address).exists(), address


def test_the_bench_knows_how_long_each_of_its_stages_takes():
    tested = {stage.name for stage in run.everything() if "pytest" in stage.command}
    assert set(run.SECONDS) == tested
    assert run.forecast({"laws": 214, "pace": 98}).split()[-2:] == ["312", "s"]
