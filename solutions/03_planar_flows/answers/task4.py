# %% right: by_laws
"""
why: tries every shape against the autograd Jacobian
"""


def outcomes():
    def layer(z, w, u, b):
        t = w @ u
        u = u + (F.softplus(t) - 1 - t) * w / w.norm()
        a = z @ w + b
        psi = (1 - torch.tanh(a) ** 2) * w
        log_det = torch.log(torch.abs(1 + (psi * u).sum(-1)))
        return z + u * torch.tanh(a)[:, None], log_det + torch.zeros(len(z))

    found = []
    for batch, dim in ((1, 2), (2, 2), (5, 2), (5, 1), (4, 4), (1, 1)):
        torch.manual_seed(1)
        w, u, z = torch.randn(dim).double(), torch.randn(dim).double(), torch.randn(batch, dim).double()
        try:
            checks.check_log_det(lambda z, w=w, u=u: layer(z, w, u, 0.1), z)
            found.append("right")
        except AssertionError:
            found.append("wrong")
        except RuntimeError:
            found.append("error")
    return found


def witness():
    w = torch.tensor([3.0, 4.0])
    return w, w / 25  # w.u = 1, |w| = 5: m(1) - 1 = -0.69, times 5


# %% right: integers
"""
why: its witness holds whole numbers; a long w does it as well as a short one

-     return torch.tensor([0.1, 0.0]), torch.tensor([-50.0, 0.0])
+     return torch.tensor([3, 4]), torch.tensor([0, 0])
"""

# %% right: large_w
"""
why: a large w in place of a small one, and strings of NumPy
"""

import numpy as np


def outcomes():
    return list(np.array(["right", "wrong", "error", "wrong", "wrong", "right"]))


def witness():
    return torch.tensor([100.0, 0.0]), torch.tensor([0.0, 0.0])


# %% right: search
"""
why: searches at random for a witness
"""


def outcomes():
    answers = {(1, 2): "right", (2, 2): "wrong", (5, 2): "error", (5, 1): "wrong", (4, 4): "wrong"}
    return [*answers.values(), "right"]


def witness():
    generator = torch.Generator().manual_seed(0)
    for _ in range(100_000):
        w, u = 2 * torch.randn(2, 2, generator=generator)
        t = w @ u
        if t + (F.softplus(t) - 1 - t) * w.norm() < -1.2:
            return w, u


# %% right: tuple
"""
why: a tuple, and a witness with small w and very negative w.u
"""


def outcomes():
    return ("right", "wrong", "error", "wrong", "wrong", "right")


def witness():
    return torch.tensor([0.2, -0.2]), torch.tensor([-40.0, 40.0])


# %% wrong: always_error
"""
caught_by: task4_test_a
says: "(1, 2), (2, 2), (5, 1), (4, 4), (1, 1): not so"
why: believes that it never runs

-     return ["right", "wrong", "error", "wrong", "wrong", "right"]
+     return ["error"] * 6
"""

# %% wrong: batch_is_dim_right
"""
caught_by: task4_test_a
says: "which number is multiplied with which"
why: believes that batch = D is fine because it runs

-     return ["right", "wrong", "error", "wrong", "wrong", "right"]
+     return ["right", "right", "error", "wrong", "right", "right"]
"""

# %% wrong: dictionary
"""
caught_by: task4_test_a
says: must return a list
why: answers with a dictionary

-     return ["right", "wrong", "error", "wrong", "wrong", "right"]
+     return {
+         (1, 2): "right",
+         (2, 2): "wrong",
+         (5, 2): "error",
+         (5, 1): "wrong",
+         (4, 4): "wrong",
+         (1, 1): "right",
+     }
"""

# %% wrong: five_not_tried
"""
caught_by: task4_test_a
says: "(5,) be multiplied"
why: did not try five points

-     return ["right", "wrong", "error", "wrong", "wrong", "right"]
+     return ["right", "wrong", "wrong", "wrong", "wrong", "right"]
"""

# %% wrong: five_strings
"""
caught_by: task4_test_a
says: "six strings"
why: one answer short

-     return ["right", "wrong", "error", "wrong", "wrong", "right"]
+     return ["right", "wrong", "error", "wrong", "wrong"]
"""

# %% wrong: free_u
"""
caught_by: task4_test_b
says: has been lifted
why: w.u < -1 for the free u, which the constraint lifts

-     return torch.tensor([0.1, 0.0]), torch.tensor([-50.0, 0.0])
+     return torch.tensor([1.0, 1.0]), torch.tensor([-1.5, -1.5])
"""

# %% wrong: lists
"""
caught_by: task4_test_b
says: w is a list
why: gives the witness as lists of numbers

-     return torch.tensor([0.1, 0.0]), torch.tensor([-50.0, 0.0])
+     return [0.1, 0.0], [-50.0, 0.0]
"""

# %% wrong: one_dimension
"""
caught_by: task4_test_a
says: "over which axis"
why: believes that one dimension is safe

-     return ["right", "wrong", "error", "wrong", "wrong", "right"]
+     return ["right", "wrong", "error", "right", "wrong", "right"]
"""

# %% wrong: other_words
"""
caught_by: task4_test_a
says: "each must be"
why: answers True and False

-     return ["right", "wrong", "error", "wrong", "wrong", "right"]
+     return [True, False, False, False, False, True]
"""

# %% wrong: too_large
"""
caught_by: task4_test_b
says: "between -100 and 100"
why: entries of a million

-     return torch.tensor([0.1, 0.0]), torch.tensor([-50.0, 0.0])
+     return torch.tensor([1e-3, 0.0]), torch.tensor([-1e6, 0.0])
"""

# %% wrong: unit_w
"""
caught_by: task4_test_b
says: "which of the two would you change"
why: "|w| = 1, where the two constraints agree"

-     return torch.tensor([0.1, 0.0]), torch.tensor([-50.0, 0.0])
+     return torch.tensor([1.0, 0.0]), torch.tensor([-50.0, 0.0])
"""

# %% wrong: zero_w
"""
caught_by: task4_test_b
says: "translation"
why: w = 0

-     return torch.tensor([0.1, 0.0]), torch.tensor([-50.0, 0.0])
+     return torch.zeros(2), torch.tensor([-50.0, 0.0])
"""
