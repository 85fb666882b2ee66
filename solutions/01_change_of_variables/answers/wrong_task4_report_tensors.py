"""
task: task4
caught_by: task4_test_b
says: return a plain number
why: reports tensors where plain numbers are asked for
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
        nll = -self.log_prob(x)
        return {"nll": nll.mean(), "standard_error": nll.std() / len(nll) ** 0.5}
