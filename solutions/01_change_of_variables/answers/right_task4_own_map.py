"""
task: task4
why: another monotone map, the distribution function of a logistic mixture, with its own formulas
"""


class PriceModel:
    """z = sum_k w_k sigmoid((x - m_k) / s_k): the distribution function of a logistic mixture, by hand."""

    def __init__(self):
        self.w = torch.zeros(5, requires_grad=True)
        self.m = torch.linspace(-2, 2, 5).requires_grad_()
        self.s = torch.full((5,), -1.0).requires_grad_()

    def log_derivative(self, x):
        y = (x[:, None] - self.m) / self.s.exp()
        parts = torch.nn.functional.logsigmoid(y) + torch.nn.functional.logsigmoid(-y) - self.s
        return torch.logsumexp(self.w.log_softmax(0) + parts, 1)

    def train(self, x):
        optimizer = torch.optim.Adam([self.w, self.m, self.s], lr=0.03)
        for _ in range(300):
            loss = -self.log_derivative(x).mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()

    def log_prob(self, x):
        with torch.no_grad():
            return self.log_derivative(x)

    def report(self, x):
        nll = -self.log_prob(x)
        return {"nll": float(nll.mean()), "standard_error": float(nll.std() / len(nll) ** 0.5)}
