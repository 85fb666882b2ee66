"""
task: task4
why: searches at random for a witness
"""


def outcomes():
    answers = {(1, 2): "right", (2, 2): "wrong", (5, 2): "error", (5, 1): "wrong", (4, 4): "wrong"}
    return [*answers.values(), "right"]


def witness():
    generator = torch.Generator().manual_seed(0)
    for _ in range(100_000):
        w, u = 2 * torch.randn(2, 2, generator=generator)
        t = w @ u
        if t + (F.softplus(t) - 1 - t) * w.norm() < -1.2:
            return w, u
