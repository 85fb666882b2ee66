# %% right: by_laws
"""
why: lets the laws speak and keeps what they say
"""

z = torch.randn(50, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
diagnosis = {}
for name, (forward, inverse) in PATIENTS.items():
    try:
        checks.check_inverse(forward, inverse, z)
        checks.check_log_det(forward, z)
        diagnosis[name] = "healthy"
    except AssertionError as error:
        said = str(error)
        diagnosis[name] = "sign" if "sign" in said else "order" if "check_inverse" in said else "diagonal"
diagnosis["Cleo"] = "point"  # counts the negative entries of z, not of y: read in the code

# %% right: dict
"""
why: builds the dictionary from two lists
"""

names = ["Ada", "Ben", "Cleo", "Dan", "Eve"]
found = ["diagonal", "order", "point", "sign", "healthy"]
diagnosis = dict(zip(names, found, strict=True))

# %% right: function
"""
why: gives the diagnosis as a function and not as a dictionary
"""


def diagnosis():
    return {"Ada": "diagonal", "Ben": "order", "Cleo": "point", "Dan": "sign", "Eve": "healthy"}


# %% right: laws_and_reading
"""
why: asks the laws in a loop and reads their words
"""

diagnosis = {}
pts = torch.randn(40, 2, generator=torch.Generator().manual_seed(9), dtype=torch.float64)
for who, (f, g) in PATIENTS.items():
    try:
        checks.check_inverse(f, g, pts)
    except AssertionError:
        diagnosis[who] = "order"
        continue
    try:
        checks.check_log_det(f, pts)
        diagnosis[who] = "healthy"
    except AssertionError as error:
        said = str(error)
        diagnosis[who] = "sign" if "sign" in said else "diagonal" if "diagonal" in said else "point"

# %% wrong: all_healthy
"""
caught_by: task4_test_a
says: "exactly one patient"
why: believes the round trip
"""

diagnosis = {"Ada": "healthy", "Ben": "healthy", "Cleo": "healthy", "Dan": "healthy", "Eve": "healthy"}

# %% wrong: all_order
"""
caught_by: task4_test_b
says: "the round trip holds"
why: calls everyone's order wrong but one
"""

diagnosis = {"Ada": "order", "Ben": "order", "Cleo": "order", "Dan": "order", "Eve": "healthy"}

# %% wrong: diagonal_swapped
"""
caught_by: task4_test_b
says: "Ada is ill"
why: swaps two patients
"""

diagnosis = {"Ada": "sign", "Ben": "order", "Cleo": "point", "Dan": "diagonal", "Eve": "healthy"}

# %% wrong: kink_for_point
"""
caught_by: task4_test_b
says: "Cleo is ill"
why: takes a kink that is counted at the wrong point for one left out
"""

diagnosis = {"Ada": "diagonal", "Ben": "order", "Cleo": "kink", "Dan": "sign", "Eve": "healthy"}

# %% wrong: mean_for_diagonal
"""
caught_by: task4_test_b
says: "Ada is ill, but not of 'mean'"
why: takes a wrong diagonal for a mean
"""

diagnosis = {"Ada": "mean", "Ben": "order", "Cleo": "point", "Dan": "sign", "Eve": "healthy"}

# %% wrong: missing
"""
caught_by: task4_test_a
says: "keys"
why: forgets a patient
"""

diagnosis = {"Ada": "diagonal", "Ben": "order", "Cleo": "point", "Dan": "sign"}

# %% wrong: order_missed
"""
caught_by: task4_test_a
says: "Ben: the round trip fails"
why: finds Ben's log-determinants suspicious, not his order
"""

diagnosis = {"Ada": "diagonal", "Ben": "kink", "Cleo": "point", "Dan": "sign", "Eve": "healthy"}

# %% wrong: own_word
"""
caught_by: task4_test_a
says: "is not one of"
why: uses a word of its own
"""

diagnosis = {"Ada": "diagonal", "Ben": "broken", "Cleo": "point", "Dan": "sign", "Eve": "healthy"}

# %% wrong: round_trip_only
"""
caught_by: task4_test_b
says: "may cancel"
why: takes the errors that cancel for health
"""

diagnosis = {"Ada": "healthy", "Ben": "order", "Cleo": "point", "Dan": "sign", "Eve": "mean"}

# %% wrong: sign_for_point
"""
caught_by: task4_test_b
says: "Cleo is ill"
why: names the sign for every log-determinant that is off
"""

diagnosis = {"Ada": "diagonal", "Ben": "order", "Cleo": "sign", "Dan": "sign", "Eve": "healthy"}

# %% wrong: small_names
"""
caught_by: task4_test_a
says: diagnosis should have the keys
why: writes the names in small letters
"""

diagnosis = {"ada": "diagonal", "ben": "order", "cleo": "point", "dan": "sign", "eve": "healthy"}

# %% wrong: wrong_order
"""
caught_by: task4_test_a
says: the round trip fails
why: suspects the order where a point is flipped
"""

diagnosis = {"Ada": "diagonal", "Ben": "healthy", "Cleo": "point", "Dan": "sign", "Eve": "order"}
