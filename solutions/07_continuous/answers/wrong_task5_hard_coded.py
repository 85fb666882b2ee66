"""
task: task5
caught_by: task5_test_a
says: "A is not used"
why: "the example"
"""


def trace_variance(A, noise):
    return 4.0 if noise == "rademacher" else 24.0


def probes_needed(A, noise, error):
    return 45 if noise == "rademacher" else 267
