# %% right: dictionary
"""
why: gives the diagnosis as a dictionary and not as a function
"""

diagnosis = {"A": "direction", "B": "sign", "C": "healthy", "D": "constant"}


def repaired_log_prob(x):
    z = (2.0 - x.log()) / 0.5
    return -0.5 * z**2 - HALF_LOG_2PI - math.log(0.5) - x.log()


def repaired_draw(z):
    return (1.2 + 0.4 * z).exp()


# %% right: draw_mirrored
"""
why: mirrors the noise first; z and -z have the same density, so the draws have it too

-     z = (2.0 - x.log()) / 0.5
-     return -0.5 * z**2 - HALF_LOG_2PI - math.log(0.5) - x.log()
+     z = (x.log() - 2.0) / 0.5
+     return Normal(0.0, 1.0).log_prob(z) - math.log(0.5) - x.log()

-     return (1.2 + 0.4 * z).exp()
+     return (1.2 - 0.4 * z).exp()
"""

# %% right: flow
"""
why: "lets flowlib's layers do both repairs"

+ from flowlib.base import StandardNormal
+ from flowlib.bijection import Chain
+ from flowlib.scalar import Affine, Exp
  def diagnosis():

+ _b = Flow(Chain(Affine(2.0, -0.5), Exp()), StandardNormal(())).double()
+ _a = Chain(Affine(1.2, 0.4), Exp()).double()
  def repaired_log_prob(x):

-     z = (2.0 - x.log()) / 0.5
-     return -0.5 * z**2 - HALF_LOG_2PI - math.log(0.5) - x.log()
+     with torch.no_grad():
+         return _b.log_prob(x)

-     return (1.2 + 0.4 * z).exp()
+     with torch.no_grad():
+         return _a(z)[0]
"""

# %% right: from_given
"""
why: mends the given functions by what is too much in them

-     z = (2.0 - x.log()) / 0.5
-     return -0.5 * z**2 - HALF_LOG_2PI - math.log(0.5) - x.log()
+     return log_prob_b(x) - 2 * (math.log(0.5) + torch.log(x))

-     return (1.2 + 0.4 * z).exp()
+     return torch.exp(z * 0.4 + 1.2)
"""

# %% right: library
"""
why: builds both repairs from flowlib's maps
"""

from flowlib.base import StandardNormal
from flowlib.bijection import Chain
from flowlib.scalar import Affine, Exp

bus = Flow(Chain(Affine(2.0, -0.5), Exp()), StandardNormal(()))


def diagnosis():
    words = dict.fromkeys("ABCD", "healthy")
    words.update(A="direction", B="sign", D="constant")
    return words


def repaired_log_prob(x):
    return bus.log_prob(x)


def repaired_draw(z):
    return Chain(Affine(1.2, 0.4), Exp())(z)[0]


# %% wrong: a_b_swapped
"""
caught_by: task3_test_b
says: patient A is not
why: exchanges the two faults

-     return {"A": "direction", "B": "sign", "C": "healthy", "D": "constant"}
+     return {"A": "sign", "B": "direction", "C": "healthy", "D": "constant"}
"""

# %% wrong: abs_noise
"""
caught_by: task3_test_c
says: the sign of the noise is lost
why: draws from the upper half only

-     return (1.2 + 0.4 * z).exp()
+     return (1.2 + 0.4 * z.abs()).exp()
"""

# %% wrong: all_healthy
"""
caught_by: task3_test_a
says: three of the four
why: takes running code for right code

-     return {"A": "direction", "B": "sign", "C": "healthy", "D": "constant"}
+     return dict.fromkeys("ABCD", "healthy")
"""

# %% wrong: all_sign
"""
caught_by: task3_test_b
says: patient A is not
why: calls every broken flow a wrong sign

-     return {"A": "direction", "B": "sign", "C": "healthy", "D": "constant"}
+     return {"A": "sign", "B": "sign", "C": "healthy", "D": "sign"}
"""

# %% wrong: c_suspected
"""
caught_by: task3_test_b
says: patient C is not
why: suspects the map that decreases, and lets the missing constant pass

-     return {"A": "direction", "B": "sign", "C": "healthy", "D": "constant"}
+     return {"A": "direction", "B": "sign", "C": "sign", "D": "healthy"}
"""

# %% wrong: d_for_sign
"""
caught_by: task3_test_b
says: patient D is not
why: area above 1, so it must be the sign

-     return {"A": "direction", "B": "sign", "C": "healthy", "D": "constant"}
+     return {"A": "direction", "B": "sign", "C": "healthy", "D": "sign"}
"""

# %% wrong: draw_no_exp
"""
caught_by: task3_test_c
says: stops before the exponential
why: stops before the exponential

-     return (1.2 + 0.4 * z).exp()
+     return 1.2 + 0.4 * z
"""

# %% wrong: draw_order
"""
caught_by: task3_test_c
says: the shift is added before the scale
why: shifts before it scales

-     return (1.2 + 0.4 * z).exp()
+     return (0.4 * (z + 1.2)).exp()
"""

# %% wrong: draw_random
"""
caught_by: task3_test_c
says: other times for the same noise
why: ignores the noise it is given

-     return (1.2 + 0.4 * z).exp()
+     return (1.2 + 0.4 * torch.randn_like(z)).exp()
"""

# %% wrong: draw_unchanged
"""
caught_by: task3_test_c
says: normalising direction
why: calls the faulty sampler again

-     return (1.2 + 0.4 * z).exp()
+     return draw_a(z)
"""

# %% wrong: half_a_sign
"""
caught_by: task3_test_c
says: that of the scale is not
why: turns the sign of log x and not that of the scale

-     return -0.5 * z**2 - HALF_LOG_2PI - math.log(0.5) - x.log()
+     return -0.5 * z**2 - HALF_LOG_2PI + math.log(0.5) - x.log()
"""

# %% wrong: log_prob_unchanged
"""
caught_by: task3_test_c
says: still returns patient B
why: calls the faulty scorer again

-     z = (2.0 - x.log()) / 0.5
-     return -0.5 * z**2 - HALF_LOG_2PI - math.log(0.5) - x.log()
+     return log_prob_b(x)
"""

# %% wrong: missing
"""
caught_by: task3_test_a
says: the keys are
why: leaves a patient out

-     return {"A": "direction", "B": "sign", "C": "healthy", "D": "constant"}
+     return {"A": "direction", "B": "sign", "D": "constant"}
"""

# %% wrong: normalised_numerically
"""
caught_by: task3_test_c
says: only divided by an area
why: divides the wrong density by its area and leaves the sign as it is

+ _grid = torch.linspace(1e-3, 200, 400001, dtype=torch.float64)
+ _area = torch.trapezoid(log_prob_b(_grid).exp(), _grid).log()
  def repaired_log_prob(x):

-     z = (2.0 - x.log()) / 0.5
-     return -0.5 * z**2 - HALF_LOG_2PI - math.log(0.5) - x.log()
+     return log_prob_b(x) - _area
"""

# %% wrong: other_density
"""
caught_by: task3_test_c
says: it belongs to patient A
why: a density that integrates to 1 and belongs to another sampler

-     z = (2.0 - x.log()) / 0.5
-     return -0.5 * z**2 - HALF_LOG_2PI - math.log(0.5) - x.log()
+     return log_prob_a(x)
"""

# %% wrong: own_word
"""
caught_by: task3_test_a
says: use only
why: uses a word that is not in the list

-     return {"A": "direction", "B": "sign", "C": "healthy", "D": "constant"}
+     return {"A": "sampler", "B": "sign", "C": "healthy", "D": "constant"}
"""
