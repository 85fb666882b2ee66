"""
task: task4
caught_by: task4_test_b
says: it is the mean log-likelihood
why: reports the log-likelihood and not its negative
"""


class PriceModel:
    def __init__(self):
        self.flow = Flow(Inverse(MixtureCDF(components=4)), Uniform(0.0, 1.0))

    def train(self, x):
        optimizer = torch.optim.AdamW(self.flow.parameters(), lr=2e-2)
        for _ in range(300):
            loss = -self.flow.log_prob(x).mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()

    def log_prob(self, x):
        with torch.no_grad():
            return self.flow.log_prob(x)

    def report(self, x):
        log_p = self.log_prob(x)
        return {"nll": log_p.mean().item(), "standard_error": (log_p.std() / len(log_p) ** 0.5).item()}
