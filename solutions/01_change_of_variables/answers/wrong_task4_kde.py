"""
task: task4
caught_by: task4_test_a
says: gaussian_kde
why: a kernel density estimate is no flow
"""

from scipy.stats import gaussian_kde


class PriceModel:
    def train(self, x):
        self.kernel = gaussian_kde(x.numpy())

    def log_prob(self, x):
        return torch.from_numpy(self.kernel.logpdf(x.numpy()))

    def report(self, x):
        nll = -self.log_prob(x)
        return {"nll": nll.mean().item(), "standard_error": (nll.std() / len(nll) ** 0.5).item()}
