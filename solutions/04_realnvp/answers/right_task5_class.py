"""
task: task5
why: "a class of one's own around the flow, and functions made from its methods"
"""


class Fitted:
    def __init__(self, seed):
        torch.manual_seed(seed)
        self.flow = RealNVP(2, layers=6, hidden=(32, 32))
        training.fit(self.flow, points, valid, steps=400, lr=5e-3)

    @torch.no_grad()
    def density(self, x):
        return self.flow.log_prob(x)

    @torch.no_grad()
    def noise(self, x):
        return self.flow.path(x, inverse=True)[-1].value


mine = Fitted(5)
fitted_log_prob = mine.density
fitted_noise = mine.noise
fitted_sample = mine.flow.sample
