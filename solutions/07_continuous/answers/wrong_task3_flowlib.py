"""
task: task3
caught_by: task3_test_a
says: "by_flowlib"
why: "flowlib's solver"
"""


def carry(z, k, steps, from_time, to_time):
    return by_flowlib(z, k, steps, from_time, to_time)
