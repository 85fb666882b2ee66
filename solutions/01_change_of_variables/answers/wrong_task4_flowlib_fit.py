"""
task: task4
caught_by: task4_test_a
says: "uses training.fit"
why: flowlib's finished training loop
"""

from flowlib import training


class PriceModel:
    def __init__(self):
        self.flow = Flow(Inverse(MixtureCDF(components=4)), Uniform(0.0, 1.0))

    def train(self, x):
        training.fit(self.flow, x, steps=300, lr=2e-2, progress=False)

    def log_prob(self, x):
        with torch.no_grad():
            return self.flow.log_prob(x)

    def report(self, x):
        nll = -self.log_prob(x)
        return {"nll": nll.mean().item(), "standard_error": (nll.std() / len(nll) ** 0.5).item()}
