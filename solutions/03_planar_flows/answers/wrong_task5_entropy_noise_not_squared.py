"""
task: task5
caught_by: task5_test_a
says: "not squared"
why: takes the deviation for the variance
"""


def sine_entropy(noise, width):
    return math.log(2 * width) + 0.5 * math.log(2 * math.pi * math.e * noise)


def fitted_log_prob(train, queries):
    torch.manual_seed(0)
    flow = PlanarFlow(2, layers=5, cheap="density")
    training.fit(flow, train, steps=300, lr=0.03, progress=False)
    with torch.no_grad():
        return flow.log_prob(queries)
