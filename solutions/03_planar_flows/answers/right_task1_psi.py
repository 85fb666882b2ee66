"""
task: task1
why: builds psi as a matrix of rows, as in the lesson
"""


def planar_forward(z, w, u, b):
    a = (z @ w + b).unsqueeze(1)
    psi = (1 - torch.tanh(a) ** 2) * w
    return z + u * torch.tanh(a), torch.log(torch.abs(1 + psi @ u))
