"""
task: task3
why: "lets flowlib's layers do both repairs"
"""

from flowlib.base import StandardNormal
from flowlib.bijection import Chain
from flowlib.scalar import Affine, Exp


def diagnosis():
    return {"A": "direction", "B": "sign", "C": "healthy", "D": "constant"}


_b = Flow(Chain(Affine(2.0, -0.5), Exp()), StandardNormal(())).double()
_a = Chain(Affine(1.2, 0.4), Exp()).double()


def repaired_log_prob(x):
    with torch.no_grad():
        return _b.log_prob(x)


def repaired_draw(z):
    with torch.no_grad():
        return _a(z)[0]
