"""`flowcourse` says the right thing and ends with the right code, whatever is typed."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
import time
import urllib.request

import pytest
import typer
from typer.testing import CliRunner

from flowlib.course import doctor, lab
from flowlib.course.cli import app
from flowlib.course.doctor import examine
from flowlib.course.folders import CourseError, course_root, lesson_name
from tests.conftest import HOUSE, start
from tests.tiny import LESSON


def flowcourse(*arguments, cwd=HOUSE, **environment):
    command = [sys.executable, "-m", "flowlib.course.cli", *arguments]
    env = os.environ | {"COLUMNS": "200", "NO_COLOR": "1"} | environment
    done = subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, timeout=300)
    assert "Traceback" not in done.stderr + done.stdout
    return done


def test_help_names_every_command_and_the_exit_codes():
    done = flowcourse("--help")
    assert done.returncode == 0
    for word in ("release", "lab", "doctor", "sample-class", "Exit codes"):
        assert word in done.stdout


def test_help_waits_for_no_library():
    """It comes at once: what a command needs is loaded when the command runs."""
    look = """
import sys
from flowlib.course import cli
sys.argv = ["flowcourse", *sys.argv[1:]]
try:
    cli.main()
finally:
    print("loaded:", *{"torch", "nbgrader", "numpy", "IPython", "sqlalchemy"} & set(sys.modules))
"""
    for words in (["--help"], ["grade", "--help"]):
        done = subprocess.run([sys.executable, "-c", look, *words], capture_output=True, text=True, cwd=HOUSE)
        assert done.returncode == 0 and done.stdout.strip().endswith("loaded:"), done.stdout + done.stderr


def test_help_explains_every_command_and_option():
    command = typer.main.get_command(app)
    shown = CliRunner().invoke(app, ["--help"], terminal_width=200).stdout
    assert len(command.commands) >= 13
    for name, one in command.commands.items():
        assert re.search(rf"\b{name}  ", shown), f"flowcourse --help does not list {name}"
        assert one.help, f"flowcourse {name} does not say what it does"
        said = CliRunner().invoke(app, [name, "--help"], terminal_width=200).stdout
        for parameter in one.params:
            assert parameter.help, f"flowcourse {name} does not explain {parameter.name}"
            flag = parameter.opts[0] if parameter.param_type_name == "option" else parameter.name
            assert flag.lower() in said.lower(), f"flowcourse {name} --help lacks {flag}"


def test_no_arguments_shows_help():
    done = flowcourse()
    assert done.returncode == 2
    assert "Usage" in done.stdout + done.stderr


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["docter"], "Did you mean 'doctor'"),
        (["lab", "--prot", "1"], "Possible options: --port"),
        (["lab", "--port", "x"], "valid integer"),
    ],
)
def test_typing_errors_are_explained(arguments, says):
    done = flowcourse(*arguments)
    assert done.returncode == 2
    assert says.lower() in done.stderr.lower()


def test_release_check_and_mend(tiny_course):
    done = flowcourse("release", "--check", cwd=tiny_course)
    assert done.returncode == 1
    assert f"{LESSON}: out of step" in done.stdout
    assert "Run: flowcourse release 01" in done.stderr
    assert flowcourse("release", "1", cwd=tiny_course / "lessons").returncode == 0
    assert flowcourse("release", "--check", cwd=tiny_course).returncode == 0


def test_release_recommends_nothing_that_destroys(tiny_course):
    """Whatever `release` and `release --check` say to run: what was typed is still there afterwards."""
    assert flowcourse("release", cwd=tiny_course).returncode == 0
    target = tiny_course / "lessons" / LESSON / "exercises.ipynb"
    typed = target.read_text().replace("*Write your answer here.*", "Three evenings of work")
    assert "Three evenings" in typed
    target.write_text(typed)
    for words in (["release"], ["release", "--check"]):
        done = flowcourse(*words, cwd=tiny_course)
        assert done.returncode == 1 and target.read_text() == typed
        advised = re.findall(r"flowcourse (release .*)", done.stderr)
        assert advised == ["release 01 --force"]
    done = flowcourse(*advised[0].split(), cwd=tiny_course)
    assert done.returncode == 0 and "is kept in" in done.stdout
    (copy,) = target.parent.glob("exercises.*.ipynb")
    assert copy.read_text() == typed
    assert flowcourse("release", "--check", cwd=tiny_course).returncode == 0


def test_unknown_lesson_is_named(tiny_course):
    done = flowcourse("release", "7", cwd=tiny_course)
    assert done.returncode == 1
    assert "There is no lesson '07'" in done.stderr
    assert LESSON in done.stderr


def test_lessons_have_short_names(tiny_course):
    for wanted in ("1", "01", "01_t", LESSON, f"lessons/{LESSON}/"):
        assert lesson_name(tiny_course, wanted) == LESSON
    with pytest.raises(CourseError, match=f"Did you mean {LESSON}"):
        lesson_name(tiny_course, "01_tyni")
    with pytest.raises(CourseError):
        lesson_name(tiny_course, "")


def test_course_is_found_from_below(tiny_course, tmp_path_factory):
    assert course_root(tiny_course / "solutions" / LESSON) == tiny_course
    assert course_root(tmp_path_factory.mktemp("elsewhere")) == HOUSE


# ---------------------------------------------------------------------------- doctor


def test_doctor_finds_nothing_missing_here():
    findings = examine(HOUSE)
    assert not [finding for finding in findings if finding.state == "missing"]
    for what in ("python", "torch", "kernel", "nbgrader", "sandbox", "data"):
        assert any(finding.what == what for finding in findings)


def test_doctor_names_what_is_missing_and_the_command(tiny_course):
    (tiny_course / "constraints.txt").write_text("torch==1.0.0\n")
    findings = {finding.what: finding for finding in examine(tiny_course)}
    assert findings["data"].state == "missing"
    assert findings["data"].mend == "git checkout assets/data"
    assert "tested with 1.0.0" in findings["versions"].found
    done = flowcourse("doctor", cwd=tiny_course)
    assert done.returncode == 1
    assert "git checkout assets/data" in done.stdout


def test_doctor_without_bubblewrap_says_how_to_get_it():
    done = flowcourse("doctor", PATH=os.path.dirname(sys.executable))
    assert done.returncode == 0
    if sys.platform.startswith("linux"):
        assert "apt install bubblewrap" in done.stdout


@pytest.mark.parametrize(
    ("program", "state"),
    [
        ("python", "good"),
        ("python3", "good"),  # Jupyter puts its own Python in its place
        (sys.executable, "good"),
        pytest.param(
            os.path.realpath(sys.executable),  # what .venv/bin/python is a link to
            "note",
            marks=pytest.mark.skipif(sys.prefix == sys.base_prefix, reason="not in a virtual environment"),
        ),
        ("/nowhere/python", "note"),
    ],
)
def test_doctor_finds_the_kernel_of_another_python(monkeypatch, tmp_path, program, state):
    kernel = tmp_path / "kernels" / "python3" / "kernel.json"
    kernel.parent.mkdir(parents=True)
    argv = [program, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    kernel.write_text(json.dumps({"argv": argv, "display_name": "Python 3", "language": "python"}))
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path))
    found = doctor.kernel()
    assert found.state == state
    if state == "note":
        assert program in found.found and "ipykernel install" in found.mend


def test_doctors_commands_use_this_python_and_survive_zsh(monkeypatch):
    command = f'{sys.executable} -m pip install -c constraints.txt -e ".[course]"'
    assert command == doctor.INSTALL
    monkeypatch.setattr(sys, "prefix", "/nowhere")
    (found,) = doctor.extensions()
    assert found.state == "missing" and found.mend.startswith(f"{sys.executable} -m pip install")


# ---------------------------------------------------------------------------- lab


def test_a_taken_port_is_passed_over():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert lab.first_free_port(port) > port
        with pytest.raises(CourseError, match="--port"):
            lab.first_free_port(port, tries=1)


def test_no_browser_without_a_display(monkeypatch):
    if not sys.platform.startswith("linux"):
        pytest.skip("only Linux needs a display")
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    assert not lab.has_browser()


@pytest.mark.timeout(120)
def test_lab_opens_and_stops(tiny_course):
    """The address it prints answers; Ctrl-C ends it with code 0."""
    assert flowcourse("release", cwd=tiny_course).returncode == 0
    command = [sys.executable, "-u", "-m", "flowlib.course.cli", "lab", "--no-browser", "--port", "18888"]
    env = os.environ | {
        "NO_COLOR": "1",
        "JUPYTER_CONFIG_DIR": str(tiny_course / "config"),
        "HOME": str(tiny_course),
    }
    process = start(command, cwd=tiny_course, env=env, stdout=subprocess.PIPE, text=True)
    try:
        seen = ""
        while "Press Ctrl-C" not in seen:
            line = process.stdout.readline()
            assert line, f"it ended: {seen}"
            seen += line
        (url,) = [word for word in seen.split() if word.startswith("http://")]
        assert f"/lab/workspaces/flowcourse/tree/lessons/{LESSON}/exercises.ipynb?token=" in url
        with urllib.request.urlopen(url, timeout=20) as page:
            assert page.status == 200
    finally:
        process.send_signal(2)
        assert process.wait(30) == 0
        process.stdout.close()
    time.sleep(0.1)
    assert lab.first_free_port(18888) == 18888


# ---------------------------------------------------------------------------- the sample class


@pytest.mark.timeout(300)
def test_sample_class_gets_the_marks_it_must(tiny_course):
    """What `make grade` does: twelve submissions in, a table, a gradebook and feedback out."""
    done = flowcourse("sample-class", "1", cwd=tiny_course)
    assert done.returncode == 0, done.stdout + done.stderr
    lines = [line.split() for line in done.stdout.splitlines() if line.rstrip().endswith("graded")]
    rows = {name: points for name, *points, _outcome in lines}
    assert len(rows) == 12
    assert rows["perfect"] == ["5", "5", "10"]
    assert rows["empty"] == ["0", "0", "0"]
    assert rows["syntax_error"] == rows["infinite_loop"] == ["5", "0", "5"]
    assert rows["wrong_task1_sign"] == ["0", "5", "5"]
    assert "Every submission got the marks it must." in done.stdout
    folder = tiny_course / ".build" / "grade"
    assert (folder / "gradebook.db").is_file()
    assert (folder / "grades.csv").read_text().count("perfect") == 1
    assert len(list((folder / "feedback").rglob("*.html"))) == 12


def test_sample_class_needs_answers(tiny_course):
    for path in (tiny_course / "solutions" / LESSON / "answers").glob("*.py"):
        path.write_text(path.read_text().partition("# %% wrong")[0])
    done = flowcourse("sample-class", "1", cwd=tiny_course)
    assert done.returncode == 1
    assert "5 wrong ones" in done.stderr
