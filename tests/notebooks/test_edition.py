"""The students' edition: nothing in it that only instructors may see, and all that students need."""

from __future__ import annotations

import gzip
import json
import re
import shlex
import shutil
import subprocess
import sys
import zipfile

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from flowlib.course import edition
from flowlib.course.folders import CourseError, lesson_names
from flowlib.course.grading.written import WRITE_HERE
from tests.conftest import HOUSE
from tests.tiny import LESSON

SOLUTION = "log_det = torch.full(z.shape, math.log(abs(a)), dtype=z.dtype)"
HIDDEN = (
    'assert torch.isfinite(log_det).all(), "log|dx/dz| is the log of an absolute value: what is log(-3)?"'
)
MODEL = "Because space is stretched by the factor, density falls by the same factor."
ANSWER = "return z * a, torch.full_like(z, a).abs().log()"
CHANGED = "return z * a, -torch.ones_like(z) * math.log(abs(a))"
GUIDE = "3 points for saying that the area under the density stays one, whatever the factor."


def flowcourse(*words, cwd):
    command = [sys.executable, "-m", "flowlib.course.cli", *words]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=120)


def git(folder, *words):
    someone = ["-c", "user.name=Someone", "-c", "user.email=someone@example.org"]
    done = subprocess.run(["git", *someone, *words], cwd=folder, check=True, capture_output=True, text=True)
    return done.stdout


# ---------------------------------------------------------------------------- of this course


@pytest.fixture(scope="module")
def students(tmp_path_factory):
    """The students' edition of the whole course, as the command writes it."""
    out = tmp_path_factory.mktemp("edition") / "flows"
    done = flowcourse("student-edition", str(out), cwd=HOUSE)
    assert done.returncode == 0, done.stderr
    return out


def test_it_holds_what_students_need_and_nothing_else(students):
    names = {path.name for path in students.iterdir()}
    assert names == {
        *("README.md", "Makefile", "pyproject.toml", "constraints.txt", "environment.yml", ".gitignore"),
        ".devcontainer",
        *("LICENSE", "LICENSE-text", "CITATION.cff", "lessons", "flowlib", "assets"),
    }
    for lesson in lesson_names(HOUSE):
        found = {path.name for path in (students / "lessons" / lesson).iterdir()}
        assert found == {"lesson.ipynb", "demo.ipynb", "exercises.ipynb"}


def test_no_line_for_instructors_stands_in_it(students):
    """Found in another way than the command finds them: by the marks in the cells, word for word."""
    known = "\n".join(words_of(path) for path in (HOUSE / "lessons").glob("*/*.ipynb"))
    known += "\n".join(words_of(path) for path in (HOUSE / "flowlib").rglob("*.py"))
    secrets = set()
    for path in (HOUSE / "solutions").glob("*/exercises.ipynb"):
        for cell in nbformat.read(path, as_version=4).cells:
            for region in re.findall(
                r"BEGIN (?:SOL|HID|MARK).*?\n(.*?)\n[^\n]*?END ", cell.source, re.DOTALL
            ):
                secrets |= {line.strip() for line in region.splitlines() if len(line.strip()) > 45}
    for path in (HOUSE / "solutions").glob("*/answers/*"):
        lines = [re.sub(r"^[-+ ] ", "", line).strip() for line in path.read_text().splitlines()]
        secrets |= {line for line in lines if len(line) > 45}
    assert len(secrets) > 1000
    suffixes = {".md", ".py", ".ipynb", ".toml", ".txt", ".html", ".yml", ".cff", ""}
    whole = "\n".join(
        words_of(path) for path in students.rglob("*") if path.is_file() and path.suffix in suffixes
    )
    assert not [line for line in secrets if line in whole and line not in known]
    assert "BEGIN HIDDEN TESTS" not in re.sub(r"(?m)^HIDDEN = .*$", "", whole)


def words_of(path):
    if path.suffix != ".ipynb":
        return path.read_text()
    cells = nbformat.read(path, as_version=4).cells
    return "\n".join(f"{cell.source}\n{cell.get('outputs', '')}" for cell in cells)


def test_its_readme_and_makefile_promise_only_what_works_there(students):
    readme = (students / "README.md").read_text()
    assert not re.search(
        r"solutions/|hidden test|make (grade|test|bench|site)|CONTRIBUTING|instructors\b -->", readme
    )
    assert len(readme) > 0.5 * len((HOUSE / "README.md").read_text())
    for address in re.findall(r"\]\(([^)\s#]+)\)", readme) + re.findall(r'(?:src|href)="([^"#]+)"', readme):
        assert address.startswith("http") or (students / address).exists(), address
    said = subprocess.run(["make"], cwd=students, capture_output=True, text=True, check=True).stdout
    targets = re.findall(r"^make (\w+)", said, re.MULTILINE)
    assert targets == ["lab", "repeat", "doctor"]
    for target in [*targets, "clean"]:
        subprocess.run(["make", "--dry-run", target], cwd=students, check=True, capture_output=True)
    assert subprocess.run(["make", "--dry-run", "grade"], cwd=students, capture_output=True).returncode == 2


def test_its_commands_work_there(students):
    """The flowlib that runs is the edition's own: Python finds it in the folder that it starts in."""
    path = f"lessons/{lesson_names(HOUSE)[0]}/exercises.ipynb"
    done = flowcourse("check", path, cwd=students)
    assert done.returncode == 0 and "task1: not done yet" in done.stdout
    assert "task5: nothing in its cell yet" in done.stdout
    untouched = (students / path).read_text()
    (students / path).write_text(untouched.replace(WRITE_HERE, "Three evenings of work."))
    assert "task5: there" in flowcourse("check", path, cwd=students).stdout
    (students / path).write_text(untouched)
    done = flowcourse("grade", "01", cwd=students)
    assert done.returncode == 1 and "is the students' edition" in done.stderr
    where = "import flowlib.course.folders as h; print(h.__file__, h.course_root())"
    said = subprocess.run([sys.executable, "-c", where], cwd=students, capture_output=True, text=True).stdout
    assert said.split() == [str(students / "flowlib/course/folders.py"), str(students)]


def test_readme_says_who_may_clone_before_the_first_clone():
    readme = (HOUSE / "README.md").read_text()
    warning, clone = readme.index("flowcourse student-edition"), readme.index("git clone")
    assert readme.index("repository is the instructors'") < warning < clone


# ---------------------------------------------------------------------------- of a tiny one


@pytest.fixture
def course(tiny_course):
    """A tiny course in git with a lesson, a library, a picture's script and a README, all committed."""
    (tiny_course / "README.md").write_text("# Tiny\n<!-- instructors -->\nsecret\n<!-- end instructors -->\n")
    for name in ("Makefile", "pyproject.toml", "constraints.txt"):
        shutil.copy(HOUSE / name, tiny_course)
    for folder in ("flowlib", "assets/data", f"lessons/{LESSON}"):
        (tiny_course / folder).mkdir(parents=True)
    shutil.copy(HOUSE / "assets/nbval.cfg", tiny_course / "assets")
    (tiny_course / "flowlib/__init__.py").write_text('"""Tiny."""\n')
    (tiny_course / "assets/data/notes.md").write_text("Data.\n")
    cells = [new_markdown_cell("# Lesson"), new_code_cell("print('it took 0.12 s')", execution_count=1)]
    cells[1].outputs = [nbformat.v4.new_output("stream", name="stdout", text="it took 7.65 s\n")]
    write_lesson(tiny_course, cells)
    source = tiny_course / "solutions" / LESSON / "exercises.ipynb"
    notebook = nbformat.read(source, as_version=4)
    notebook.cells[-1].source = notebook.cells[-1].source.replace("3 points for", f"{GUIDE}\n3 points for")
    nbformat.write(notebook, source)
    git(tiny_course, "init", "--quiet")
    git(tiny_course, "add", ".")
    git(tiny_course, "commit", "--quiet", "-m", "All")
    return tiny_course


def write_lesson(course, cells):
    kernel = {"name": "python3", "display_name": "Python 3 (ipykernel)", "language": "python"}
    notebook = new_notebook(cells=cells, metadata={"kernelspec": kernel})
    nbformat.write(notebook, course / "lessons" / LESSON / "lesson.ipynb")


PLANTS = {
    "README.md": lambda path, line: path.write_text(f"# Tiny\n\nHint: `{line}`\n"),
    "assets/data/notes.md": lambda path, line: path.write_text(f"{line.replace(' ', '   ')}\n"),
    "assets/sheet.html": lambda path, line: path.write_text(
        line.replace('"', "&quot;").replace("|", "&#124;")
    ),
    "assets/data/table.csv.gz": lambda path, line: path.write_bytes(gzip.compress(f"1,{line}\n".encode())),
    "flowlib/__init__.py": lambda path, line: path.write_text(f"    # {line}\n"),
    "flowlib/new.py": lambda path, line: path.write_text(f"def f():\n    {line}\n"),
    f"lessons/{LESSON}/lesson.ipynb": lambda path, line: write_lesson(
        path.parents[2], [new_code_cell(f"def scale(z, a):\n    {line}")]
    ),
    f"lessons/{LESSON}/demo.ipynb": lambda path, line: nbformat.write(
        new_notebook(cells=[new_markdown_cell("A demo.", metadata={"notes": [line]})]), path
    ),
}


@pytest.mark.parametrize("name", PLANTS)
def test_a_line_for_instructors_is_refused_wherever_it_is_planted(course, name):
    before = (course / name).read_bytes() if (course / name).exists() else None
    for line in (SOLUTION, HIDDEN, MODEL, ANSWER, CHANGED, GUIDE):
        PLANTS[name](course / name, line)
        with pytest.raises(CourseError, match="Nothing was written") as refusal:
            edition.make(course)
        assert f"{name}: {line}" in str(refusal.value)
    (course / name).unlink() if before is None else (course / name).write_bytes(before)
    assert edition.make(course).secrets >= 5


@pytest.mark.parametrize("out", ["flows", "flows.zip"])
def test_the_command_writes_nothing_where_it_refuses(course, tmp_path_factory, out):
    PLANTS["README.md"](course / "README.md", GUIDE)
    out = tmp_path_factory.mktemp("out") / out
    done = flowcourse("student-edition", str(out), cwd=course)
    assert done.returncode == 1 and GUIDE in done.stderr and not out.exists()


def test_what_a_committed_lesson_shows_is_no_secret_but_a_model_answer_is(course):
    write_lesson(course, [new_code_cell(SOLUTION)])
    git(course, "commit", "--quiet", "-am", "The lesson shows this line")
    assert list(edition.make(course).shared) == [SOLUTION]
    write_lesson(course, [new_code_cell(f"# {MODEL}")])
    git(course, "commit", "--quiet", "-am", "The lesson gives the written answer away")
    with pytest.raises(CourseError, match="Because space"):
        edition.make(course)


def test_exercises_are_released_anew_and_strays_stay_behind(course):
    """What an instructor tried out in lessons/ or left lying about does not reach students."""
    folder = course / "lessons" / LESSON
    shutil.copy(course / "solutions" / LESSON / "exercises.ipynb", folder)
    shutil.copy(
        course / "solutions" / LESSON / "exercises.ipynb", folder / "exercises.2026-01-01T000000.ipynb"
    )
    shutil.copytree(course / "solutions" / LESSON / "answers", folder / "answers")
    files = edition.make(course).files
    assert {name for name in files if name.startswith("lessons")} == {
        f"lessons/{LESSON}/lesson.ipynb",
        f"lessons/{LESSON}/exercises.ipynb",
    }
    assert b"NotImplementedError" in files[f"lessons/{LESSON}/exercises.ipynb"]
    assert b"secret" not in files["README.md"]


def test_folder_and_zip_hold_the_same(course, tmp_path_factory):
    out = tmp_path_factory.mktemp("out")
    made = edition.make(course)
    for name in ("flows", "flows.zip"):
        edition.write(made, out / name, course)
        with pytest.raises(CourseError, match="exists already"):
            edition.write(made, out / name, course)
    with zipfile.ZipFile(out / "flows.zip") as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    assert files == {
        path.relative_to(out).as_posix(): path.read_bytes()
        for path in (out / "flows").rglob("*")
        if path.is_file()
    }
    for inside in (course, course.parent, course / "lessons" / "flows"):
        with pytest.raises(CourseError, match="part of the course itself"):
            edition.write(made, inside, course)


def test_a_repository_with_a_history_of_its_own(course, tmp_path_factory):
    out = tmp_path_factory.mktemp("out") / "flows"
    done = flowcourse("student-edition", "--git", str(out), cwd=course)
    assert done.returncode == 0, done.stderr
    assert git(out, "log", "--format=%s").splitlines() == ["The flow course, students' edition"]
    made = edition.make(course)
    assert set(git(out, "ls-files").split()) == set(made.files)
    assert SOLUTION not in git(out, "log", "-p", "--all")
    assert not edition.write_repository(made, out, course), "it is up to date"
    (course / "assets/data/notes.md").unlink()
    (course / "assets/data/more.md").write_text("More data.\n")
    (out / ".venv").mkdir()
    made = edition.make(course)
    assert edition.write_repository(made, out, course)
    assert len(git(out, "log", "--format=%s").splitlines()) == 2 and (out / ".venv").is_dir()
    assert not (out / "assets/data/notes.md").exists() and (out / "assets/data/more.md").exists()
    (out / "README.md").write_text((out / "README.md").read_text() + "mine\n")
    with pytest.raises(CourseError, match="not committed"):
        edition.write_repository(made, out, course)


def test_a_repository_of_somebody_else_is_left_alone(course, tmp_path_factory):
    made = edition.make(course)
    foreign = tmp_path_factory.mktemp("foreign")
    (foreign / "README.md").write_text("# Mine")
    for _ in range(2):
        with pytest.raises(CourseError, match=r"name another folder|another repository"):
            edition.write_repository(made, foreign, course)
        git(foreign, "init", "--quiet")
    assert {path.name for path in foreign.iterdir()} == {"README.md", ".git"}
    assert (foreign / "README.md").read_text() == "# Mine"
    cloned = tmp_path_factory.mktemp("cloned")
    git(cloned, "init", "--quiet")
    assert edition.write_repository(made, cloned, course), "an empty clone is where it may begin"


def test_make_repeat_compares_a_lesson_there(course, tmp_path_factory):
    """Times may differ, which the file of what may differ says; another output may not."""
    out = tmp_path_factory.mktemp("out") / "flows"
    edition.write(edition.make(course), out, course)
    said = subprocess.run(["make", "--dry-run", "repeat"], cwd=out, capture_output=True, text=True).stdout
    line = next(line for line in said.replace("\\\n", " ").splitlines() if "--nbval" in line)
    command = line.replace(".venv/bin/python", sys.executable).replace("lessons/01_*", f"lessons/{LESSON}")
    good = subprocess.run(shlex.split(command), cwd=out, capture_output=True, text=True)
    assert good.returncode == 0 and "1 passed" in good.stdout, good.stdout
    lesson = out / "lessons" / LESSON / "lesson.ipynb"
    notebook = json.loads(lesson.read_text())
    notebook["cells"][1]["outputs"][0]["text"] = ["it gave 7\n"]
    lesson.write_text(json.dumps(notebook))
    assert subprocess.run(shlex.split(command), cwd=out, capture_output=True).returncode == 1
