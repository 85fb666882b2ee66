"""
task: task2
why: point by point, in a loop
"""


def log_prob_mpg(x):
    values = []
    for point in x.tolist():
        if point <= 0:
            values.append(-math.inf)
        else:
            z = torch.tensor(LITRES_TO_MILES / point, dtype=torch.float64)
            values.append(consumption.log_prob(z).item() + math.log(LITRES_TO_MILES / point**2))
    return torch.tensor(values, dtype=x.dtype)
