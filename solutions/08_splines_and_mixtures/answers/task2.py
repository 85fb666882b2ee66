# %% right: bisection
"""
why: "halves an interval, which no rounding can lead astray"
"""


def bin_value(xi, s, d0, d1):
    one = 1 - xi
    bottom = s * (xi + one) ** 2 + (d0 + d1 - 2 * s) * xi * one
    r = xi * (s * xi + d0 * one) / bottom
    slope = s * s * (d1 * xi * xi + 2 * s * xi * one + d0 * one * one) / bottom / bottom
    return r, torch.log(slope)


def bin_root(r, s, d0, d1):
    low, high = torch.zeros_like(r), torch.ones_like(r)
    for _ in range(60):
        middle = (low + high) / 2
        below = bin_value(middle, s, d0, d1)[0] < r
        low, high = torch.where(below, middle, low), torch.where(below, high, middle)
    return torch.where(r <= 0, torch.zeros_like(r), torch.where(r >= 1, torch.ones_like(r), (low + high) / 2))


# %% right: mirrored
"""
why: "where b < 0 the bin is seen from its other end, where b is positive"
"""


def bin_value(xi, s, d0, d1):
    bow = xi * (1 - xi)
    bottom = s + (d0 + d1 - 2 * s) * bow
    log_top = torch.log(d1 * xi.square() + 2 * s * bow + d0 * (1 - xi).square())
    return (s * xi.square() + d0 * bow) / bottom, 2 * s.log() + log_top - 2 * bottom.log()


def from_the_left(r, s, d0, d1):
    b = d0 - (d0 + d1 - 2 * s) * r
    root = torch.sqrt((b - 2 * s * r) ** 2 + 4 * s**2 * r * (1 - r))
    return b, 2 * s * r / (b.clamp(min=0) + root).clamp(min=torch.finfo(r.dtype).tiny)


def bin_root(r, s, d0, d1):
    b, left = from_the_left(r, s, d0, d1)
    _, right = from_the_left(1 - r, s, d1, d0)
    return torch.where(b > s, left, 1 - right)


# %% right: one_fraction
"""
why: "top and bottom are chosen first, then divided once"

-     return torch.where(b < 0, (root - b) / (2 * (s - b)), 2 * s * r / (b + root))
+     large, positive = b.abs() + root, b > 0
+     return torch.where(positive, 2 * s * r, large) / torch.where(positive, large, 2 * (s - b))
"""

# %% wrong: always_double
"""
caught_by: task2_test_b
says: "keep the dtype"
why: "works in float64 and stays there"

-     b = d0 - (d0 + d1 - 2 * s) * r
+     r, s, d0, d1 = r.double(), s.double(), d0.double(), d1.double()
+     b = d0 - (d0 + d1 - 2 * s) * r
"""

# %% wrong: bottom_not_squared
"""
caught_by: task2_test_a
says: "the bottom must be squared"
why: "forgets a square"

-     slope = (s / bottom) ** 2 * (d1 * xi**2 + 2 * s * bow + d0 * (1 - xi) ** 2)
+     slope = s**2 / bottom * (d1 * xi**2 + 2 * s * bow + d0 * (1 - xi) ** 2)
"""

# %% wrong: clamped
"""
caught_by: task2_test_b
says: "where b < 0"
why: "the printed formula, its discriminant clamped so that there is no NaN"

-     root = ((b - 2 * s * r) ** 2 + 4 * s**2 * r * (1 - r)).sqrt()
-     return torch.where(b < 0, (root - b) / (2 * (s - b)), 2 * s * r / (b + root))
+     root = (b**2 + 4 * (s - b) * s * r).clamp(min=1e-30).sqrt()
+     return 2 * s * r / (b + root)
"""

# %% wrong: few_rounds
"""
caught_by: task2_test_b
says: "more steps?"
why: "eight halvings"

-     b = d0 - (d0 + d1 - 2 * s) * r
-     root = ((b - 2 * s * r) ** 2 + 4 * s**2 * r * (1 - r)).sqrt()
-     return torch.where(b < 0, (root - b) / (2 * (s - b)), 2 * s * r / (b + root))
+     low, high = torch.zeros_like(r), torch.ones_like(r)
+     for _ in range(8):
+         middle = (low + high) / 2
+         below = bin_value(middle, s, d0, d1)[0] < r
+         low, high = torch.where(below, middle, low), torch.where(below, high, middle)
+     return (low + high) / 2
"""

# %% wrong: flowlib
"""
caught_by: task2_test_a
says: "which this task does not allow"
why: "calls the curve of flowlib's spline"
"""


def bin_value(xi, s, d0, d1):
    return SplineTransformer(1).curve(s, xi, d0, d1)


def bin_root(r, s, d0, d1):
    return SplineTransformer(1).solve(s, r, d0, d1)


# %% wrong: forward_again
"""
caught_by: task2_test_b
says: "the way xi -> r again"
why: "applies the curve instead of undoing it"

-     b = d0 - (d0 + d1 - 2 * s) * r
-     root = ((b - 2 * s * r) ** 2 + 4 * s**2 * r * (1 - r)).sqrt()
-     return torch.where(b < 0, (root - b) / (2 * (s - b)), 2 * s * r / (b + root))
+     return bin_value(r, s, d0, d1)[0]
"""

# %% wrong: hard_coded
"""
caught_by: task2_test_a
says: "r has shape"
why: "the example's numbers"
"""


def bin_value(xi, s, d0, d1):
    return torch.tensor([0.6667]).to(xi.dtype), torch.tensor([-0.1178]).to(xi.dtype)


def bin_root(r, s, d0, d1):
    return torch.tensor([0.5]).to(r.dtype)


# %% wrong: identity
"""
caught_by: task2_test_b
says: "r comes back unchanged"
why: "takes the bin for a straight line"

-     b = d0 - (d0 + d1 - 2 * s) * r
-     root = ((b - 2 * s * r) ** 2 + 4 * s**2 * r * (1 - r)).sqrt()
-     return torch.where(b < 0, (root - b) / (2 * (s - b)), 2 * s * r / (b + root))
+     return r.clone()
"""

# %% wrong: inner_slope
"""
caught_by: task2_test_a
says: "it is dr/dxi"
why: "the slope in the unit square"

-     slope = (s / bottom) ** 2 * (d1 * xi**2 + 2 * s * bow + d0 * (1 - xi) ** 2)
+     slope = s / bottom**2 * (d1 * xi**2 + 2 * s * bow + d0 * (1 - xi) ** 2)
"""

# %% wrong: linear_slope
"""
caught_by: task2_test_a
says: "the slope of a parabola"
why: "interpolates the two slopes"

-     slope = (s / bottom) ** 2 * (d1 * xi**2 + 2 * s * bow + d0 * (1 - xi) ** 2)
+     slope = d0 * (1 - xi) + d1 * xi
"""

# %% wrong: middle_term
"""
caught_by: task2_test_a
says: "its 2 is missing"
why: "loses the 2 of the middle term"

-     slope = (s / bottom) ** 2 * (d1 * xi**2 + 2 * s * bow + d0 * (1 - xi) ** 2)
+     slope = (s / bottom) ** 2 * (d1 * xi**2 + s * bow + d0 * (1 - xi) ** 2)
"""

# %% wrong: other_root
"""
caught_by: task2_test_b
says: "the other root"
why: "takes the root outside the bin"

-     return torch.where(b < 0, (root - b) / (2 * (s - b)), 2 * s * r / (b + root))
+     return (-b - root) / (2 * (s - b))
"""

# %% wrong: parabola
"""
caught_by: task2_test_a
says: "this is a parabola"
why: "the quadratic curve of (8.3)"

-     return (s * xi**2 + d0 * bow) / bottom, slope.log()
+     return (d0 * xi + (d1 - d0) * xi**2 / 2) / s, slope.log()
"""

# %% wrong: school
"""
caught_by: task2_test_b
says: "divides by a = 0"
why: "the formula that school teaches, for every b"

-     return torch.where(b < 0, (root - b) / (2 * (s - b)), 2 * s * r / (b + root))
+     return (root - b) / (2 * (s - b))
"""

# %% wrong: sign
"""
caught_by: task2_test_a
says: "the sign is flipped"
why: "the log-slope of the way back"

-     return (s * xi**2 + d0 * bow) / bottom, slope.log()
+     return (s * xi**2 + d0 * bow) / bottom, -slope.log()
"""

# %% wrong: squares_but_one_branch
"""
caught_by: task2_test_b
says: "where b < 0"
why: "the discriminant is a sum of squares, but one root formula serves all"

-     return torch.where(b < 0, (root - b) / (2 * (s - b)), 2 * s * r / (b + root))
+     return (2 * s * r / (b + root).clamp(min=1e-30)).clamp(0, 1)
"""

# %% wrong: swapped_slopes
"""
caught_by: task2_test_b
says: "d0 and d1 have changed places"
why: "the slopes of the two ends exchanged"

-     b = d0 - (d0 + d1 - 2 * s) * r
+     b = d1 - (d0 + d1 - 2 * s) * r
"""

# %% wrong: textbook
"""
caught_by: task2_test_b
says: "where b < 0"
why: "the formula as papers print it"

-     root = ((b - 2 * s * r) ** 2 + 4 * s**2 * r * (1 - r)).sqrt()
-     return torch.where(b < 0, (root - b) / (2 * (s - b)), 2 * s * r / (b + root))
+     a, c = s - b, -s * r
+     return 2 * c / (-b - (b**2 - 4 * a * c).sqrt())
"""

# %% wrong: textbook_in_double
"""
caught_by: task2_test_b
says: "where b < 0"
why: "the printed formula in float64 has enough digits for float32, and too few for float64"

-     b = d0 - (d0 + d1 - 2 * s) * r
-     root = ((b - 2 * s * r) ** 2 + 4 * s**2 * r * (1 - r)).sqrt()
-     return torch.where(b < 0, (root - b) / (2 * (s - b)), 2 * s * r / (b + root))
+     dtype = r.dtype
+     r, s, d0, d1 = (part.double() for part in (r, s, d0, d1))
+     b = d0 - (d0 + d1 - 2 * s) * r
+     root = (b**2 + 4 * (s - b) * s * r).clamp(min=0).sqrt()
+     return (2 * s * r / (b + root)).to(dtype)
"""

# %% wrong: times_s
"""
caught_by: task2_test_a
says: "it is multiplied by s"
why: "returns the rise in units of the width"

-     return (s * xi**2 + d0 * bow) / bottom, slope.log()
+     return s * (s * xi**2 + d0 * bow) / bottom, slope.log()
"""
