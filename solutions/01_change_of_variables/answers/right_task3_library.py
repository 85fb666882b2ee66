"""
task: task3
why: builds both repairs from flowlib's maps
"""

from flowlib.base import StandardNormal
from flowlib.bijection import Chain
from flowlib.scalar import Affine, Exp

bus = Flow(Chain(Affine(2.0, -0.5), Exp()), StandardNormal(()))


def diagnosis():
    words = dict.fromkeys("ABCD", "healthy")
    words.update(A="direction", B="sign", D="constant")
    return words


def repaired_log_prob(x):
    return bus.log_prob(x)


def repaired_draw(z):
    return Chain(Affine(1.2, 0.4), Exp())(z)[0]
