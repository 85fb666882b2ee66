"""
task: task1
caught_by: task1_test_a
says: "uses torch.linalg.slogdet"
why: builds the full matrix and takes its determinant
"""


def planar_forward(z, w, u, b):
    h = torch.tanh(z @ w + b)
    J = torch.eye(z.shape[1]) + u[:, None] * ((1 - h**2)[:, None] * w)[:, None, :]
    return z + u * h[:, None], torch.linalg.slogdet(J)[1]
