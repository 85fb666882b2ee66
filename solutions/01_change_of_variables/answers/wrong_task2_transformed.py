"""
task: task2
caught_by: task2_test_a
says: uses TransformedDistribution
why: lets torch do the change of variables
"""

from torch.distributions import PowerTransform, TransformedDistribution
from torch.distributions.transforms import AffineTransform

model = TransformedDistribution(
    consumption,
    [PowerTransform(torch.tensor(-1.0)), AffineTransform(0.0, LITRES_TO_MILES)],
    validate_args=False,
)


def log_prob_mpg(x):
    inside = x > 0
    return torch.where(inside, model.log_prob(torch.where(inside, x, 1.0)), -math.inf)
