"""
task: task4
caught_by: task4_test_a
says: uses GaussianMixture
why: binds the name to a class that hands the work to scikit-learn
"""

from sklearn.mixture import GaussianMixture


class Ready:
    def train(self, x):
        self.mixture = GaussianMixture(4, random_state=0).fit(x.numpy()[:, None])

    def log_prob(self, x):
        return torch.as_tensor(self.mixture.score_samples(x.double().numpy()[:, None]))

    def report(self, x):
        nll = -self.log_prob(x)
        return {"nll": nll.mean().item(), "standard_error": (nll.std() / len(nll) ** 0.5).item()}


PriceModel = Ready
