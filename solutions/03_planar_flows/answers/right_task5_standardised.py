"""
task: task5
why: standardises first and accounts for it
"""


def sine_entropy(noise, width):
    return torch.log(torch.tensor(2.0 * width, dtype=torch.float64)).item() + (
        torch.distributions.Normal(0.0, torch.tensor(noise, dtype=torch.float64)).entropy().item()
    )


def fitted_log_prob(train, queries):
    torch.manual_seed(1)
    mean, deviation = train.mean(0), train.std(0)
    flow = PlanarFlow(2, layers=8, cheap="density")
    training.fit(flow, (train - mean) / deviation, steps=400, lr=0.03, progress=False)
    with torch.no_grad():
        return flow.log_prob((queries - mean) / deviation) - deviation.log().sum()
