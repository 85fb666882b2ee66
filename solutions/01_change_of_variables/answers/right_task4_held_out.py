"""
task: task4
why: keeps a fifth of the points out of the loss and keeps the weights that score best there
"""


class PriceModel:
    def __init__(self):
        self.flow = Flow(Inverse(MixtureCDF(components=4)), Uniform(0.0, 1.0))

    def train(self, x):
        rest = torch.arange(len(x)) % 5 != 0
        training, watch = x[rest], x[~rest]
        optimizer = torch.optim.AdamW(self.flow.parameters(), lr=2e-2)
        best, kept = math.inf, None
        for _ in range(300):
            loss = -self.flow.log_prob(training).mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            with torch.no_grad():
                score = float(-self.flow.log_prob(watch).mean())
            if score < best:
                best, kept = score, [p.detach().clone() for p in self.flow.parameters()]
        with torch.no_grad():
            for parameter, value in zip(self.flow.parameters(), kept, strict=True):
                parameter.copy_(value)

    def log_prob(self, x):
        with torch.no_grad():
            return self.flow.log_prob(x)

    def report(self, x):
        nll = -self.log_prob(x)
        return {"nll": nll.mean().item(), "standard_error": (nll.std() / len(nll) ** 0.5).item()}
