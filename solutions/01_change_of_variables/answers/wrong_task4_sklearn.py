"""
task: task4
caught_by: task4_test_a
says: uses sklearn
why: a finished density estimator under another name
"""

import sklearn.mixture


class PriceModel:
    def __init__(self):
        self.mixture = sklearn.mixture.BayesianGaussianMixture(n_components=4, random_state=0)

    def train(self, x):
        self.mixture.fit(x[:, None].numpy())

    def log_prob(self, x):
        return torch.from_numpy(self.mixture.score_samples(x[:, None].double().numpy()))

    def report(self, x):
        nll = -self.log_prob(x)
        return {"nll": nll.mean().item(), "standard_error": (nll.std() / len(nll) ** 0.5).item()}
