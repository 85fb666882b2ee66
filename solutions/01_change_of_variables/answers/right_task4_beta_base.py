"""
task: task4
why: a Beta base in place of the uniform
"""

from torch.distributions import Beta


class PriceModel:
    def __init__(self):
        self.flow = Flow(Inverse(MixtureCDF(5, spread=2.0)), Beta(2.0, 2.0))

    def train(self, x):
        optimizer = torch.optim.AdamW(self.flow.parameters(), lr=0.03, weight_decay=1e-5)
        for _ in range(300):
            optimizer.zero_grad()
            loss = -self.flow.log_prob(x).mean()
            loss.backward()
            optimizer.step()

    @torch.no_grad()
    def log_prob(self, x):
        return self.flow.log_prob(x)

    def report(self, x):
        log_p = self.log_prob(x)
        return {"nll": -log_p.mean().item(), "standard_error": log_p.std().item() / math.sqrt(len(x))}
