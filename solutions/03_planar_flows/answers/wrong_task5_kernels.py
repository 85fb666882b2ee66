"""
task: task5
caught_by: task5_test_b
says: "does not use Planar"
why: a kernel density estimate scores well, but it is no flow
"""


def sine_entropy(noise, width):
    return math.log(2 * width) + 0.5 * math.log(2 * math.pi * math.e * noise**2)


def fitted_log_prob(train, queries):
    width, parts = 0.12, []
    for part in queries.split(2000):
        distance = torch.cdist(part, train) / width
        constant = math.log(len(train) * 2 * math.pi * width**2)
        parts.append(torch.logsumexp(-0.5 * distance**2, 1) - constant)
    return torch.cat(parts)
