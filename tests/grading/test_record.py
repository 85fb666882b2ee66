"""The one record of a submission: it reads every older journal, and older versions read what it writes."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from flowlib.course.box import values
from flowlib.course.box.walls import Limits
from flowlib.course.exercises import exercise
from flowlib.course.grading import journal, run
from flowlib.course.grading.record import Outcome, Record, State, Status, Verdict, from_json, to_json
from flowlib.course.grading.workers import Job, Reply
from tests.grading.course import ALL, POINTS, make_course

OLD = Path(__file__).with_name("journal.jsonl")  # lines of the versions before there was a Record
LINES = [json.loads(line) for line in OLD.read_bytes().splitlines()]
NUMBER = (int, float)
# What those versions asked of a line, and of each test in it, before they took it for a result.
ASKED = {"student": str, "assignment": str, "fingerprint": str, "tests_hash": str, "isolated": bool}
ASKED |= {"outcome": str, "why": list, "notes": list, "tests": dict, "receipt": str, "seconds": NUMBER}
ASKED |= {"sources": dict, "unanswered": list, "comments": dict, "submitted": (*NUMBER, type(None))}
ASKED_OF_TEST = {"status": str, "score": NUMBER, "points": NUMBER, "message": str}


@pytest.fixture(scope="module")
def work(tmp_path_factory):
    root = make_course(tmp_path_factory.mktemp("record"))
    return exercise.read(root / "solutions" / "01_small" / "exercises.ipynb")


def records() -> list[Record]:
    return [from_json(Record, line) for line in LINES]


def test_an_old_journal_is_read_whole():
    read = journal.read(OLD)
    assert [(r.student, r.outcome, r.total, r.most) for r in read] == [
        ("raises_tag", State.GRADED, 0, ALL),
        ("wire_deep", State.FLAGGED, 0, ALL),
        ("Jürgen Müller", State.GRADED, ALL, ALL),
        ("list_of_cells_00", State.FAILED, 0, ALL),
        ("unlucky", State.FLAGGED, 0, ALL),
    ]
    statuses = [{test.status for test in record.tests.values()} for record in read]
    assert statuses[0] == {Status.FAILED} and statuses[2] == {Status.PASSED}
    assert statuses[3] == {Status.NOT_GRADED}
    assert read[0].origin == [] and read[2].origin == ["Ju\u0308rgen Mu\u0308ller", ""]
    assert (read[4].retry, read[4].tries, read[0].retry) == (True, 1, False)


@pytest.mark.parametrize("line", LINES, ids=lambda line: line["student"])
def test_what_is_written_again_loses_nothing_and_older_versions_read_it(line):
    new = json.loads(json.dumps(to_json(from_json(Record, line))))
    line = dict(line)
    for name, test in line.pop("tests").items():
        written = new["tests"][name]
        assert test.items() <= written.items()
        assert all(isinstance(written[part], kind) for part, kind in ASKED_OF_TEST.items())
    assert {name: new[name] for name in line} == line
    assert all(isinstance(new[part], kind) for part, kind in ASKED.items())
    assert new["outcome"] in ("graded", "failed", "flagged")


@pytest.mark.parametrize("part", [name for name in ASKED if name != "submitted"])
def test_a_line_without_one_of_its_parts_is_no_record(part):
    line = to_json(records()[0])
    assert from_json(Record, line) == records()[0]
    for damaged in ({k: v for k, v in line.items() if k != part}, line | {part: None}, line | {part: [{}]}):
        with pytest.raises(ValueError):
            from_json(Record, damaged)


@pytest.mark.parametrize(
    "damage",
    [{"status": "fine"}, {"score": "3"}, {"points": None}, {"message": 1}, {"doubts": [1]}, {"doubts": "x"}],
)
def test_a_damaged_test_is_no_outcome(damage):
    whole = to_json(Outcome(Status.PASSED, 3, 3, ""))
    assert from_json(Outcome, whole | {"of a later version": 1}).passed
    with pytest.raises(ValueError):
        from_json(Outcome, whole | damage)


def test_the_words_of_a_status_are_those_that_people_read():
    words = "passed, failed, timed out, kernel lost, missing, tampering suspected, not graded"
    assert ", ".join(Status) == words and ", ".join(State) == "graded, flagged, failed"


def test_jobs_and_replies_cross_to_another_process_whole(work):
    verdict = Verdict.untried(State.FLAGGED, work, ["first", "then"], ["a note"], "receipt")
    verdict.tests["task1_test"] = Outcome(Status.LOST, 0.0, 3, "gone", 1.5, True, ["a doubt"])
    reply = Reply(verdict, {"cells": []}, "<p>", imported=["torch"])
    job = Job(Limits(), True, "ann", "01", "{}", {"a.csv": b"\xff"}, ["n"], ["f"], "print", "key", 3)
    for sent in (reply, job, Reply(error="no", late=True)):
        wire = values.pack(to_json(sent))
        first, second = (int.from_bytes(wire[start : start + 4], "big") for start in (0, 4))
        arrived = from_json(type(sent), values.unpack(wire[8 : 8 + first], wire[8 + first :]))
        assert len(wire) == 8 + first + second and arrived == sent
    assert type(arrived) is Reply and reply.verdict.tests["task2_test"].message == "then"


def test_points_are_summed_by_task_and_in_all(work):
    record = replace(records()[2], tests=dict(records()[2].tests))
    assert {task.grade_id: record.points(task) for task in work.tasks} == POINTS
    assert all(record.comment(task) is None for task in work.tasks)
    record.tests["task3_test_b"] = Outcome(Status.TIMED_OUT, 0.0, 2, "too slow")
    task3 = work.task("task3")
    assert (record.points(task3), record.total, record.most) == (2, ALL - 2, ALL)
    assert record.comment(task3) == "task3_test_b: timed out. too slow"
    del record.tests["task1_test"]  # as if that test were newer
    whole = record.completed(work)
    assert whole.tests["task1_test"].status is Status.NOT_GRADED and whole.most == ALL
    assert "task1_test" not in record.tests


def test_changes_name_their_causes():
    old = records()[2]
    lost = old.tests | {"task4_test": Outcome(Status.FAILED, 0.0, 5, "")}
    new = replace(old, tests=lost, seed=1, tests_hash="another")
    why = "task4_test 5 -> 0: the tests changed and another seed"
    assert run.changes({"ann": old}, {"ann": new, "new": old}) == [("ann", ALL, ALL - 5, why)]
    assert run.changes({"ann": old}, {"ann": replace(old, seed=1)}) == []


def test_strangers_words_are_made_fit_for_databases_and_files():
    words = "a\x00b\ud800"
    verdict = records()[0]
    verdict.why = [words]
    verdict.tests["task1_test"] = Outcome(Status.FAILED, 0.0, 3, words)
    verdict.sources = {words: words}
    clean = run._clean(verdict)
    assert clean.why == ["a?b?"] and clean.sources == {"a?b?": "a?b?"}
    assert clean.tests["task1_test"] == Outcome(Status.FAILED, 0.0, 3, "a?b?")
    assert clean.outcome is State.GRADED
