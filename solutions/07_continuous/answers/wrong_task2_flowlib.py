"""
task: task2
caught_by: task2_test_a
says: "jacobian_trace"
why: "flowlib's own function"
"""

from flowlib.continuous import jacobian_trace


def exact_trace(t, z, weights):
    return jacobian_trace(lambda t, p, context: velocity(t, p, weights), t, z, None, None)[1]


def hutchinson(t, z, weights, noise):
    return torch.stack(
        [jacobian_trace(lambda t, p, context: velocity(t, p, weights), t, z, None, e)[1] for e in noise]
    ).mean(0)
