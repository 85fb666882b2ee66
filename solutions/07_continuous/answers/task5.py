# %% right: pairs
"""
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


# %% right: traces
"""
why: "by traces"
"""


def trace_variance(A, noise):
    # Gaussian: tr A A^T + tr A A; signs lack what the diagonal adds
    gaussian = torch.trace(A @ A.T) + torch.trace(A @ A)
    return gaussian - {"gaussian": 0, "rademacher": 2}[noise] * A.diagonal().square().sum()


def probes_needed(A, noise, error):
    return max(-int(-trace_variance(A, noise).item() // error**2), 1)


# %% wrong: always_signs
"""
caught_by: task5_test_a
says: "diagonal vary too"
why: "treats Gaussian noise as signs"

-     return variance if noise == "gaussian" else variance - 2 * (S.diagonal() ** 2).sum()
+     return variance - 2 * (S.diagonal() ** 2).sum()
"""

# %% wrong: constant
"""
caught_by: task5_test_a
says: "A is not used"
why: "a constant"

-     return variance if noise == "gaussian" else variance - 2 * (S.diagonal() ** 2).sum()
+     return 1.0 if noise == "gaussian" else variance - 2 * (S.diagonal() ** 2).sum()
"""

# %% wrong: deviation
"""
caught_by: task5_test_a
says: "standard deviation"
why: "the standard deviation"

-     return variance if noise == "gaussian" else variance - 2 * (S.diagonal() ** 2).sum()
+     return (variance if noise == "gaussian" else variance - 2 * (S.diagonal() ** 2).sum()).sqrt()

-     return max(1, math.ceil(float(trace_variance(A, noise)) / error**2))
+     return max(1, math.ceil(float(trace_variance(A, noise)) ** 2 / error**2))
"""

# %% wrong: diagonal
"""
caught_by: task5_test_a
says: "only the diagonal"
why: "diagonal only"

-     return variance if noise == "gaussian" else variance - 2 * (S.diagonal() ** 2).sum()
+     return 2 * (S.diagonal() ** 2).sum()
"""

# %% wrong: floor_plus_one
"""
caught_by: task5_test_b
says: "it is rounded down, and one is added"
why: "rounds down and adds one: one too many where the quotient is whole"

-     return max(1, math.ceil(float(trace_variance(A, noise)) / error**2))
+     return int(float(trace_variance(A, noise)) / error**2) + 1
"""

# %% wrong: fraction
"""
caught_by: task5_test_b
says: "is an int"
why: "a number that is no integer"

-     return max(1, math.ceil(float(trace_variance(A, noise)) / error**2))
+     return max(1.0, float(trace_variance(A, noise)) / error**2)
"""

# %% wrong: hard_coded
"""
caught_by: task5_test_a
says: "A is not used"
why: "the example"
"""


def trace_variance(A, noise):
    return 4.0 if noise == "rademacher" else 24.0


def probes_needed(A, noise, error):
    return 45 if noise == "rademacher" else 267


# %% wrong: no_square
"""
caught_by: task5_test_b
says: "the error is a standard deviation"
why: "the variance against the error itself"

-     return max(1, math.ceil(float(trace_variance(A, noise)) / error**2))
+     return max(1, math.ceil(float(trace_variance(A, noise)) / error))
"""

# %% wrong: no_two
"""
caught_by: task5_test_a
says: "factor 2 is missing"
why: "no factor 2"

-     variance = 2 * (S**2).sum()
-     return variance if noise == "gaussian" else variance - 2 * (S.diagonal() ** 2).sum()
+     variance = (S**2).sum()
+     return variance if noise == "gaussian" else variance - (S.diagonal() ** 2).sum()
"""

# %% wrong: not_symmetric
"""
caught_by: task5_test_a
says: "as if it were symmetric"
why: "A taken as symmetric"

-     S = (A + A.T) / 2
+     S = A
"""

# %% wrong: per_dimension
"""
caught_by: task5_test_a
says: "divided by D"
why: "divided by D"

-     variance = 2 * (S**2).sum()
-     return variance if noise == "gaussian" else variance - 2 * (S.diagonal() ** 2).sum()
+     variance = 2 * (S**2).sum() / len(A)
+     return variance if noise == "gaussian" else variance - 2 * (S.diagonal() ** 2).sum() / len(A)
"""

# %% wrong: relative
"""
caught_by: task5_test_a
says: "divided by the squared trace"
why: "the variance of the relative error"

      variance = 2 * (S**2).sum()
+     variance = variance / A.trace() ** 2
"""

# %% wrong: rounded_down
"""
caught_by: task5_test_b
says: "rounded down"
why: "rounds down"

-     return max(1, math.ceil(float(trace_variance(A, noise)) / error**2))
+     return max(1, int(float(trace_variance(A, noise)) / error**2))
"""

# %% wrong: same_for_both
"""
caught_by: task5_test_a
says: "for signs the squares on the diagonal do not vary"
why: "no difference between the noises"

-     return variance if noise == "gaussian" else variance - 2 * (S.diagonal() ** 2).sum()
+     return variance
"""

# %% wrong: sampled
"""
caught_by: task5_test_a
says: "random draws are not exact"
why: "from random draws"
"""


def trace_variance(A, noise):
    shape, generator = (200_000, len(A)), torch.Generator().manual_seed(0)
    e = torch.randn(shape, generator=generator, dtype=A.dtype)
    if noise == "rademacher":
        e = e.sign()
    return ((e @ A) * e).sum(1).var()


def probes_needed(A, noise, error):
    return max(1, math.ceil(float(trace_variance(A, noise)) / error**2))


# %% wrong: second_moment
"""
caught_by: task5_test_a
says: "second moment"
why: "the mean is not taken off"

-     variance = 2 * (S**2).sum()
+     variance = 2 * (S**2).sum() + A.trace() ** 2
"""

# %% wrong: squared_variance
"""
caught_by: task5_test_b
says: "the variance is taken for the deviation"
why: "variance taken for the deviation"

-     return max(1, math.ceil(float(trace_variance(A, noise)) / error**2))
+     return max(1, math.ceil((float(trace_variance(A, noise)) / error) ** 2))
"""

# %% wrong: twice
"""
caught_by: task5_test_a
says: "counted twice"
why: "pairs counted twice"

-     variance = 2 * (S**2).sum()
-     return variance if noise == "gaussian" else variance - 2 * (S.diagonal() ** 2).sum()
+     variance = 4 * (S**2).sum()
+     return variance if noise == "gaussian" else variance - 4 * (S.diagonal() ** 2).sum()
"""

# %% wrong: two_sigma
"""
caught_by: task5_test_b
says: "two standard deviations are asked"
why: "two standard deviations for one"

-     return max(1, math.ceil(float(trace_variance(A, noise)) / error**2))
+     return max(1, math.ceil(float(trace_variance(A, noise)) / (error / 2) ** 2))
"""

# %% wrong: zero_probes
"""
caught_by: task5_test_b
says: "at least one"
why: "no probe at all where the variance is 0"

-     return max(1, math.ceil(float(trace_variance(A, noise)) / error**2))
+     return math.ceil(float(trace_variance(A, noise)) / error**2)
"""
