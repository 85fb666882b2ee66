"""
task: task5
caught_by: task5_test_b
says: does it bend
why: fits a Gaussian
"""


def sine_entropy(noise, width):
    return math.log(2 * width) + 0.5 * math.log(2 * math.pi * math.e * noise**2)


def fitted_log_prob(train, queries):
    normal = torch.distributions.MultivariateNormal(train.mean(0), train.T.cov())
    return normal.log_prob(queries)
