"""
task: task2
caught_by: task2_test_b
says: raises ValueError
why: right inside the support, an error outside
"""


def log_prob_mpg(x):
    return consumption.log_prob(LITRES_TO_MILES / x) + math.log(LITRES_TO_MILES) - 2 * torch.log(x)
