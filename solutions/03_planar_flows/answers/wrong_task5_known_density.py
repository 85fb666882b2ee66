"""
task: task5
caught_by: task5_test_b
says: "uses data.noisy_sine_log_prob"
why: returns the true density
"""


def sine_entropy(noise, width):
    return math.log(2 * width) + 0.5 * math.log(2 * math.pi * math.e * noise**2)


def fitted_log_prob(train, queries):
    return data.noisy_sine_log_prob(queries)
