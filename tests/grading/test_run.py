"""Whole runs: killed and resumed, on PostgreSQL, on a Dask cluster, graded again."""

from __future__ import annotations

import csv
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import zipfile
from pathlib import Path

import psutil
import pytest

from flowlib.course.grading import journal
from tests.grading.course import ALL, LESSON, Class, cell_of, make_course
from tests.grading.run import FAST, book, command, entries, executed, grade, points

SMALL = 24


def make_class(root: Path, count: int) -> Class:
    """A class with every kind of outcome in it, but quick to grade."""
    klass = Class(make_course(root))
    kinds = [
        {},
        {"task1": "def affine(z, a, b):\n    return z, z"},
        {"task2": "def normal_log_prob(z:"},
        {"task4": r"def Fit(steps): raise ValueError('\x00 \ud800')"},
        {"task3": "import os\ndef log_prob(x, a, b):\n    os._exit(0)"},
        {"task5": ""},
    ]
    for number in range(count):
        student = f"student{number:04}"
        if number % 11 == 7:
            klass.hand_in(student, b"{ broken")
        else:
            klass.hand_in(student, klass.right_notebook(**kinds[number % len(kinds)]))
    return klass


@pytest.fixture(scope="module")
def klass(tmp_path_factory):
    """The small class, graded once without disturbance."""
    klass = make_class(tmp_path_factory.mktemp("class"), SMALL)
    klass.run = grade(klass, *FAST)
    assert klass.run.returncode == 0, klass.run.stderr[-3000:]
    return klass


def children_of(pid: int) -> list[psutil.Process]:
    return psutil.Process(pid).children(recursive=True)


def lives(process: psutil.Process) -> bool:
    """It runs; a zombie that nobody has buried does not."""
    try:
        return process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def kill_and_resume(klass: Class, out: str, kills: int, seed: int, *options: str) -> int:
    """Grade with `kills` kills -9 of the grader at random instants; how many times it was really killed."""
    rng = random.Random(seed)
    total = len(list(klass.submitted.iterdir()))
    log = klass.root / out / "journal" / f"{LESSON}.jsonl"
    killed = 0
    for kill in range(kills):
        process = subprocess.Popen(
            command(klass, *FAST, *options, out=out),
            cwd=klass.root,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        # Wait until this run has written a few entries, then a random instant more.
        goal = (kill + 1) * total // (kills + 2)
        while process.poll() is None and (not log.exists() or len(log.read_bytes().splitlines()) < goal):
            time.sleep(0.02)
        time.sleep(rng.random() * 0.5)
        family = children_of(process.pid) if process.poll() is None else []
        killed += process.poll() is None
        process.send_signal(signal.SIGKILL)
        process.wait()
        end = time.monotonic() + 60
        while (alive := [p for p in family if lives(p)]) and time.monotonic() < end:
            time.sleep(0.1)
        assert not alive, f"these outlived the grader: {alive}"
    run = grade(klass, *FAST, *options, out=out)
    assert run.returncode == 0, run.stderr[-3000:]
    assert f"{total} submissions have an outcome" in run.stdout
    return killed


def test_killed_at_random_instants_it_ends_with_the_same_gradebook(klass):
    assert kill_and_resume(klass, "killed", 3, seed=1) == 3
    assert book(klass, "killed") == book(klass)
    ran = journal.read(klass.root / "killed" / "journal" / f"{LESSON}.jsonl")
    assert len(ran) == len({record.student for record in ran}) == SMALL, "nobody was graded twice"
    assert len({record.key for record in ran}) == 1, "all were tried on the same numbers"
    assert ran[0].key != entries(klass)["student0000"]["key"], "each class has a key of its own"


def test_a_torn_line_in_the_journal_counts_as_not_written(klass):
    shutil.copytree(klass.root / "out", klass.root / "torn")
    log = klass.root / "torn" / "journal" / f"{LESSON}.jsonl"
    log.write_bytes(log.read_bytes()[:-100])
    (klass.root / "torn" / "gradebook.db").unlink()
    run = grade(klass, *FAST, out="torn")
    assert run.returncode == 0 and "1 graded now" in run.stdout
    assert book(klass, "torn") == book(klass)


def test_nothing_is_graded_twice_unless_it_changed(klass):
    shutil.copytree(klass.root / "out", klass.root / "again")
    run = grade(klass, *FAST, out="again")
    assert run.returncode == 0 and "0 graded now" in run.stdout
    path = klass.folder("student0001") / "exercises.ipynb"
    old = path.read_bytes()
    klass.hand_in("student0001", klass.right_notebook())
    run = grade(klass, *FAST, out="again")
    path.write_bytes(old)
    assert "1 graded now" in run.stdout
    assert points(entries(klass, "again")["student0001"]) == ALL


def test_marks_of_a_person_stay(klass):
    """A written answer marked in formgrader keeps its points when the class is graded again."""
    from nbgrader.api import Gradebook

    shutil.copytree(klass.root / "out", klass.root / "person")
    url = f"sqlite:///{klass.root / 'person' / 'gradebook.db'}"
    with Gradebook(url) as gradebook:
        grade_of = gradebook.find_grade("task5", "exercises", LESSON, "student0000")
        assert grade_of.needs_manual_grade and grade_of.auto_score is None
        grade_of.manual_score, grade_of.needs_manual_grade = 2.0, False
        gradebook.db.commit()
        blank = gradebook.find_grade("task5", "exercises", LESSON, "student0005")
        assert blank.auto_score == 0 and not blank.needs_manual_grade
    run = grade(klass, *FAST, out="person", word="regrade")
    assert run.returncode == 0, run.stderr[-2000:]
    assert "Nobody's points changed" in run.stdout
    log = journal.read(klass.root / "person" / "journal" / f"{LESSON}.jsonl")
    assert len(log) == 2 * SMALL and len({record.key for record in log}) == 1, "graded again on other numbers"
    with Gradebook(url) as gradebook:
        grade_of = gradebook.find_grade("task5", "exercises", LESSON, "student0000")
        assert grade_of.manual_score == 2.0 and not grade_of.needs_manual_grade
        assert gradebook.find_submission(LESSON, "student0000").score == ALL + 2
    with open(klass.root / "person" / "grades.csv") as file:
        rows = {row["student_id"]: row for row in csv.DictReader(file)}
    assert float(rows["student0000"]["score"]) == ALL + 2


def test_regrade_says_who_changed_by_how_much_and_why(klass, tmp_path):
    other = Class(make_course(tmp_path))
    other.hand_in(
        "lucky", other.right_notebook(task2="def normal_log_prob(z):\n    return -0.5 * z**2 - 0.918938")
    )
    other.hand_in("right", other.right_notebook())
    assert grade(other, *FAST).returncode == 0
    text = other.solution.read_text()
    assert "log N(0) is -0.919" in text
    other.solution.write_text(
        text.replace("assert out.dtype", "assert len(hidden_points) > 5\\nassert out.dtype")
    )
    with_change = grade(other, *FAST, word="regrade")
    assert with_change.returncode == 0, with_change.stderr[-2000:]
    assert "right: 16 -> 12 (-4). task2_test 4 -> 0: the tests changed" in with_change.stdout


def test_tables_for_nbgrader_canvas_and_moodle(klass):
    def rows(name):
        with open(klass.root / "out" / name, newline="") as file:
            return list(csv.DictReader(file))

    ours = rows("grades.csv")
    assert len(ours) == SMALL and {"student_id", "score", "max_score", "raw_score"} <= ours[0].keys()
    assert {row["max_score"] for row in ours} == {str(float(ALL + 2))}
    assert rows(f"{LESSON}/grades.csv") == ours
    canvas = rows(f"{LESSON}/grades_canvas.csv")
    assert canvas[0]["Student"] == "Points Possible" and canvas[0][LESSON] == str(ALL + 2)
    assert len(canvas) == SMALL + 1 and canvas[1]["SIS Login ID"] == "student0000"
    assert len(rows(f"{LESSON}/grades_moodle.csv")) == SMALL
    report = (klass.root / "out" / LESSON / "report.html").read_text()
    for words in ("Commonest mistakes", "SyntaxError", "Needs a person", "it is no JSON"):
        assert words in report


def test_nbgrader_goes_on_from_the_gradebook(klass, tmp_path):
    """nbgrader's own export, feedback and formgrader work on what was written, and show no hidden test."""
    from nbgrader.apps import NbGraderAPI
    from traitlets.config import PyFileConfigLoader

    out = klass.root / "out"
    environment = os.environ | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    options = [f"--CourseDirectory.root={out}", "--course=flows", f"--db=sqlite:///{out / 'gradebook.db'}"]

    def nbgrader(*words: str) -> None:
        args = [sys.executable, "-m", "nbgrader", *words, *options]
        done = subprocess.run(args, capture_output=True, text=True, env=environment, cwd=tmp_path)
        assert done.returncode == 0, done.stderr[-3000:]

    folder = "--CourseDirectory.feedback_directory=theirs"
    nbgrader("generate_feedback", LESSON, "--student=student0001", folder)
    page = (out / "theirs" / "student0001" / LESSON / "exercises.html").read_text()
    assert "secret_slope" not in page and "x should be a z + b" in page
    nbgrader("export", f"--to={tmp_path / 'x.csv'}")
    config = PyFileConfigLoader("nbgrader_config.py", path=str(klass.root)).load_config()
    config.CourseDirectory.root, config.CourseDirectory.db_url = str(out), f"sqlite:///{out / 'gradebook.db'}"
    config.CourseDirectory.autograded_directory = "autograded"
    (theirs,) = [
        s for s in NbGraderAPI(config=config).get_submissions(LESSON) if s["student"] == "student0000"
    ]
    assert theirs["autograded"] and theirs["score"] == ALL and theirs["needs_manual_grade"]
    assert len((tmp_path / "x.csv").read_text().splitlines()) == SMALL + 1


def test_a_zip_file_of_canvas(klass, tmp_path):
    other = Class(make_course(tmp_path))
    right = (klass.folder("student0000") / "exercises.ipynb").read_bytes()
    with zipfile.ZipFile(tmp_path / "canvas.zip", "w") as archive:
        archive.writestr("curiemarie_12345_67890_exercises.ipynb", right)
        archive.writestr("noetheremmy_LATE_12346_67891_exercises-1.ipynb", right)
        link = zipfile.ZipInfo("evil_1_2_exercises.ipynb")
        link.external_attr = 0o120777 << 16
        archive.writestr(link, "/etc/passwd")
        archive.writestr("../../escape_1_2_exercises.ipynb", right)
        archive.writestr(".._1_2_exercises.ipynb", right)
    other.submitted = tmp_path / "canvas.zip"
    run = grade(other, *FAST, out="canvas")
    assert run.returncode == 0, run.stderr[-2000:]
    done = entries(other, "canvas")
    assert {name: points(entry) for name, entry in done.items()} == {
        "curiemarie": 16,
        "noetheremmy": 16,
        "evil": 0,
        "escape": 0,
        "_": 16,
    }
    assert done["evil"]["outcome"] == "failed" and "link" in done["evil"]["why"][0]
    assert done["escape"]["outcome"] == "failed" and "leads elsewhere" in done["escape"]["why"][0]


@pytest.mark.parametrize(
    ("files", "students"),
    [
        (
            [
                "Wei Zhang_111_assignsubmission_file_/exercises.ipynb",
                "Wei Zhang_222_assignsubmission_file_/exercises.ipynb",
                "Wei Zhang_222_assignsubmission_file_/data/x.csv",
                "Ada Lovelace_333_assignsubmission_file_/exercises.ipynb",
            ],
            {"Wei Zhang 111": 1, "Wei Zhang 222": 2, "Ada Lovelace": 1},
        ),
        (
            [f"Participant_{n}_assignsubmission_file_/exercises.ipynb" for n in (7, 8)],
            {"Participant 7": 1, "Participant 8": 1},
        ),
        (
            [
                "zhangwei_111_9_exercises.ipynb",
                "zhangwei_LATE_222_8_exercises-1.ipynb",
                "zhangwei_222_7_x.csv",
            ],
            {"zhangwei 111": 1, "zhangwei 222": 2},
        ),
        (["jane_doe/exercises.ipynb", "jane_smith/exercises.ipynb"], {"jane_doe": 1, "jane_smith": 1}),
        (["a?/exercises.ipynb", "a!/exercises.ipynb"], {"a_ 242ed5": 1, "a_ 5289f1": 1}),
        (
            ["ann/01_small/exercises.ipynb", "ann/01_small/x_1_2_y.csv", "bob/01_small/exercises.ipynb"],
            {"ann": 2, "bob": 1},
        ),
        (
            [
                "submitted/.DS_Store",
                "submitted/ann/01_small/exercises.ipynb",
                "submitted/bob/01_small/exercises.ipynb",
            ],
            {"ann": 1, "bob": 1},
        ),
    ],
)
def test_everybody_in_a_zip_is_kept_apart(tmp_path, files, students):
    from flowlib.course.grading.intake import read_class

    with zipfile.ZipFile(tmp_path / "class.zip", "w") as archive:
        for name in files:
            archive.writestr(name, name)
    found = {name: read().files for name, read in read_class(tmp_path / "class.zip", "01_small").items()}
    assert {name: len(held) for name, held in found.items()} == students
    assert all("exercises.ipynb" in held for held in found.values())
    assert sorted(content.decode() for held in found.values() for content in held.values()) == sorted(
        name for name in files if ".DS_Store" not in name
    )


def test_strangers_names_become_harmless():
    from flowlib.course.grading.names import student_name

    for name in ("..", ".hidden", "a/../b", "x\ny", "\udcff", "=1+1", "<script>", "a\x00b", "", "n" * 300):
        safe = student_name(name)
        assert Path(safe).name == safe and not safe.startswith(".") and 0 < len(safe.encode()) < 255
        assert not set(safe) & set("<>=/\\\n\0")
    assert student_name("Zoë O'Brien (2)") == "Zoë O'Brien (2)"


def test_similar_submissions_are_listed_and_given_code_is_not(klass, tmp_path):
    from flowlib.course.exercises import exercise
    from flowlib.course.grading.similarity import compare

    work = exercise.read(klass.solution)
    own = "\n".join(f"    value_{i} = z * {i} + torch.sin(z) ** {i} - helper_{i % 7}(z)" for i in range(20))
    renamed = own.replace("value", "v").replace("torch.sin(z)", "torch.sin( z )") + "\n    # my own work"
    sources = {
        "original": {"task1": f"def affine(z, a, b):\n{own}"},
        "copy": {"task1": f"def affine(z, a, b):\n{renamed}"},
        "other": {
            "task1": "def affine(z, a, b):\n"
            + "\n".join(f"    if a > {i}: b = max(a, b, {i})" for i in range(20))
        },
        **{
            f"blank{i}": {
                t.grade_id: exercise.without_region(t.source, exercise.SOLUTION) for t in work.tasks
            }
            for i in range(4)
        },
        "broken": {"task1": "def affine(z:\n  ((("},
    }
    (pair,) = compare(sources, work)
    assert (pair.one, pair.other, set(pair.tasks)) == ("copy", "original", {"task1", "all tasks together"})
    ways = {name: "\n".join(f"    {name}_{i} = {f} + {i}" for i in range(20)) for name, f in
            {"one": "z * z", "two": "torch.exp(-z)", "six": "max(z, 1) if z else b[0]"}.items()}  # fmt: skip
    for student, lines in ways.items():
        sources[student] = {"task1": f"def affine(z, a, b):\n{own}" if student != "six" else "x = 1"}
        sources[student] |= {task: f"def f(z, b):\n{lines}\n    {student} = 1" for task in ("task2", "task4")}
    alike = {(p.one, p.other): set(p.tasks) for p in compare(sources, work)}
    assert alike["one", "two"] == {"task1"}, "one copied task is enough"
    assert not any("six" in pair for pair in alike)


# ---------------------------------------------------------------------------- elsewhere


@pytest.fixture(scope="module")
def postgres():
    """A PostgreSQL server of this machine's own package, on a socket in a folder of ours."""
    programs = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    if not programs:
        pytest.skip("PostgreSQL is not installed: apt install postgresql")
    binaries = programs[-1].parent
    as_user: list[str] = []
    with tempfile.TemporaryDirectory() as folder:
        if os.geteuid() == 0:  # PostgreSQL refuses to run as root
            as_user = ["setpriv", "--reuid", "postgres", "--regid", "postgres", "--clear-groups"]
            shutil.chown(folder, "postgres", "postgres")
        data = Path(folder) / "data"

        def do(*words) -> None:
            subprocess.run([*as_user, *words], check=True, stdout=subprocess.DEVNULL, cwd="/")

        do(binaries / "initdb", "-D", data, "-A", "trust", "-U", "grader", "--no-sync")
        settings = f"-k {folder} -c listen_addresses='' -c fsync=off"
        server = [binaries / "pg_ctl", "-D", data, "-w"]
        do(*server, "-l", f"{folder}/log", "-o", settings, "start")
        try:
            do(binaries / "createdb", "-h", folder, "-U", "grader", "grades")
            yield f"postgresql+psycopg2://grader@/grades?host={folder}"
        finally:
            do(*server, "-m", "immediate", "stop")


def test_postgresql_gives_the_same_grades_even_when_killed(klass, postgres):
    assert kill_and_resume(klass, "postgres", 1, 2, "--db", postgres) == 1
    assert book(klass, url=postgres) == book(klass)
    assert not (klass.root / "postgres" / "gradebook.db").exists()


@pytest.mark.filterwarnings("ignore:unclosed file:ResourceWarning")  # the pipe of the worker that was killed
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_cluster_that_loses_a_worker_gives_the_same_grades(klass):
    pytest.importorskip("distributed")
    dask = [sys.executable, "-m", "distributed.cli.dask_scheduler"]
    say = dict(stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    scheduler = subprocess.Popen([*dask, "--host", "127.0.0.1", "--port", "0", "--no-dashboard"], **say)
    address = next(line.split()[-1] for line in scheduler.stderr if "Scheduler at" in line)
    worker = [sys.executable, "-m", "distributed.cli.dask_worker", address]
    worker += ["--nthreads", "1", "--no-dashboard", "--no-nanny"]
    silent = dict(stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=klass.root)
    workers = [subprocess.Popen(worker, **silent) for _ in range(3)]
    try:
        wait = f"from distributed import Client; Client({address!r}).wait_for_workers(3, 300)"
        subprocess.run([sys.executable, "-c", wait], check=True, **silent)
        run = subprocess.Popen(command(klass, *FAST, "--cluster", address, out="dask"), cwd=klass.root, **say)
        log = klass.root / "dask" / "journal" / f"{LESSON}.jsonl"
        while run.poll() is None and (not log.exists() or len(log.read_bytes().splitlines()) < SMALL // 4):
            time.sleep(0.05)
        assert run.poll() is None, run.stderr.read()[-3000:]
        workers[0].kill()
        _, words = run.communicate(timeout=600)
        assert run.returncode == 0, words[-3000:]
    finally:
        for process in [*workers, scheduler]:
            process.kill()
            process.wait()
        scheduler.stderr.close()
    assert book(klass, "dask") == book(klass)
    assert all(executed(klass, student, "dask") for student in ("student0000", "student0003"))


# ---------------------------------------------------------------------------- wrong use


def test_without_a_sandbox_it_refuses_or_warns(klass, tmp_path):
    other = Class(make_course(tmp_path))
    other.hand_in("one", other.right_notebook())
    # A PATH without bubblewrap is a machine without it.
    programs = tmp_path / "bin"
    programs.mkdir()
    nobwrap = os.environ | {"PATH": str(programs)}
    refused = subprocess.run(
        command(other, *FAST), cwd=other.root, env=nobwrap, capture_output=True, text=True
    )
    assert refused.returncode == 1
    assert "apt install bubblewrap" in refused.stderr and "--no-sandbox" in refused.stderr
    assert not (other.root / "out" / "gradebook.db").exists()
    open_run = subprocess.run(
        command(other, *FAST, "--no-sandbox"), cwd=other.root, env=nobwrap, capture_output=True, text=True
    )
    assert open_run.returncode == 0, open_run.stderr[-2000:]
    assert points(entries(other)["one"]) == ALL
    assert "without a sandbox" in open_run.stdout
    for page in (other.root / "out").rglob("*.html"):
        assert "without a sandbox" in page.read_text(), page


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--submitted", "nowhere"], "is no folder of submissions"),
        (["--submitted", "solutions"], "holds no submission"),
        (["--db", "postgresql+psycopg2://me:secret@localhost:1/x"], "cannot be opened"),
        (["--db", "nonsense"], "cannot be opened"),
        (["--cluster", "tcp://127.0.0.1:9"], "No Dask scheduler"),
    ],
)
def test_wrong_use_is_explained(klass, options, says):
    run = grade(klass, *FAST, *options, out="wrong")
    assert run.returncode == 1
    words = " ".join(run.stderr.split())
    assert says in words and "Traceback" not in words and "secret" not in words


def test_check_gives_a_receipt_or_says_what_is_wrong(klass):
    def check(path):
        return subprocess.run(
            [sys.executable, "-m", "flowlib.course.cli", "check", str(path), "--lesson", "1"],
            cwd=klass.root, capture_output=True, text=True,
        )  # fmt: skip

    good = check(klass.folder("student0000") / "exercises.ipynb")
    assert good.returncode == 0 and "It can be graded. Receipt: " in good.stdout
    assert entries(klass)["student0000"]["receipt"] in good.stdout
    bad = check(klass.folder("student0007") / "exercises.ipynb")
    assert bad.returncode == 1 and "no JSON" in bad.stderr
    notebook = klass.notebook(task1=klass.right["task1"])
    notebook["cells"].remove(cell_of(notebook, "task2"))
    klass.root.joinpath("mine.ipynb").write_text(json.dumps(notebook))
    half = check(klass.root / "mine.ipynb")
    assert half.returncode == 0
    for line in ("task1: there", "task2: missing", "task3: not done yet", "Rename it"):
        assert line in half.stdout
    assert "It can be graded, but this is not done: task2, task3, task4. Receipt: " in half.stdout


@pytest.mark.parametrize(
    ("written", "blank"),
    [
        ("*Write your answer here.*", True),
        (" ", True),
        ("*Write your answer here.*\nThe area stays one.", False),
    ],
)
def test_check_names_a_written_answer_that_is_not_there(klass, written, blank):
    """All code done: the cell for words as released, emptied, filled."""
    notebook = klass.notebook(**klass.right, task5=written)
    klass.root.joinpath("exercises.ipynb").write_text(json.dumps(notebook))
    words = [sys.executable, "-m", "flowlib.course.cli", "check", "exercises.ipynb", "--lesson", "1"]
    done = subprocess.run(words, cwd=klass.root, capture_output=True, text=True)
    assert done.returncode == 0
    assert ("task5: nothing in its cell yet\n" if blank else "task5: there\n") in done.stdout
    assert f"It can be graded{', but this is not done: task5' * blank}. Receipt: " in done.stdout


def test_check_asks_for_the_lesson_and_refuses_another_notebook(klass):
    def check(*words):
        return subprocess.run(
            [sys.executable, "-m", "flowlib.course.cli", "check", *words],
            cwd=klass.root, capture_output=True, text=True,
        )  # fmt: skip

    downloads = klass.root / "Downloads"
    downloads.mkdir()
    mine = downloads / "exercises (1).ipynb"
    mine.write_bytes((klass.folder("student0000") / "exercises.ipynb").read_bytes())
    unsure = check("Downloads/exercises (1).ipynb")
    assert unsure.returncode == 1 and "'Downloads' does not say which lesson" in unsure.stderr
    assert '--lesson 3 "Downloads/exercises (1).ipynb"' in unsure.stderr
    assert check("--lesson", "1", str(mine)).returncode == 0
    unknown = check("--lesson", "9", str(mine))
    assert unknown.returncode == 1 and "There is no lesson '09'" in unknown.stderr
    other = klass.notebook()
    other["cells"] = [cell for cell in other["cells"] if "nbgrader" not in cell["metadata"]]
    (downloads / "lesson.ipynb").write_text(json.dumps(other))
    wrong = check("--lesson", "1", "Downloads/lesson.ipynb")
    assert wrong.returncode == 1 and "can be graded" not in wrong.stdout
    assert "is not the exercises of 01_small: it lacks task1, task2" in wrong.stderr
