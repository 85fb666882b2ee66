"""
task: task3
caught_by: task3_test_a
says: "comes back unchanged"
why: returns x
"""


def planar_inverse(x, w, u, b):
    return x.clone(), torch.zeros_like(x[:, 0])
