"""
task: task5
why: looks at the data once more below its functions
"""


def sine_entropy(noise, width):
    return math.log(2 * width) + 0.5 * (1 + math.log(2 * math.pi)) + math.log(noise)


def fitted_log_prob(train, queries):
    torch.manual_seed(1)
    flow = PlanarFlow(2, layers=7, cheap="density")
    held, kept = train[:500], train[500:]
    training.fit(flow, kept, held, steps=350, lr=0.03, progress=False)
    with torch.no_grad():
        return flow.log_prob(queries)


some = fitted_log_prob(data.noisy_sine(3000, seed=3), data.noisy_sine(1000, seed=4))
print(-some.mean(), sine_entropy(0.1, 3.0))
