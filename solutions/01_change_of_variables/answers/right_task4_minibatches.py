"""
task: task4
why: minibatches and the mixture's log-derivative alone, without Flow
"""


class PriceModel:
    def __init__(self):
        self.cdf = MixtureCDF(components=6, spread=2.0)

    def log_density(self, x):
        # Uniform base: its log-density is zero on (0, 1), so the log-derivative is all there is.
        return self.cdf(x)[1]

    def train(self, x):
        optimizer = torch.optim.Adam(self.cdf.parameters(), lr=0.02)
        for _ in range(40):
            for batch in x[torch.randperm(len(x))].split(150):
                optimizer.zero_grad()
                (-self.log_density(batch).mean()).backward()
                optimizer.step()

    def log_prob(self, x):
        return self.log_density(x).detach()

    def report(self, x):
        losses = (-self.log_prob(x)).double()
        n = losses.numel()
        return {"nll": float(losses.sum() / n), "standard_error": float(losses.std() / math.sqrt(n))}
