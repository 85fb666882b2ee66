"""
task: task1
caught_by: task1_test_a
says: "uses torch.linalg.svdvals"
why: builds the full matrix and multiplies its singular values
"""


def planar_forward(z, w, u, b):
    h = torch.tanh(z @ w + b)
    J = torch.eye(z.shape[1], dtype=z.dtype) + u[:, None] * ((1 - h**2)[:, None] * w)[:, None, :]
    return z + h[:, None] * u, torch.linalg.svdvals(J).log().sum(1)
