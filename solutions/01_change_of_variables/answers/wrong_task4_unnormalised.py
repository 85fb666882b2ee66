"""
task: task4
caught_by: task4_test_a
says: a sign, a factor or a constant is wrong
why: adds a bonus to every log-density
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
            return self.flow.log_prob(x) + 0.1

    def report(self, x):
        nll = -self.log_prob(x)
        return {"nll": nll.mean().item(), "standard_error": (nll.std() / len(nll) ** 0.5).item()}
