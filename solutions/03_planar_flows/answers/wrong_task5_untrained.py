"""
task: task5
caught_by: task5_test_b
says: "is it fitted to `train`"
why: forgets to fit
"""


def sine_entropy(noise, width):
    return math.log(2 * width) + 0.5 * math.log(2 * math.pi * math.e * noise**2)


def fitted_log_prob(train, queries):
    torch.manual_seed(0)
    with torch.no_grad():
        return PlanarFlow(2, layers=6, cheap="density").log_prob(queries)
