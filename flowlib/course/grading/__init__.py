"""Grading the exercises of strangers.

layouts     tells how a class arrives: nbgrader's folders, an LMS's files; names keeps students apart
archives    reads zips; intake puts these together
preflight   reads what was handed in, safely and forgivingly
trial       asks whether a notebook can run here at all
trusted     runs a test cell against stand-ins; judge runs a whole submission; written finds written answers
rehearsal   the judge without walls, for one answer of our own
worker      a process that judges one submission after another; workers runs many
journal, gradebook, run                a class in, a gradebook out; marks, private, scratch serve them
feedback, report, similarity           what students and instructors read; clean makes it harmless
erase       forgets one student
commands    flowcourse grade, regrade, feedback, formgrader, erase, check
"""
