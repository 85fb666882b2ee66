"""
task: task5
caught_by: task5_test_b
says: not to the queries
why: fits the flow to the points that it is asked to score
"""


def sine_entropy(noise, width):
    return math.log(2 * width) + 0.5 * math.log(2 * math.pi * math.e * noise**2)


def fitted_log_prob(train, queries):
    torch.manual_seed(0)
    flow = PlanarFlow(2, layers=6, cheap="density")
    training.fit(flow, queries[:4000], steps=300, lr=0.03, progress=False)
    with torch.no_grad():
        return flow.log_prob(queries)
