"""
task: task4
why: trains with L-BFGS and a closure
"""


class PriceModel:
    def __init__(self):
        self.flow = Flow(Inverse(MixtureCDF(components=4)), Uniform(0.0, 1.0))

    def train(self, x):
        optimizer = torch.optim.LBFGS(
            self.flow.parameters(), lr=0.5, max_iter=120, line_search_fn="strong_wolfe"
        )

        def closure():
            optimizer.zero_grad()
            loss = -self.flow.log_prob(x).mean()
            loss.backward()
            return loss

        optimizer.step(closure)

    @torch.no_grad()
    def log_prob(self, x):
        return self.flow.log_prob(x)

    def report(self, x):
        import numpy as np

        nll = -self.log_prob(x).numpy()
        return dict(
            nll=float(nll.mean()), standard_error=float(nll.std(ddof=1) / np.sqrt(nll.size)), n=len(nll)
        )
