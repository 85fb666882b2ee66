# %% right: by_laws
"""
why: "found by measuring"
"""

starts = torch.randn(50, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
diagnosis = {}
for name, solve in PATIENTS.items():
    ends, log_det = solve(starts, 1.0, 100, 0.0, 1.0)
    again, log_det_back = solve(ends, 1.0, 100, 1.0, 0.0)
    rate = torch.tensor(1.0, dtype=torch.float64, requires_grad=True)
    (slope,) = torch.autograd.grad(solve(starts, rate, 100, 0.0, 1.0)[0].sum(), rate)
    quotient = (solve(starts, 1.0001, 100, 0.0, 1.0)[0].sum() - ends.sum()) / 1e-4
    truth = by_flowlib(starts, 1.0, 100, 0.0, 1.0)[1]
    if (again - starts).abs().max() > 1e-2:
        diagnosis[name] = "clock"
    elif (log_det + log_det_back).abs().max() > 1e-2:
        diagnosis[name] = "return"
    elif (log_det - truth).abs().max() > 1e-2:
        diagnosis[name] = "sign"
    else:
        diagnosis[name] = "healthy" if abs(slope - quotient) < 0.1 else "detached"

# %% right: dict_call
"""
why: "written another way"
"""

diagnosis = dict(Ada="clock", Ben="detached", Cleo="sign", Dan="return", Eve="healthy")

# %% right: function
"""
why: "a function that returns the dictionary"
"""


def diagnosis():
    return dict(zip(PATIENTS, ("clock", "detached", "sign", "return", "healthy"), strict=True))


# %% right: merged
"""
why: "parts of a dictionary, merged"
"""

diagnosis = {"Eve": "healthy"} | {"Dan": "return", "Cleo": "sign"} | {"Ben": "detached", "Ada": "clock"}

# %% wrong: ada_return
"""
caught_by: task4_test_b
says: "does not come back"
why: "the two that break check_inverse changed places"
"""

diagnosis = {"Ada": "return", "Ben": "detached", "Cleo": "sign", "Dan": "clock", "Eve": "healthy"}

# %% wrong: all_healthy
"""
caught_by: task4_test_a
says: "exactly one"
why: "a constant"
"""

diagnosis = dict.fromkeys(PATIENTS, "healthy")

# %% wrong: ben_healthy
"""
caught_by: task4_test_a
says: "follow it through"
why: "believes the laws only"
"""

diagnosis = {"Ada": "clock", "Ben": "healthy", "Cleo": "sign", "Dan": "return", "Eve": "sign"}

# %% wrong: ben_mean
"""
caught_by: task4_test_a
says: "difference quotient"
why: "a guess"
"""

diagnosis = {"Ada": "clock", "Ben": "mean", "Cleo": "sign", "Dan": "return", "Eve": "healthy"}

# %% wrong: cleo_return
"""
caught_by: task4_test_b
says: "two errors cancel"
why: "the two signs changed places"
"""

diagnosis = {"Ada": "clock", "Ben": "detached", "Cleo": "return", "Dan": "sign", "Eve": "healthy"}

# %% wrong: dan_mean
"""
caught_by: task4_test_b
says: "do not cancel"
why: "no mean is taken"
"""

diagnosis = {"Ada": "clock", "Ben": "detached", "Cleo": "sign", "Dan": "mean", "Eve": "healthy"}

# %% wrong: eve_sign
"""
caught_by: task4_test_a
says: "her dt has the other sign"
why: "takes the minus signs for the fault"
"""

diagnosis = {"Ada": "clock", "Ben": "healthy", "Cleo": "detached", "Dan": "return", "Eve": "sign"}

# %% wrong: missing
"""
caught_by: task4_test_a
says: "keys"
why: "two of five"
"""

diagnosis = {"Ada": "clock", "Ben": "detached"}

# %% wrong: own_word
"""
caught_by: task4_test_a
says: "is not one of"
why: "a word of one's own"
"""

diagnosis = {"Ada": "frozen time", "Ben": "detached", "Cleo": "sign", "Dan": "return", "Eve": "healthy"}

# %% wrong: string
"""
caught_by: task4_test_a
says: "dictionary"
why: "not a dictionary"
"""

diagnosis = "Eve"
