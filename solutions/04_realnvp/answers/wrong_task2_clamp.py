"""
task: task2
caught_by: task2_test
says: "it is cut off, and flat"
why: "flat outside, so no gradient comes back"
"""


def bounded(raw, limit):
    return raw.clamp(-limit, limit)
