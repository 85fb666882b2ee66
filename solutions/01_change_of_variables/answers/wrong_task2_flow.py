"""
task: task2
caught_by: task2_test_a
says: uses Flow
why: lets flowlib do the change of variables
"""

from flowlib.bijection import Chain
from flowlib.scalar import Affine, Exp

log_miles = torch.tensor(math.log(LITRES_TO_MILES), dtype=torch.float64)
minus = torch.tensor(-1.0, dtype=torch.float64)
cars = Flow(Chain(Inverse(Exp()), Affine(log_miles, minus), Exp()), consumption)


def log_prob_mpg(x):
    inside = x > 0
    return torch.where(inside, cars.log_prob(torch.where(inside, x, 1.0)), -math.inf)
