"""The site's first page: what lessons say of themselves, and how a notebook opens where it can be run."""

from __future__ import annotations

import json
import re
import shutil

import pytest

from flowlib.course import lab
from flowlib.course.folders import CourseError, lesson_names
from flowlib.course.pages import front, hosted, site
from flowlib.course.pages.facts import Facts, facts_of, points_of
from flowlib.course.pages.web import read_notebook
from tests.conftest import HOUSE

LESSONS = [name for name in lesson_names(HOUSE) if (HOUSE / "lessons" / name / "lesson.ipynb").is_file()]


def cells_of(lesson: str, kind: str) -> list[dict]:
    return read_notebook(HOUSE / "lessons" / lesson / f"{kind}.ipynb")["cells"]


@pytest.mark.parametrize("lesson", LESSONS)
def test_every_lesson_says_what_its_card_needs(lesson):
    facts = facts_of(cells_of(lesson, "lesson"), cells_of(lesson, "demo"))
    assert facts.title.startswith(f"Lesson {int(lesson[:2])} · ")
    assert "?" in facts.question and not facts.question.endswith("\n")
    assert 60 <= facts.minutes <= 150 and 0 <= facts.more_minutes <= 60
    assert len(facts.promises) >= 3
    assert facts.picture and (HOUSE / "assets" / "figures" / facts.picture.file).is_file()
    assert len(facts.picture.alt) > 40
    assert points_of(read_notebook(HOUSE / "lessons" / lesson / "exercises.ipynb")) >= 20
    end = "\n".join("".join(cell["source"]) for cell in cells_of(lesson, "lesson")[-3:])
    items = re.findall(
        r"^(?:-|\d+\.) ", re.split(r"\n#|\n\*\*", end.split("### Further reading")[1])[0], re.M
    )
    assert len(facts.readings) == len(items) >= 4
    for item, sources in facts.readings:
        assert len(sources) == len(re.findall(r"\[\d+\](?!\()", item)), f"a source is not listed: {item}"


def test_what_a_lesson_does_not_say_is_empty():
    cell = {"cell_type": "markdown", "metadata": {}, "source": "# Tiny"}
    assert facts_of([cell]) == Facts("Tiny", "", 0, 0, [], None, [])


def test_a_reading_brings_the_source_that_it_cites():
    words = "# T\n\n### Further reading\n\n- A [2], page 3: why.\n- B, see [(1.2)](#eq): how.\n\n"
    words += "**The way on.** C\n\n### References\n1. Wrong.\n2. Right."
    cell = {"cell_type": "markdown", "metadata": {}, "source": words}
    assert facts_of([cell]).readings == [
        ("A [2], page 3: why.", ["[2] Right."]),
        ("B, see [(1.2)](#eq): how.", []),
    ]
    page = front.readings({"01_t": facts_of([cell])})
    assert "- A [2], page 3: why.\n\n  [2] Right.\n" in page and "way on" not in page


def test_the_first_sentence_of_each_paper_stands_on_the_first_page():
    for file in site.PAPERS.values():
        title, sentence = front.paper(HOUSE / file)
        assert title and 20 < len(sentence) < 120 and sentence.endswith("."), sentence


def test_exercises_that_somebody_typed_into_are_not_shown(tmp_path, monkeypatch):
    folder = tmp_path / "lessons" / LESSONS[0]
    folder.mkdir(parents=True)
    notebook = read_notebook(HOUSE / "lessons" / LESSONS[0] / "exercises.ipynb")
    notebook["cells"][-1]["source"] = "my answer"
    for kind in ("lesson", "exercises"):
        (folder / f"{kind}.ipynb").write_text(json.dumps(notebook), encoding="utf-8")
    (tmp_path / "solutions").mkdir()
    shutil.copytree(HOUSE / "assets" / "web", tmp_path / "assets" / "web")
    (tmp_path / "assets" / "figures").mkdir()
    with pytest.raises(CourseError, match=r"somebody typed.*release 01 --force"):
        site.make_site(tmp_path)


# ---------------------------------------------------------------------------- where a notebook can be run


def said(path: str) -> str:
    first = {"cell_type": "markdown", "source": "# Title\n\nWords."}
    front.add_run_it(first, path)
    return first["source"]


def test_jupyterlab_is_linked_at_the_address_at_which_the_course_opens_it():
    words = said("lessons/03_planar_flows/exercises.ipynb")
    assert words.startswith("# Title\n") and words.endswith("Words.")
    address = f"http://localhost:{lab.PORT}/{lab.address('lessons/03_planar_flows/exercises.ipynb')}"
    assert f"]({address})" in words and "flowcourse lab 03" in words


def test_no_machine_of_others_is_named_while_no_repository_is():
    assert hosted.REPOSITORY is None and hosted.github() is None and hosted.colab("a") is None
    assert "Colab" not in said("lessons/03_planar_flows/lesson.ipynb")


def test_addresses_in_colab(monkeypatch):
    monkeypatch.setattr(hosted, "REPOSITORY", "some-body/flows.students")
    path = "lessons/03_planar_flows/lesson.ipynb"
    address = f"https://colab.research.google.com/github/some-body/flows.students/blob/main/{path}"
    assert hosted.colab(path) == address
    words = said(path)
    assert f"]({address})" in words
    assert "git clone --depth 1 https://github.com/some-body/flows.students flows\n" in words
    for wrong in ("flows", "https://github.com/a/b", "a/b/c", "a b/c", "a/"):
        monkeypatch.setattr(hosted, "REPOSITORY", wrong)
        with pytest.raises(CourseError, match="owner/name"):
            hosted.colab(path)


def test_the_container_has_the_form_that_its_specification_asks_for():
    """The properties that we use, as devContainer.base.schema.json of containers.dev describes them."""
    setup = json.loads((HOUSE / ".devcontainer" / "devcontainer.json").read_text(encoding="utf-8"))
    assert set(setup) == {
        "name", "image", "containerEnv", "postCreateCommand", "forwardPorts", "portsAttributes",
        "hostRequirements", "customizations",
    }  # fmt: skip
    python = re.fullmatch(r"mcr\.microsoft\.com/devcontainers/python:(3\.\d+)-\w+", setup["image"])
    assert python and tuple(map(int, python.group(1).split("."))) >= (3, 11)
    assert all(isinstance(value, str) for value in setup["containerEnv"].values())
    assert setup["forwardPorts"] == [lab.PORT] and set(setup["portsAttributes"]) == {str(lab.PORT)}
    assert setup["portsAttributes"][str(lab.PORT)]["onAutoForward"] in ("notify", "openBrowser", "silent")
    host = setup["hostRequirements"]
    assert isinstance(host["cpus"], int) and host["cpus"] >= 1
    assert all(re.fullmatch(r"\d+([tgmk]b)?", host[size]) for size in ("memory", "storage"))
    for name in setup["customizations"]["vscode"]["extensions"]:
        assert re.fullmatch(r"[\w-]+\.[\w-]+", name)
    target = setup["postCreateCommand"].removeprefix("make ")
    students = re.sub(
        r"# instructors\b.*?end instructors\n", "", (HOUSE / "Makefile").read_text(), flags=re.DOTALL
    )
    assert re.search(rf"^{target}:", students, re.MULTILINE), "students have no such target"
