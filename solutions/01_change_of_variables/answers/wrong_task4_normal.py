"""
task: task4
caught_by: task4_test_a
says: single normal reaches
why: a single normal is honest and too simple
"""


class PriceModel:
    def train(self, x):
        self.base = Normal(x.mean(), x.std())

    def log_prob(self, x):
        return self.base.log_prob(x)

    def report(self, x):
        nll = -self.log_prob(x)
        return {"nll": nll.mean().item(), "standard_error": (nll.std() / len(nll) ** 0.5).item()}
