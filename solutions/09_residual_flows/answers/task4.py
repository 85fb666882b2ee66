# %% right: by_function
"""
why: "a function, and Newton's method with a 2 x 2 solve"
"""


def diagnosis():
    ill = {"Ada": "cut", "Ben": "folds", "Cleo": "rounds", "Eve": "overshoots"}
    return ill | {"Dan": "healthy"}


def jacobian_at(z):
    columns = [push(unit.expand_as(z), z, EVE) for unit in torch.eye(2, dtype=z.dtype)]
    return torch.eye(2, dtype=z.dtype) + 2 * torch.stack(columns, dim=-1)


def mended(x):
    z = x.clone()
    for _ in range(300):  # a step of the damped loop after each of Newton's, which may jump too far
        miss = x - eve_forward(z)[0]
        newton = z + torch.linalg.solve(jacobian_at(z), miss.unsqueeze(-1)).squeeze(-1)
        better = (x - eve_forward(newton)[0]).norm(dim=1) < miss.norm(dim=1)
        z = torch.where(better[:, None], newton, z + 0.5 * miss)
    return z, -torch.linalg.slogdet(jacobian_at(z))[1]


# %% right: descent
"""
why: "other words of the same list, and a damped loop that stops when nothing moves"
"""

diagnosis = dict(Dan="healthy", Eve="overshoots", Ben="folds", Ada="cut", Cleo="rounds")


def mended(x):
    z, moved = torch.zeros_like(x), math.inf
    while moved > 1e-13 * (1 + float(x.abs().max())):
        reached, log_det = eve_forward(z)
        z, moved = z + (x - reached) / 1.8, float((x - reached).abs().max())
    return z, -eve_forward(z)[1]


# %% wrong: ada_half
"""
caught_by: task4_test_a
says: "Ada is not 'half'"
why: "takes a cut series for lost digits"

- diagnosis = {"Ada": "cut", "Ben": "folds", "Cleo": "rounds", "Dan": "healthy", "Eve": "overshoots"}
+ diagnosis = {"Ada": "half", "Ben": "folds", "Cleo": "rounds", "Dan": "healthy", "Eve": "overshoots"}
"""

# %% wrong: another_map
"""
caught_by: task4_test_b
says: "this undoes z + g(z)"
why: "halves the strength, which makes the loop converge to the inverse of another map"

-         z = z + 0.5 * (x - z - 2 * net(z, EVE))
+         z = x - net(z, EVE)
"""

# %% wrong: at_x
"""
caught_by: task4_test_b
says: "taken at x"
why: "the determinant at the wrong end"

-     return z, -exact_log_det_2(z, EVE, 2.0)[1]
+     return z, -exact_log_det_2(x, EVE, 2.0)[1]
"""

# %% wrong: ben_rounds
"""
caught_by: task4_test_a
says: "Ben is not 'overshoots'"
why: "takes a fold for a loop that can be damped"

- diagnosis = {"Ada": "cut", "Ben": "folds", "Cleo": "rounds", "Dan": "healthy", "Eve": "overshoots"}
+ diagnosis = {"Ada": "cut", "Ben": "overshoots", "Cleo": "rounds", "Dan": "healthy", "Eve": "folds"}
"""

# %% wrong: cleo_half
"""
caught_by: task4_test_a
says: "with more rounds"
why: "takes too few rounds for lost digits"

- diagnosis = {"Ada": "cut", "Ben": "folds", "Cleo": "rounds", "Dan": "healthy", "Eve": "overshoots"}
+ diagnosis = {"Ada": "cut", "Ben": "folds", "Cleo": "half", "Dan": "healthy", "Eve": "overshoots"}
"""

# %% wrong: dan_ill
"""
caught_by: task4_test_a
says: "makes it 0.95"
why: "saw the norm 1.9 and not the factor"

- diagnosis = {"Ada": "cut", "Ben": "folds", "Cleo": "rounds", "Dan": "healthy", "Eve": "overshoots"}
+ diagnosis = {"Ada": "cut", "Ben": "folds", "Cleo": "healthy", "Dan": "rounds", "Eve": "overshoots"}
"""

# %% wrong: eve_folds
"""
caught_by: task4_test_a
says: "Eve is not 'folds'"
why: "no contraction is taken for no inverse, as a law's guess has it"

- diagnosis = {"Ada": "cut", "Ben": "folds", "Cleo": "rounds", "Dan": "healthy", "Eve": "overshoots"}
+ diagnosis = {"Ada": "cut", "Ben": "folds", "Cleo": "rounds", "Dan": "healthy", "Eve": "folds"}
"""

# %% wrong: longer_loop
"""
caught_by: task4_test_b
says: "never arrives"
why: "more of the same"

-     for _ in range(100):
-         z = z + 0.5 * (x - z - 2 * net(z, EVE))
+     for _ in range(900):
+         z = x - 2 * net(z, EVE)
"""

# %% wrong: not_damped_enough
"""
caught_by: task4_test_b
says: "the steps are still too long"
why: "goes nine tenths of the way, which still overshoots"

-         z = z + 0.5 * (x - z - 2 * net(z, EVE))
+         z = z + 0.9 * (x - z - 2 * net(z, EVE))
"""

# %% wrong: sign
"""
caught_by: task4_test_b
says: "the sign is flipped"
why: "the log-determinant of the way there"

-     return z, -exact_log_det_2(z, EVE, 2.0)[1]
+     return z, exact_log_det_2(z, EVE, 2.0)[1]
"""

# %% wrong: two_missing
"""
caught_by: task4_test_b
says: "the 2 is missing"
why: "the determinant of I + J"

-     return z, -exact_log_det_2(z, EVE, 2.0)[1]
+     return z, -exact_log_det_2(z, EVE, 1.0)[1]
"""

# %% wrong: unknown_word
"""
caught_by: task4_test_a
says: "is not one of"
why: "a word of his own"

- diagnosis = {"Ada": "cut", "Ben": "folds", "Cleo": "rounds", "Dan": "healthy", "Eve": "overshoots"}
+ diagnosis = {"Ada": "biased", "Ben": "folds", "Cleo": "rounds", "Dan": "healthy", "Eve": "overshoots"}
"""
