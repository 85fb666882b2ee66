"""
task: task5
caught_by: task5_test_b
says: "can the layers fold"
why: layers without a constraint, whose likelihood counts some mass many times
"""


def sine_entropy(noise, width):
    return math.log(2 * width) + 0.5 * math.log(2 * math.pi * math.e * noise**2)


def fitted_log_prob(train, queries):
    torch.manual_seed(0)
    w, u, b = (torch.randn(8, *shape).requires_grad_() for shape in ((2,), (2,), ()))

    def log_prob(x):
        total = 0.0
        for k in range(8):
            h = torch.tanh(x @ w[k] + b[k])
            total = total + torch.log((1 + (1 - h**2) * (w[k] @ u[k])).abs() + 1e-8)
            x = x + u[k] * h[:, None]
        return -0.5 * (x**2).sum(1) - math.log(2 * math.pi) + total

    optimizer = torch.optim.Adam([w, u, b], lr=0.02)
    for _ in range(600):
        loss = -log_prob(train[torch.randint(len(train), (256,))]).mean()
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_([w, u, b], 5.0)
        optimizer.step()
    return log_prob(queries).detach()
