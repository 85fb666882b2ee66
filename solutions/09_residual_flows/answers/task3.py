# %% right: geometric
"""
why: "draws for each point how many further terms it gets, then adds all terms in one table"
"""


def forms_of(z, weights, noise, terms):
    rows, v = [torch.zeros_like(z[:, 0])], noise
    for k in range(1, terms + 1):
        v = push(v, z, weights)
        rows.append((1 if k % 2 else -1) * torch.einsum("ni,ni->n", noise, v) / k)
    return torch.stack(rows)


def cut_series(z, weights, noise, terms, lipschitz):
    rest = math.log(1 / (1 - lipschitz)) - sum(lipschitz**k / k for k in range(1, terms + 1))
    return forms_of(z, weights, noise, terms).sum(0), rest * z.shape[-1]


def roulette(z, weights, exact, keep, lipschitz, seed):
    if not keep > lipschitz * lipschitz:
        raise ValueError("the variance has no bound")
    draws = torch.Generator().manual_seed(seed)
    noise = torch.rand(z.shape, generator=draws, dtype=torch.float64).lt(0.5).to(z.dtype) * 2 - 1
    uniform = 1 - torch.rand(len(z), generator=draws, dtype=torch.float64)  # in (0, 1]
    further = torch.floor(uniform.log() / math.log(keep)).long()  # at least n with probability keep^n
    rows = forms_of(z, weights, noise, exact + int(further.max()))
    k = torch.arange(len(rows))[:, None]
    weight = keep ** -(k - exact).clamp(min=0).double()
    return (rows * (weight * (k <= exact + further)).to(z.dtype)).sum(0)


# %% right: point_by_point
"""
why: "a wheel of Python's own for each point, and the bound as a sum that is cut where nothing is added"
"""

import random


def cut_series(z, weights, noise, terms, lipschitz):
    total, carried, sign = z.new_zeros(z.shape[:1]), noise, 1.0
    for k in range(terms):
        carried = push(carried, z, weights)
        total = total + sign / (k + 1) * (carried * noise).sum(dim=-1)
        sign = -sign
    rest, k = 0.0, terms + 1
    while lipschitz**k > 1e-14:
        rest, k = rest + lipschitz**k / k, k + 1
    return total, torch.tensor(z.shape[1] * rest, dtype=z.dtype)


def roulette(z, weights, exact, keep, lipschitz, seed):
    if keep <= lipschitz**2:
        raise ValueError("keep is too small")
    wheel = random.Random(seed)
    stops = []
    for _ in range(len(z)):
        stop = exact
        while wheel.random() < keep:
            stop += 1
        stops.append(stop)
    signs = [[wheel.choice((-1.0, 1.0)) for _ in range(z.shape[1])] for _ in range(len(z))]
    noise = torch.tensor(signs, dtype=z.dtype).view_as(z)
    stops, v, total = torch.tensor(stops), noise, torch.zeros_like(z[:, 0])
    for k in range(1, int(stops.max()) + 1):
        v = push(v, z, weights)
        term = (noise * v).sum(1) / (k if k % 2 else -k)
        total = total + torch.where(stops >= k, term / keep ** max(k - exact, 0), 0.0)
    return total


# %% right: weight_of_each_point
"""
why: "one weight for each point, 0 once its wheel has stopped; draws by the global generator, put back after"
"""


def cut_series(z, weights, noise, terms, lipschitz):
    v, parts, tail = noise, [torch.zeros_like(z[:, 0])], -math.log1p(-lipschitz)
    for k in range(1, terms + 1):
        v = -push(v, z, weights)
        parts.append(-(noise * v).sum(1) / k)
        tail = tail - lipschitz**k / k
    return sum(parts), z.size(1) * tail


def roulette(z, weights, exact, keep, lipschitz, seed):
    if lipschitz >= math.sqrt(keep):
        raise ValueError(f"{keep} is not above {lipschitz} squared")
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        noise = torch.randn(z.shape, dtype=z.dtype).sign()
        weight, v, total, k = torch.ones_like(z[:, 0]), noise, torch.zeros_like(z[:, 0]), 1
        while k <= exact or weight.any():
            if k > exact:
                weight = weight * torch.bernoulli(torch.full_like(weight, keep)) / keep
            v = -push(v, z, weights)
            total = total - weight * (noise * v).sum(1) / k
            k += 1
    return total


# %% wrong: all_weighted
"""
caught_by: task3_test_b
says: "the exact terms are weighted, too"
why: "divides from the first term on"

-             weight = weight / keep
+             pass
+         weight = weight / keep
"""

# %% wrong: bound_without_d
"""
caught_by: task3_test_a
says: "D is missing"
why: "the bound of one dimension"

-     return total, z.shape[1] * tail
+     return total, tail
"""

# %% wrong: closed_bound
"""
caught_by: task3_test_a
says: "the closed bound"
why: "the closed form, which is a little larger"

-     return total, z.shape[1] * tail
+     n = terms + 1
+     return total, z.shape[1] * lipschitz**n / (n * (1 - lipschitz))
"""

# %% wrong: elementwise_power
"""
caught_by: task3_test_a
says: "raised to the power k"
why: "powers of the entries for powers of the matrix"

-         v = push(v, z, weights)
-         total = total - (-1) ** k * (noise * v).sum(1) / k
-         tail -= lipschitz**k / k
+         v = push(noise, z, weights) ** k
+         total = total - (-1) ** k * (noise * v).sum(1) / k
+         tail -= lipschitz**k / k
"""

# %% wrong: exact_determinant
"""
caught_by: task3_test_b
says: "which this task does not allow"
why: "asks for the determinant itself"

-     generator = torch.Generator().manual_seed(seed)
+     eye = torch.eye(z.shape[1], dtype=z.dtype)
+     J = torch.stack([push(unit.expand_as(z), z, weights) for unit in eye], 2)
+     return torch.linalg.slogdet(eye + J).logabsdet
+     generator = torch.Generator().manual_seed(seed)
"""

# %% wrong: factorial
"""
caught_by: task3_test_a
says: "k factorial"
why: "the series of the exponential"

-         total = total - (-1) ** k * (noise * v).sum(1) / k
-         tail -= lipschitz**k / k
+         total = total - (-1) ** k * (noise * v).sum(1) / math.factorial(k)
+         tail -= lipschitz**k / k
"""

# %% wrong: first_term_left
"""
caught_by: task3_test_a
says: "only the first term that is left out"
why: "the next term, as for an alternating series"

-     return total, z.shape[1] * tail
+     return total, z.shape[1] * lipschitz ** (terms + 1) / (terms + 1)
"""

# %% wrong: forgets_seed
"""
caught_by: task3_test_c
says: "the same seed gave two different results"
why: "noise from the global generator"

-     noise = torch.randint(0, 2, z.shape, generator=generator).to(z.dtype) * 2 - 1
+     noise = torch.randint(0, 2, z.shape).to(z.dtype) * 2 - 1
"""

# %% wrong: gaussian
"""
caught_by: task3_test_b
says: "is the noise +1 or -1"
why: "normal noise"

-     noise = torch.randint(0, 2, z.shape, generator=generator).to(z.dtype) * 2 - 1
+     noise = torch.randn(z.shape, generator=generator, dtype=z.dtype)
"""

# %% wrong: late_weight
"""
caught_by: task3_test_b
says: "has weight 1, but it is reached with probability keep"
why: "the weight grows one term too late"

-             weight = weight / keep
-         v = push(v, z, weights)
-         total = total - alive * (-1) ** k * weight * (noise * v).sum(1) / k
+         v = push(v, z, weights)
+         total = total - alive * (-1) ** k * weight * (noise * v).sum(1) / k
+         weight = weight / keep if k > exact else 1.0
"""

# %% wrong: long_series
"""
caught_by: task3_test_b
says: "there is no wheel"
why: "two hundred terms, and no chance"

-     while bool(alive.any()):
+     while k < 200:

-             alive = alive & (torch.rand(len(z), generator=generator) < keep)
-             weight = weight / keep
+             pass
"""

# %% wrong: mean_of_dimensions
"""
caught_by: task3_test_a
says: "the mean over the dimensions"
why: "averages over the dimensions"

-         total = total - (-1) ** k * (noise * v).sum(1) / k
-         tail -= lipschitz**k / k
+         total = total - (-1) ** k * (noise * v).mean(1) / k
+         tail -= lipschitz**k / k
"""

# %% wrong: multiplied
"""
caught_by: task3_test_b
says: "multiplied by its chance"
why: "the weight upside down"

-             weight = weight / keep
+             weight = weight * keep
"""

# %% wrong: no_division
"""
caught_by: task3_test_a
says: "the division by k is missing"
why: "a geometric series"

-         total = total - (-1) ** k * (noise * v).sum(1) / k
-         tail -= lipschitz**k / k
+         total = total - (-1) ** k * (noise * v).sum(1)
+         tail -= lipschitz**k / k
"""

# %% wrong: no_refusal
"""
caught_by: task3_test_b
says: "the variance need not be finite"
why: "takes any chance"

-     if keep <= lipschitz**2:
+     if keep <= 0:
"""

# %% wrong: one_more_term
"""
caught_by: task3_test_a
says: "one term too many"
why: "one term more than asked"

-     for k in range(1, terms + 1):
-         v = push(v, z, weights)
-         total = total - (-1) ** k * (noise * v).sum(1) / k
-         tail -= lipschitz**k / k
+     for k in range(1, terms + 2):
+         v = push(v, z, weights)
+         total = total - (-1) ** k * (noise * v).sum(1) / k
+         tail -= lipschitz**k / k
"""

# %% wrong: one_push
"""
caught_by: task3_test_a
says: "J is pushed once"
why: "pushes the noise, and not what was pushed before"

-         v = push(v, z, weights)
-         total = total - (-1) ** k * (noise * v).sum(1) / k
-         tail -= lipschitz**k / k
+         v = push(noise, z, weights)
+         total = total - (-1) ** k * (noise * v).sum(1) / k
+         tail -= lipschitz**k / k
"""

# %% wrong: one_wheel
"""
caught_by: task3_test_b
says: "a wheel of its own"
why: "one wheel for the whole batch"

-             alive = alive & (torch.rand(len(z), generator=generator) < keep)
+             alive = alive & (torch.rand(1, generator=generator) < keep)
"""

# %% wrong: refuses_lipschitz
"""
caught_by: task3_test_b
says: "it refuses"
why: "compares keep with L and not with its square"

-     if keep <= lipschitz**2:
+     if keep <= lipschitz:
"""

# %% wrong: same_noise
"""
caught_by: task3_test_c
says: "the estimate is biased"
why: "one noise for all points"

-     noise = torch.randint(0, 2, z.shape, generator=generator).to(z.dtype) * 2 - 1
+     noise = torch.randint(0, 2, z[:1].shape, generator=generator).to(z.dtype).expand_as(z) * 2 - 1
"""

# %% wrong: same_signs
"""
caught_by: task3_test_a
says: "the signs do not change"
why: "forgets the alternating sign"

-         total = total - (-1) ** k * (noise * v).sum(1) / k
-         tail -= lipschitz**k / k
+         total = total + (noise * v).sum(1) / k
+         tail -= lipschitz**k / k
"""

# %% wrong: stopping_chance
"""
caught_by: task3_test_b
says: "the wheel stops there"
why: "divides by the chance to stop at this term"

-         total = total - alive * (-1) ** k * weight * (noise * v).sum(1) / k
+         chance = (1 - keep) if k > exact else 1.0
+         total = total - alive * (-1) ** k * weight / chance * (noise * v).sum(1) / k
"""

# %% wrong: unweighted
"""
caught_by: task3_test_b
says: "terms are not weighted"
why: "a series of random length"

-             weight = weight / keep
"""

# %% wrong: weight_once
"""
caught_by: task3_test_b
says: "every further term has the same weight"
why: "divides once by keep"

-             weight = weight / keep
+             weight = 1 / keep
"""

# %% wrong: wrong_chance
"""
caught_by: task3_test_b
says: "comes in"
why: "goes on with probability 1 - keep"

-             alive = alive & (torch.rand(len(z), generator=generator) < keep)
+             alive = alive & (torch.rand(len(z), generator=generator) > keep)
"""
