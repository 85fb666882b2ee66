"""
task: task2
caught_by: task2_test
says: "is flat"
why: "flat outside, so no gradient comes back"
"""


def bounded(raw, limit):
    return raw.clamp(-limit, limit)
