"""
task: task2
caught_by: task2_test
says: "exceeds the limit"
why: "a bound above and none below"
"""


def bounded(raw, limit):
    return limit - torch.nn.functional.softplus(limit - raw) + math.log1p(math.exp(limit)) - limit
