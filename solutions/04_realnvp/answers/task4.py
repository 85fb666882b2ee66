# %% right: function
"""
why: "the diagnosis as a function"
"""


def diagnosis():
    return {"Ada": "order", "Ben": "healthy", "Cleo": "sees", "Dan": "mean", "Eve": "undo"}


# %% right: laws
"""
why: "by the laws, the last one by reading"

- diagnosis = {"Ada": "order", "Ben": "healthy", "Cleo": "sees", "Dan": "mean", "Eve": "undo"}
+ points_4 = torch.randn(50, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
+ def holds(law, *arguments):
+     try:
+         law(*arguments)
+     except AssertionError:
+         return False
+     return True
+ diagnosis = {}
+ for name, (forward_4, inverse_4) in PATIENTS.items():
+     returns = holds(checks.check_inverse, forward_4, inverse_4, points_4)
+     volume = holds(checks.check_log_det, forward_4, points_4)
+     diagnosis[name] = (
+         "healthy" if returns and volume else "mean" if returns else "sees" if not volume else "order"
+     )
+ diagnosis["Eve"] = "undo"  # read from the code: the first entry comes back, so nothing changed places
"""

# %% right: pairs
"""
why: "in the order of the patients"
"""

words = ["order", "healthy", "sees", "mean", "undo"]
diagnosis = dict(zip(PATIENTS, words, strict=True))

# %% wrong: ada_healthy
"""
caught_by: task4_test_a
says: "Ben passes every law"
why: "takes strides for blocks"
"""

diagnosis = {"Ada": "healthy", "Ben": "order", "Cleo": "sees", "Dan": "mean", "Eve": "undo"}

# %% wrong: all_healthy
"""
caught_by: task4_test_a
says: "exactly one patient is healthy"
why: "five healthy patients"
"""

diagnosis = {name: "healthy" for name in PATIENTS}

# %% wrong: cleo_undo
"""
caught_by: task4_test_b
says: "Cleo is ill, but not of 'undo'"
why: "does not notice what the conditioner sees"
"""

diagnosis = {"Ada": "order", "Ben": "healthy", "Cleo": "undo", "Dan": "mean", "Eve": "undo"}

# %% wrong: dan_sign
"""
caught_by: task4_test_a
says: "compare the log-determinant"
why: "averaged, not flipped"
"""

diagnosis = {"Ada": "order", "Ben": "healthy", "Cleo": "sees", "Dan": "sign", "Eve": "undo"}

# %% wrong: eve_mean
"""
caught_by: task4_test_b
says: "does not come back"
why: "looks at the log-determinant only"
"""

diagnosis = {"Ada": "order", "Ben": "healthy", "Cleo": "sees", "Dan": "mean", "Eve": "mean"}

# %% wrong: missing
"""
caught_by: task4_test_a
says: "should have the keys"
why: "four patients missing"
"""

diagnosis = {"Ada": "order"}

# %% wrong: own_word
"""
caught_by: task4_test_a
says: "is not one of"
why: "a word that is not in the table"
"""

diagnosis = {"Ada": "permuted", "Ben": "healthy", "Cleo": "sees", "Dan": "mean", "Eve": "undo"}

# %% wrong: swapped
"""
caught_by: task4_test_b
says: "Ada is ill, but not of 'undo'"
why: "two faults confused"
"""

diagnosis = {"Ada": "undo", "Ben": "healthy", "Cleo": "sees", "Dan": "mean", "Eve": "order"}
