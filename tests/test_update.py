"""`flowcourse update` with real repositories: the course's, and a student's clone of it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys

import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from flowlib.course import update as work
from flowlib.course.folders import CourseError
from tests.conftest import HOUSE

LESSON = "lessons/01_tiny/lesson.ipynb"
EXERCISES = "lessons/01_tiny/exercises.ipynb"
SECOND = "lessons/02_more/lesson.ipynb"


def git(folder, *words):
    someone = ["-c", "user.name=Someone", "-c", "user.email=someone@example.org"]
    done = subprocess.run(["git", *someone, *words], cwd=folder, check=True, capture_output=True, text=True)
    return done.stdout.strip()


def flowcourse(clone, **environment):
    command = [sys.executable, "-m", "flowlib.course.cli", "update"]
    env = os.environ | {"NO_COLOR": "1", "PYTHONPATH": str(HOUSE)} | environment
    done = subprocess.run(command, cwd=clone, env=env, capture_output=True, text=True, timeout=60)
    assert "Traceback" not in done.stdout + done.stderr
    return done


def write(path, *sources):
    """A notebook of these cells, as the course hands it out: no outputs."""
    cells = [new_markdown_cell("# A lesson", id="title")]
    cells += [new_code_cell(source, id=f"cell{number}") for number, source in enumerate(sources)]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(new_notebook(cells=cells), indent=1))


def run(path):
    """What running and saving it changes: numbers, outputs, metadata, an empty cell at the end."""
    notebook = json.loads(path.read_text())
    for number, cell in enumerate(cell for cell in notebook["cells"] if cell["cell_type"] == "code"):
        cell["execution_count"] = number + 1
        cell["outputs"] = [new_output("stream", name="stdout", text="a line\n")]
    notebook["cells"].append(new_code_cell("", id="last"))
    notebook["metadata"]["language_info"] = {"name": "python", "version": "3.12.1"}
    path.write_text(json.dumps(notebook, indent=1))


def type_into(path, words):
    notebook = json.loads(path.read_text())
    notebook["cells"][-1]["source"] = words
    path.write_text(json.dumps(notebook, indent=1))
    return path.read_bytes()


@pytest.fixture
def course(tmp_path):
    """Where the course is written; `publish` makes its next version."""
    origin, folder = tmp_path / "origin.git", tmp_path / "course"
    git(tmp_path, "init", "--quiet", "--bare", "--initial-branch=main", str(origin))
    git(tmp_path, "init", "--quiet", "--initial-branch=main", str(folder))
    git(folder, "remote", "add", "origin", str(origin))
    for name in (LESSON, EXERCISES):
        write(folder / name, "a = 1", "b = 2", "c = 3")
    (folder / "constraints.txt").write_text("torch\n")
    shutil.copy(HOUSE / ".gitignore", folder)
    publish(folder)
    return folder


@pytest.fixture
def clone(course, tmp_path):
    git(tmp_path, "clone", "--quiet", str(tmp_path / "origin.git"), "clone")
    return tmp_path / "clone"


def publish(course):
    git(course, "add", "--all")
    git(course, "commit", "--quiet", "-m", "The next version")
    git(course, "push", "--quiet", "--set-upstream", "origin", "main")


def correct(course, *names):
    for name in names:
        write(course / name, "a = 1", "b = 2  # corrected", "c = 3")
    publish(course)


def is_up_to_date(clone, course):
    return git(clone, "rev-parse", "HEAD") == git(course, "rev-parse", "HEAD")


def status(clone):
    return git(clone, "status", "--porcelain")


@pytest.mark.parametrize("brought", [LESSON, SECOND])
def test_a_lesson_that_was_run_does_not_keep_the_course_back(course, clone, brought):
    """Whether the update brings this lesson or another one: afterwards nothing is changed."""
    run(clone / LESSON)
    correct(course, brought)
    done = flowcourse(clone)
    assert done.returncode == 0, done.stderr
    assert is_up_to_date(clone, course) and status(clone) == ""
    assert (clone / brought).read_bytes() == (course / brought).read_bytes()
    assert f"only run them:\n  {LESSON}\n" in done.stdout
    assert done.stdout.endswith("Up to date: 1 file of the course changed.\n")
    assert flowcourse(clone).stdout == "Up to date: no files of the course changed.\n"


def test_git_pull_alone_would_refuse(course, clone):
    """Why there is a command: this is what students meet without it."""
    run(clone / LESSON)
    correct(course, LESSON)
    with pytest.raises(subprocess.CalledProcessError) as refused:
        git(clone, "pull", "--ff-only")
    assert "would be overwritten" in refused.value.stderr


def test_a_merge_line_by_line_would_lose_the_correction(course, clone):
    """Why no nbgitpuller: commit, then `git merge -Xours`, and the corrected cell is the old one."""
    run(clone / LESSON)
    correct(course, LESSON)
    git(clone, "commit", "--quiet", "--all", "-m", "what was run")
    git(clone, "fetch", "--quiet")
    git(clone, "merge", "--quiet", "-Xours", "-m", "merged", "@{upstream}")
    assert "corrected" not in (clone / LESSON).read_text()


def test_own_work_stays_where_the_update_brings_nothing(course, clone):
    run(clone / EXERCISES)
    work_before = {name: type_into(clone / name, "mine = 'three evenings'") for name in (LESSON, EXERCISES)}
    correct(course, SECOND)
    done = flowcourse(clone)
    assert done.returncode == 0 and is_up_to_date(clone, course)
    assert {name: (clone / name).read_bytes() for name in work_before} == work_before
    assert f"left as they are:\n  {EXERCISES}\n  {LESSON}\n" in done.stdout


def test_own_work_is_kept_beside_what_the_update_brings(course, clone):
    """Also the second time, and the copies are none of git's business."""
    for number in ("", "-2", "-3"):
        before = {name: type_into(clone / name, f"mine{number}") for name in (LESSON, EXERCISES)}
        if number == "-2":
            git(clone, "add", "--all")  # a student who stages
        for name in before:
            write(course / name, "a = 1", f"b = 'new{number}'", "c = 3")
        publish(course)
        done = flowcourse(clone)
        assert done.returncode == 0, done.stderr
        assert is_up_to_date(clone, course) and status(clone) == ""
        for name, mine in before.items():
            aside = name.replace(".ipynb", f".mine{number}.ipynb")
            assert (clone / aside).read_bytes() == mine
            assert f"  {name} -> {aside}\n" in done.stdout
            assert (clone / name).read_bytes() == (course / name).read_bytes()
        assert "copy your answers into it, cell by cell" in done.stdout


def test_any_file_of_the_students_counts(course, clone):
    """One that git does not know, a broken notebook, another kind of file; one that the course gives up."""
    write(clone / SECOND, "my own second lesson")
    (clone / LESSON).write_text("{ no notebook")
    (clone / "constraints.txt").write_text("torch\nmine\n")
    gone = type_into(clone / EXERCISES, "mine")
    (course / "constraints.txt").write_text("torch==2\n")
    (course / EXERCISES).unlink()
    correct(course, LESSON, SECOND)
    done = flowcourse(clone)
    assert done.returncode == 0, done.stderr
    assert is_up_to_date(clone, course) and status(clone) == ""
    assert "my own second lesson" in (clone / "lessons/02_more/lesson.mine.ipynb").read_text()
    assert (clone / "lessons/01_tiny/lesson.mine.ipynb").read_text() == "{ no notebook"
    assert (clone / "constraints.mine.txt").read_text() == "torch\nmine\n"
    assert (clone / "lessons/01_tiny/exercises.mine.ipynb").read_bytes() == gone
    assert not (clone / EXERCISES).exists()
    assert "needs other packages now: make lab, or " in done.stdout


def test_what_the_student_deleted_comes_again(course, clone):
    (clone / LESSON).unlink()
    git(clone, "rm", "--quiet", EXERCISES)
    correct(course, LESSON, EXERCISES)
    work.update(clone)
    assert is_up_to_date(clone, course) and status(clone) == ""


# ---------------------------------------------------------------------------- what may go wrong


def no_network(clone):
    (clone.parent / "origin.git").rename(clone.parent / "elsewhere.git")


def no_clone(clone):
    shutil.rmtree(clone / ".git")


def own_commit(clone):
    write(clone / "lessons/09_mine/lesson.ipynb", "mine")
    git(clone, "add", "lessons/09_mine")
    git(clone, "commit", "--quiet", "-m", "mine")


def unfinished_merge(clone):
    git(clone, "switch", "--quiet", "-c", "side")
    own_commit(clone)
    git(clone, "switch", "--quiet", "main")
    git(clone, "merge", "--no-ff", "--no-commit", "side")


def other_branch(clone):
    git(clone, "switch", "--quiet", "-c", "side")


def locked(clone):
    (clone / ".git" / "index.lock").touch()


def instructors(clone):
    (clone / "solutions").mkdir()


@pytest.mark.parametrize(
    ("trouble", "says"),
    [
        (no_network, "did not come; nothing was changed"),
        (no_clone, "holds no .git"),
        (own_commit, "git pull --no-rebase"),
        (unfinished_merge, "not finished; nothing was changed"),
        (other_branch, "Try: git switch main"),
        (locked, "index.lock"),
        (instructors, "is the instructors' repository"),
    ],
)
def test_trouble_is_said_in_words_and_loses_nothing(course, clone, trouble, says):
    before = {name: type_into(clone / name, "mine") for name in (LESSON, EXERCISES)}
    correct(course, LESSON, EXERCISES)
    trouble(clone)
    done = flowcourse(clone)
    assert done.returncode == 1 and says in done.stderr, done.stderr
    assert {name: (clone / name).read_bytes() for name in before} == before
    assert not list(clone.rglob("*.mine*"))


def test_own_commits_alone_do_no_harm(course, clone):
    own_commit(clone)
    assert flowcourse(clone).returncode == 0


def test_without_git_it_says_so(clone):
    done = flowcourse(clone, PATH=str(clone))
    assert done.returncode == 1 and "git is not installed" in done.stderr


def test_an_interruption_brings_own_work_back(course, clone, monkeypatch):
    before = type_into(clone / LESSON, "mine")
    correct(course, LESSON)

    def interrupted(root, *words, **options):
        if words[0] == "merge":
            raise KeyboardInterrupt
        return git(root, *words)

    monkeypatch.setattr(work, "git", interrupted)
    with pytest.raises(KeyboardInterrupt):
        work.update(clone)
    assert (clone / LESSON).read_bytes() == before and not list(clone.rglob("*.mine*"))
    monkeypatch.undo()
    assert work.update(clone).kept == {LESSON: LESSON.replace(".ipynb", ".mine.ipynb")}


def test_a_folder_without_git_is_refused_before_anything(tmp_path):
    with pytest.raises(CourseError, match="no clone"):
        work.update(tmp_path)
