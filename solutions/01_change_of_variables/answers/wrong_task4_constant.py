"""
task: task4
caught_by: task4_test_a
says: a sign, a factor or a constant is wrong
why: a made-up likelihood under the threshold
"""


class PriceModel:
    def train(self, x):
        pass

    def log_prob(self, x):
        return torch.full_like(x, -1.3)

    def report(self, x):
        return {"nll": 1.3, "standard_error": 0.01}
