"""
task: task1
caught_by: task1_test_a
says: uses torch.linalg.slogdet
why: binds the name of a helper that builds the full matrix
"""


def _planar(z, w, u, b):
    h = torch.tanh(z @ w + b)
    J = torch.eye(len(w), dtype=z.dtype) + u[:, None] * ((1 - h**2)[:, None] * w)[:, None, :]
    return z + u * h[:, None], torch.linalg.slogdet(J)[1]


planar_forward = _planar
