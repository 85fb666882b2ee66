"""
task: task3
why: Newton's steps, replaced by bisection when they leave the bracket
"""


def planar_inverse(x, w, u, b):
    t, y = w @ u, x @ w + b
    low, high = y - t.abs(), y + t.abs()
    a = y
    for _ in range(120):
        error = a + t * torch.tanh(a) - y
        low, high = torch.where(error < 0, a, low), torch.where(error > 0, a, high)
        new = a - error / (1 + t * (1 - torch.tanh(a) ** 2))
        a = torch.where((new > low) & (new < high), new, 0.5 * (low + high))
    slope = 1 + t * (1 - torch.tanh(a) ** 2)
    return x - torch.outer(torch.tanh(a), u), -torch.log(slope)
