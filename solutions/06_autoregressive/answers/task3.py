# %% right: by_laws
"""
why: "by the laws, the last two by what comes back"

- diagnosis = {"Ada": "few", "Ben": "order", "Cleo": "healthy", "Dan": "own", "Eve": "first"}
+ points_4 = torch.randn(50, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
+ def holds(law, *arguments):
+     try:
+         law(*arguments)
+     except AssertionError:
+         return False
+     return True
+ def ill_of(forward, inverse):
+     if holds(checks.check_inverse, forward, inverse, points_4):
+         return "healthy"
+     if not holds(checks.check_log_det, inverse, points_4):
+         return "own"
+     z_back, _ = inverse(forward(points_4)[0])
+     right_entries = int(torch.isclose(z_back, points_4).all(0).sum())
+     if right_entries:
+         return "few"  # some entries come back, those that did not need the last pass
+     x, _ = forward(points_4)
+     return "first" if torch.allclose(score_layer(score_layer(x, 1)[0], 1)[0], points_4) else "order"
+ diagnosis = {name: ill_of(*pair) for name, pair in PATIENTS.items()}
"""

# %% right: function
"""
why: "a function that returns the dictionary"
"""


def diagnosis():
    ill = {"Ada": "few", "Ben": "order", "Dan": "own", "Eve": "first"}
    return {name: ill.get(name, "healthy") for name in PATIENTS}


# %% right: pairs
"""
why: "read from the code, written as pairs"
"""

diagnosis = dict([("Eve", "first"), ("Dan", "own"), ("Cleo", "healthy"), ("Ben", "order"), ("Ada", "few")])

# %% wrong: ada_first
"""
caught_by: task3_test_b
says: "which network"
why: "does not count the passes"
"""

diagnosis = {"Ada": "first", "Ben": "order", "Cleo": "healthy", "Dan": "own", "Eve": "first"}

# %% wrong: ada_healthy
"""
caught_by: task3_test_b
says: "the point does not come back"
why: "takes Ada for healthy and Cleo for ill"
"""

diagnosis = {"Ada": "healthy", "Ben": "order", "Cleo": "first", "Dan": "own", "Eve": "few"}

# %% wrong: all_healthy
"""
caught_by: task3_test_a
says: "exactly one patient"
why: "finds nothing"
"""

diagnosis = {"Ada": "healthy", "Ben": "healthy", "Cleo": "healthy", "Dan": "healthy", "Eve": "healthy"}

# %% wrong: ben_sign
"""
caught_by: task3_test_b
says: "beyond the log-determinant"
why: "stops at the first law that fails"
"""

diagnosis = {"Ada": "few", "Ben": "sign", "Cleo": "healthy", "Dan": "own", "Eve": "first"}

# %% wrong: cleo_order
"""
caught_by: task3_test_a
says: "passes every law"
why: "takes the unusual order for a fault, and Dan for healthy"
"""

diagnosis = {"Ada": "few", "Ben": "order", "Cleo": "order", "Dan": "healthy", "Eve": "first"}

# %% wrong: dan_few
"""
caught_by: task3_test_a
says: "its *density*"
why: "blames the sampler for what the mask does"
"""

diagnosis = {"Ada": "few", "Ben": "order", "Cleo": "healthy", "Dan": "few", "Eve": "first"}

# %% wrong: eve_own
"""
caught_by: task3_test_b
says: "networks are in order"
why: "the round trip fails, so the mask must be wrong"
"""

diagnosis = {"Ada": "few", "Ben": "order", "Cleo": "healthy", "Dan": "own", "Eve": "own"}

# %% wrong: missing
"""
caught_by: task3_test_a
says: "should have the keys"
why: "forgets a patient"
"""

diagnosis = {"Ada": "few", "Ben": "order", "Cleo": "healthy", "Dan": "own"}

# %% wrong: own_word
"""
caught_by: task3_test_a
says: "is not one of"
why: "a word that is not in the table"
"""

diagnosis = {"Ada": "few", "Ben": "order", "Cleo": "healthy", "Dan": "mask", "Eve": "first"}

# %% wrong: swapped
"""
caught_by: task3_test_b
says: "which network"
why: "two faults confused"
"""

diagnosis = {"Ada": "few", "Ben": "first", "Cleo": "healthy", "Dan": "own", "Eve": "order"}
