# %% right: by_ratio
"""
why: "a for loop that divides each step by the one before, and rows written out as sums of squares"
"""


def invert(x, weights, lipschitz, tolerance):
    if not lipschitz < 1:
        raise ValueError("no contraction")
    z, last = x.clone(), None
    for rounds in range(1, 10**6):
        nearer = x - net(z, weights)
        length = ((nearer - z) ** 2).sum(-1) ** 0.5
        z = nearer
        if last is not None:
            grown = length / last.clamp(min=1e-300) > 1.01 * lipschitz
            if (grown & (length > tolerance)).any():
                raise ValueError("a step is too long for this constant")
        if float(length.max()) <= tolerance * (1 - lipschitz) / (lipschitz + 1e-300):
            return z, rounds
        last = length


# %% right: residuals
"""
why: "looks at the residual x - z - g(z), which is the next step, and keeps all lengths in a list"
"""


def lengths_of(points):
    return [math.sqrt(sum(entry * entry for entry in row)) for row in points.double().tolist()]


def invert(x, weights, lipschitz, tolerance):
    if lipschitz >= 1.0:
        raise ValueError("L must be below 1")
    z, history = x, []
    while not history or lipschitz * max(history[-1]) > tolerance * (1 - lipschitz):
        missing = x - z - net(z, weights)
        z = z + missing
        history.append(lengths_of(missing))
        if len(history) > 1:
            for now, before in zip(history[-1], history[-2], strict=True):
                if now > tolerance and now > 1.01 * lipschitz * before:
                    raise ValueError("this L cannot be true")
    return z, len(history)


# %% right: recursive
"""
why: "a generator of points and steps; the rules stand apart from the walk"
"""


def walk_of(x, weights):
    z = x
    while True:
        z, old = x - net(z, weights), z
        yield z, torch.linalg.vector_norm(z - old, dim=-1)


def invert(x, weights, lipschitz, tolerance):
    if lipschitz >= 1:
        raise ValueError(lipschitz)
    before = torch.full((len(x),), math.inf, dtype=x.dtype)
    for rounds, (z, step) in enumerate(walk_of(x, weights), start=1):
        if bool((step > torch.clamp(1.01 * lipschitz * before, min=tolerance)).any()):
            raise ValueError("not a Lipschitz constant")
        if bool((lipschitz / (1 - lipschitz) * step <= tolerance).all()):
            return z, rounds
        before = step


# %% wrong: a_priori
"""
caught_by: task1_test_a
says: "the last step gives a sharper one"
why: "the bound of the first step, as in (9.4)"

-     z, before, rounds = x, math.inf, 0
+     z, before, rounds, first = x, math.inf, 0, None

-         if step.max() * lipschitz / (1 - lipschitz) <= tolerance:
+         first = step.max() if first is None else first
+         if first * lipschitz**rounds / (1 - lipschitz) <= tolerance:
"""

# %% wrong: believes_above_one
"""
caught_by: task1_test_b
says: "there is no bound"
why: "a negative bound is below every tolerance"

-     if lipschitz >= 1:
-         raise ValueError(f"with lipschitz = {lipschitz} the rounds need not end anywhere")
+     lipschitz = lipschitz + 1e-9
"""

# %% wrong: believes_the_caller
"""
caught_by: task1_test_b
says: "compare each step with the one before"
why: "never doubts the constant, and gives up in silence"

-         if bool(((step > 1.01 * lipschitz * before) & (step > tolerance)).any()):
-             raise ValueError(f"the steps do not shrink by {lipschitz}: it is no Lipschitz constant of net")
-         if step.max() * lipschitz / (1 - lipschitz) <= tolerance:
+         if step.max() * lipschitz / (1 - lipschitz) <= tolerance or rounds == 5000:
"""

# %% wrong: cap_of_rounds
"""
caught_by: task1_test_b
says: "compare each step with the one before"
why: "refuses after many rounds only; a slow contraction is believed"

-         if bool(((step > 1.01 * lipschitz * before) & (step > tolerance)).any()):
-             raise ValueError(f"the steps do not shrink by {lipschitz}: it is no Lipschitz constant of net")
+         if rounds > 5000:
+             raise ValueError("it does not converge")
"""

# %% wrong: changes_x
"""
caught_by: task1_test_a
says: "changes its first argument in place"
why: "works in place on what came in"

-         new = x - net(z, weights)
-         step = (new - z).norm(dim=1)
-         z, rounds = new, rounds + 1
+         new = target - net(z, weights)
+         step = (new - z).norm(dim=1)
+         z -= z - new
+         rounds += 1

-     z, before, rounds = x, math.inf, 0
+     z, before, rounds, target = x, math.inf, 0, x.clone()
"""

# %% wrong: counts_from_zero
"""
caught_by: task1_test_a
says: "one round is missing"
why: "the number of the round counted from 0"

-             return z, rounds
+             return z, rounds - 1
"""

# %% wrong: fifty_rounds
"""
caught_by: task1_test_a
says: "the number of rounds is wrong"
why: "a fixed number of rounds"

-         if step.max() * lipschitz / (1 - lipschitz) <= tolerance:
+         if rounds == 50:
"""

# %% wrong: flowlib
"""
caught_by: task1_test_a
says: "which this task does not allow"
why: "lets flowlib's solver do it"
"""

from flowlib.residual import Residual


def invert(x, weights, lipschitz, tolerance):
    layer = Residual(lambda z: net(z, weights), lipschitz=lipschitz)
    found = layer.solve(x)
    return found.z, found.rounds


# %% wrong: forward
"""
caught_by: task1_test_a
says: "this is z + g(z), the way there"
why: "the layer, and not its inverse"
"""


def invert(x, weights, lipschitz, tolerance):
    return x + net(x, weights), 1


# %% wrong: hard_coded
"""
caught_by: task1_test_a
says: "z has shape"
why: "the example's numbers"
"""


def invert(x, weights, lipschitz, tolerance):
    return torch.full((1, 1), 0.69826, dtype=x.dtype), 7


# %% wrong: largest_entry
"""
caught_by: task1_test_a
says: "the largest entry of a step"
why: "the largest entry for the length"

-         if step.max() * lipschitz / (1 - lipschitz) <= tolerance:
+         if (new - last).abs().max() * lipschitz / (1 - lipschitz) <= tolerance:

-         step = (new - z).norm(dim=1)
+         step, last = (new - z).norm(dim=1), z
"""

# %% wrong: no_factor
"""
caught_by: task1_test_a
says: "it stops when the step is small"
why: "a small step is taken for a small error"

-         if step.max() * lipschitz / (1 - lipschitz) <= tolerance:
+         if step.max() <= tolerance:
"""

# %% wrong: norms_of_the_weights
"""
caught_by: task1_test_b
says: "it refuses an L that is true"
why: "computes a constant of its own, and refuses where it is larger"

-     if lipschitz >= 1:
+     W, _, U = weights
+     product = torch.linalg.matrix_norm(W, 2) * torch.linalg.matrix_norm(U, 2)
+     if lipschitz >= 1 or product > 1.01 * lipschitz:
"""

# %% wrong: one_more_round
"""
caught_by: task1_test_a
says: "one round too many"
why: "counts the start"

-     z, before, rounds = x, math.inf, 0
+     z, before, rounds = x, math.inf, 1
"""

# %% wrong: refuses_rounding
"""
caught_by: task1_test_b
says: "rounding"
why: "compares steps that are nothing but rounding"

-         if bool(((step > 1.01 * lipschitz * before) & (step > tolerance)).any()):
+         if bool((step > 1.01 * lipschitz * before).any()):
"""

# %% wrong: sign
"""
caught_by: task1_test_a
says: "the sign of g is flipped"
why: "adds g instead of taking it off"

-         new = x - net(z, weights)
+         new = x + net(z, weights)
"""

# %% wrong: tensor_of_rounds
"""
caught_by: task1_test_a
says: "expected int"
why: "counts in a tensor"

-             return z, rounds
+             return z, torch.tensor(rounds)
"""

# %% wrong: too_careful
"""
caught_by: task1_test_a
says: "here it is 1 / (1 - L)"
why: "the factor of the residual for that of the step"

-         if step.max() * lipschitz / (1 - lipschitz) <= tolerance:
+         if step.max() / (1 - lipschitz) <= tolerance:
"""

# %% wrong: watches_the_batch
"""
caught_by: task1_test_a
says: "there is one length for the whole batch"
why: "the norm of all steps together"

-         step = (new - z).norm(dim=1)
+         step = (new - z).norm()
"""
