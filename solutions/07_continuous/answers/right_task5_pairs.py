"""
task: task5
why: "pair by pair, counted up"
"""


def trace_variance(A, noise):
    total = 0.0
    for i in range(len(A)):
        for j in range(i):
            total += float(A[i, j] + A[j, i]) ** 2
        if noise == "gaussian":
            total += 2 * float(A[i, i]) ** 2
    return total


def probes_needed(A, noise, error):
    n, variance = 1, trace_variance(A, noise)
    while variance / n > error**2:
        n += 1
    return n
