"""
task: task5
caught_by: task5_test_b
says: "log 2 pi of the base is missing"
why: drops the constant of the base, which makes the loss look good
"""


def sine_entropy(noise, width):
    return math.log(2 * width) + 0.5 * math.log(2 * math.pi * math.e * noise**2)


def fitted_log_prob(train, queries):
    torch.manual_seed(0)
    flow = PlanarFlow(2, layers=6, cheap="density")
    training.fit(flow, train, steps=400, lr=0.03, progress=False)
    with torch.no_grad():
        z, log_det = flow.bijection.inverse(queries)
        return -0.5 * (z**2).sum(1) + log_det
