"""Where stock nbgrader, run in this folder, finds the course.

    nbgrader generate_assignment 01_change_of_variables
    nbgrader autograde 01_change_of_variables

What it releases goes to .build, because it wipes its target; `flowcourse release` brings lessons/
in step. What is handed in, marked and given back lies in .results, the gradebook too. To grade work
of people you do not know, use `flowcourse grade`: stock nbgrader runs their code with all your rights.
"""

import os
from pathlib import Path

from nbconvert.preprocessors import CSSHTMLHeaderPreprocessor
from nbgrader.preprocessors import (
    CheckCellMetadata,
    ClearHiddenTests,
    ClearMarkScheme,
    ClearOutput,
    ComputeChecksums,
    GetGrades,
    IncludeHeaderFooter,
    InstantiateTests,
    LockCells,
    SaveCells,
)

from flowlib.course.exercises.release import NamedStubs
from flowlib.course.folders import RESULTS
from flowlib.course.grading import private

c = get_config()  # noqa: F821

root = Path(__file__).resolve().parent
# `flowcourse formgrader` names other results where they are kept elsewhere.
results = Path(os.environ.get("FLOWCOURSE_RESULTS", root / RESULTS))
(root / ".build").mkdir(exist_ok=True)
private.folder(results)
c.CourseDirectory.root = str(root)
c.CourseDirectory.course_id = "flows"
c.CourseDirectory.source_directory = "solutions"
c.CourseDirectory.release_directory = ".build/release"
c.CourseDirectory.submitted_directory = str(results / "submitted")
c.CourseDirectory.autograded_directory = str(results / "autograded")
c.CourseDirectory.feedback_directory = str(results / "feedback")
c.CourseDirectory.db_url = os.environ.get("FLOWCOURSE_DB", f"sqlite:///{results / 'gradebook.db'}")
c.CourseDirectory.ignore = [".ipynb_checkpoints", "*.pyc", "__pycache__", "answers", "*.py"]

# An undone task says which one it is: NotImplementedError("Task 1: write normal_log_prob").
c.GenerateAssignment.preprocessors = [
    IncludeHeaderFooter,
    InstantiateTests,
    LockCells,
    NamedStubs,
    ClearOutput,
    CheckCellMetadata,
    ComputeChecksums,
    SaveCells,
    ClearHiddenTests,
    ClearMarkScheme,
    ComputeChecksums,
    CheckCellMetadata,
]
c.ClearSolutions.text_stub = "*Write your answer here.*"
# Marking guides stand in the cells of written answers.
c.ClearMarkScheme.enforce_metadata = False

# A kernel is stopped at once: a graceful stop costs half a second and sometimes hangs.
c.Execute.timeout = 30
c.Execute.shutdown_kernel = "immediate"
# A test cell that a student deleted comes back, and is graded.
c.OverwriteCells.add_missing_cells = True
# Feedback shows the visible tests only.
c.GenerateFeedback.preprocessors = [GetGrades, CSSHTMLHeaderPreprocessor, ClearHiddenTests]
