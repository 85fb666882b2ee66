"""
task: task4
caught_by: task4_test_a
says: one number for each point
why: one number for the whole batch
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
            return self.flow.log_prob(x).mean()

    def report(self, x):
        nll = -self.log_prob(x)
        return {"nll": nll.mean().item(), "standard_error": (nll.std() / len(nll) ** 0.5).item()}
