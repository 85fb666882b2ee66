# %% right: function
"""
why: "the diagnosis as a function; a harmless point given with where"
"""


def diagnosis():
    return dict(Ada="gradient", Ben="kink", Cleo="healthy", Dan="cancel", Eve="asleep")


def mended(z):
    outside = (z < -BOUND) | (z > BOUND)
    x, log_slope = solve(torch.where(outside, torch.zeros_like(z), z), FIRST)
    return torch.where(outside, z, x), log_slope.masked_fill(outside, 0.0)


# %% right: by_tests
"""
why: "every fault by a test of its own; the cure by the given helper"

- diagnosis = {"Ada": "gradient", "Ben": "kink", "Cleo": "healthy", "Dan": "cancel", "Eve": "asleep"}
+ def undone(name, dtype):
+     to_z, to_x, points = PATIENTS[name]
+     try:
+         checks.check_inverse(to_z, to_x, points.to(dtype))
+     except AssertionError:
+         return False
+     return True
+ def ill_of(name):
+     to_z, to_x, points = PATIENTS[name]
+     z = to_z(points)[0].requires_grad_()
+     to_x(z)[0].sum().backward()
+     if not undone(name, torch.float32):
+         return "cancel" if undone(name, torch.float64) else "axis"
+     if bool(z.grad.isnan().any()):
+         return "gradient"
+     if bool((to_z(points)[0] == points).all()):
+         return "asleep"
+     edge = torch.tensor([-BOUND + 1e-6, BOUND - 1e-6], dtype=torch.float64)
+     if points.abs().max() < 100 and bool((to_z(edge)[1].abs() > 0.01).any()):
+         return "kink"
+     return "healthy"
+ diagnosis = {name: ill_of(name) for name in PATIENTS}

-     inside = z.abs() <= BOUND
-     x, log_slope = solve(z.clamp(-BOUND, BOUND), FIRST)
-     return torch.where(inside, x, z), log_slope * inside
+     return inside_only(solve, z, FIRST)
"""

# %% right: picked
"""
why: "the curve is asked for the points inside only, whose results are put back"
"""

diagnosis = dict(zip(PATIENTS, ("gradient", "kink", "healthy", "cancel", "asleep"), strict=True))


def mended(z):
    inside = (z.abs() <= BOUND).nonzero()[:, 0]
    x, log_slope = solve(z[inside], FIRST)
    return z.index_put((inside,), x), torch.zeros_like(z).index_put((inside,), log_slope)


# %% wrong: ada_healthy
"""
caught_by: task3_test_a
says: "Cleo is not 'asleep'"
why: "the laws find nothing in Ada, and Cleo's prices look far outside"

- diagnosis = {"Ada": "gradient", "Ben": "kink", "Cleo": "healthy", "Dan": "cancel", "Eve": "asleep"}
+ diagnosis = {"Ada": "healthy", "Ben": "kink", "Cleo": "asleep", "Dan": "cancel", "Eve": "asleep"}
"""

# %% wrong: all_healthy
"""
caught_by: task3_test_a
says: "exactly one patient is healthy"
why: "five healthy patients"

- diagnosis = {"Ada": "gradient", "Ben": "kink", "Cleo": "healthy", "Dan": "cancel", "Eve": "asleep"}
+ diagnosis = {name: "healthy" for name in PATIENTS}
"""

# %% wrong: ben_gradient
"""
caught_by: task3_test_a
says: "Ben is not 'gradient'"
why: "confuses the two faults that no law finds"

- diagnosis = {"Ada": "gradient", "Ben": "kink", "Cleo": "healthy", "Dan": "cancel", "Eve": "asleep"}
+ diagnosis = {"Ada": "kink", "Ben": "gradient", "Cleo": "healthy", "Dan": "cancel", "Eve": "asleep"}
"""

# %% wrong: clamped_outside
"""
caught_by: task3_test_b
says: "held at the bound"
why: "clamps the points and forgets the identity"

-     return torch.where(inside, x, z), log_slope * inside
+     return x, torch.where(inside, log_slope, torch.zeros_like(z))
"""

# %% wrong: dan_axis
"""
caught_by: task3_test_a
says: "ask them again in float32"
why: "sees that the point does not come back and asks no further"

- diagnosis = {"Ada": "gradient", "Ben": "kink", "Cleo": "healthy", "Dan": "cancel", "Eve": "asleep"}
+ diagnosis = {"Ada": "gradient", "Ben": "kink", "Cleo": "healthy", "Dan": "axis", "Eve": "asleep"}
"""

# %% wrong: detached
"""
caught_by: task3_test_b
says: "the gradients are not right"
why: "no NaN, and no gradient either"

-     x, log_slope = solve(z.clamp(-BOUND, BOUND), FIRST)
+     x, log_slope = solve(z.detach().clamp(-BOUND, BOUND), FIRST)
"""

# %% wrong: eve_healthy
"""
caught_by: task3_test_a
says: "the prices are brought into the square first"
why: "takes Eve, whom all laws praise, for healthy and Cleo for ill"

- diagnosis = {"Ada": "gradient", "Ben": "kink", "Cleo": "healthy", "Dan": "cancel", "Eve": "asleep"}
+ diagnosis = {"Ada": "gradient", "Ben": "kink", "Cleo": "kink", "Dan": "cancel", "Eve": "healthy"}
"""

# %% wrong: missing
"""
caught_by: task3_test_a
says: "should have the keys"
why: "four patients missing"

- diagnosis = {"Ada": "gradient", "Ben": "kink", "Cleo": "healthy", "Dan": "cancel", "Eve": "asleep"}
+ diagnosis = {"Ada": "gradient"}
"""

# %% wrong: nan_to_num
"""
caught_by: task3_test_b
says: "NaN still comes from points outside"
why: "removes the NaN from the values, where there was none to see"

-     x, log_slope = solve(z.clamp(-BOUND, BOUND), FIRST)
+     x, log_slope = (part.nan_to_num() for part in solve(z, FIRST))
"""

# %% wrong: own_word
"""
caught_by: task3_test_a
says: "is not one of"
why: "a word that is not in the table"

- diagnosis = {"Ada": "gradient", "Ben": "kink", "Cleo": "healthy", "Dan": "cancel", "Eve": "asleep"}
+ diagnosis = {"Ada": "NaN", "Ben": "kink", "Cleo": "healthy", "Dan": "cancel", "Eve": "asleep"}
"""

# %% wrong: still_ill
"""
caught_by: task3_test_b
says: "NaN still comes from points outside"
why: "Ada's own code"

-     inside = z.abs() <= BOUND
-     x, log_slope = solve(z.clamp(-BOUND, BOUND), FIRST)
-     return torch.where(inside, x, z), log_slope * inside
+     return ada_to_x(z)
"""

# %% wrong: unbent
"""
caught_by: task3_test_b
says: "z comes back unchanged"
why: "the identity everywhere has no NaN"

-     inside = z.abs() <= BOUND
-     x, log_slope = solve(z.clamp(-BOUND, BOUND), FIRST)
-     return torch.where(inside, x, z), log_slope * inside
+     return 1 * z, 0 * z
"""

# %% wrong: way_there
"""
caught_by: task3_test_b
says: "this is the way x -> z"
why: "the other direction of Ada, which has no fault"

-     inside = z.abs() <= BOUND
-     x, log_slope = solve(z.clamp(-BOUND, BOUND), FIRST)
-     return torch.where(inside, x, z), log_slope * inside
+     return ada_to_z(z)
"""
