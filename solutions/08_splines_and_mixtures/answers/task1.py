# %% right: clipped_steps
"""
why: "no search: each piece adds what of it lies left of the point"
"""


def line_to_z(x, widths, heights, bound):
    w, h = 2 * bound * widths, 2 * bound * heights
    left = w.cumsum(0) - w - bound
    climbed = torch.minimum((x[:, None] - left).clamp(min=0), w)
    z = -bound + (climbed * h / w).sum(1)
    within = ((x[:, None] > left) & (x[:, None] <= left + w)).to(x.dtype)
    log_slope = (within * (h / w).log()).sum(1)
    outside = (x < -bound) | (x > bound)
    return torch.where(outside, x, z), torch.where(outside, torch.zeros_like(x), log_slope)


def line_log_prob(x, widths, heights, bound):
    inside = (x >= -bound) & (x <= bound)
    base = torch.where(inside, -math.log(bound) - math.log(2), -math.inf).to(x.dtype)
    return base + line_to_z(x, widths, heights, bound)[1]


def line_to_x(z, widths, heights, bound):
    x, log_slope = line_to_z(z, heights, widths, bound)
    return x, log_slope


# %% right: interpolated
"""
why: "NumPy interpolates; the slope is looked up by a histogram's rule"
"""

import numpy as np


def corners(widths, heights, bound):
    both = [np.concatenate([[0.0], np.cumsum(part.double().numpy())]) for part in (widths, heights)]
    return [bound * (2 * part / part[-1] - 1) for part in both]


def read_off(points, given, wanted, bound):
    v = points.double().numpy()
    k = np.clip(np.searchsorted(given, v) - 1, 0, len(given) - 2)
    slope = np.log(np.diff(wanted) / np.diff(given))[k]
    inside = np.abs(v) <= bound
    result = np.where(inside, np.interp(v, given, wanted), v), np.where(inside, slope, 0.0)
    return [torch.as_tensor(part).to(points.dtype) for part in result]


def line_to_z(x, widths, heights, bound):
    x_knots, z_knots = corners(widths, heights, bound)
    return read_off(x, x_knots, z_knots, bound)


def line_log_prob(x, widths, heights, bound):
    log_p = line_to_z(x, widths, heights, bound)[1] + math.log(0.5 / bound)
    log_p[x.abs() > bound] = -math.inf
    return log_p


def line_to_x(z, widths, heights, bound):
    x_knots, z_knots = corners(widths, heights, bound)
    return read_off(z, z_knots, x_knots, bound)


# %% right: piece_by_piece
"""
why: "a loop over the pieces that writes into masked places"
"""


def line_to_z(x, widths, heights, bound):
    z, log_slope = x.clone(), torch.zeros_like(x)
    left, bottom = -bound, -bound
    for k in range(len(widths)):
        width, height = 2 * bound * float(widths[k]), 2 * bound * float(heights[k])
        last = k == len(widths) - 1
        here = (x >= left) & (x < left + width) if not last else (x >= left) & (x <= bound)
        z[here] = bottom + height / width * (x[here] - left)
        log_slope[here] = math.log(height / width)
        left, bottom = left + width, bottom + height
    return z, log_slope


def line_log_prob(x, widths, heights, bound):
    log_p = line_to_z(x, widths, heights, bound)[1] - math.log(2 * bound)
    return log_p.masked_fill(x.abs() > bound, -math.inf)


def line_to_x(z, widths, heights, bound):
    x, log_slope = line_to_z(z, heights, widths, bound)
    return x, log_slope


# %% wrong: always_double
"""
caught_by: task1_test_a
says: "keep the dtype"
why: "turns everything into float64"

-     return torch.where(inside, z, x), torch.where(inside, slope.log(), 0.0)
+     return torch.where(inside, z, x).double(), torch.where(inside, slope.log(), 0.0).double()
"""

# %% wrong: back_axis
"""
caught_by: task1_test_c
says: "looked up on the x axis"
why: "finds the piece of z among the knots of x"
"""


def line_to_z(x, widths, heights, bound):
    x_knots = 2 * bound * F.pad(widths.cumsum(0), (1, 0)) - bound
    z_knots = 2 * bound * F.pad(heights.cumsum(0), (1, 0)) - bound
    k = torch.searchsorted(x_knots[1:-1].contiguous(), x)
    slope, inside = heights[k] / widths[k], x.abs() <= bound
    z = z_knots[k] + slope * (x - x_knots[k])
    return torch.where(inside, z, x), torch.where(inside, slope.log(), 0.0)


def line_log_prob(x, widths, heights, bound):
    log_p = line_to_z(x, widths, heights, bound)[1] - math.log(2 * bound)
    return torch.where(x.abs() <= bound, log_p, -math.inf)


def line_to_x(z, widths, heights, bound):
    x_knots = 2 * bound * F.pad(widths.cumsum(0), (1, 0)) - bound
    z_knots = 2 * bound * F.pad(heights.cumsum(0), (1, 0)) - bound
    k = torch.searchsorted(x_knots[1:-1].contiguous(), z)
    slope, inside = widths[k] / heights[k], z.abs() <= bound
    x = x_knots[k] + slope * (z - z_knots[k])
    return torch.where(inside, x, z), torch.where(inside, slope.log(), 0.0)


# %% wrong: back_sign
"""
caught_by: task1_test_c
says: "the sign is flipped: this is log dz/dx"
why: "the way back returns the log-slope of the way there"

-     return line_to_z(z, heights, widths, bound)
+     x, log_slope = line_to_z(z, heights, widths, bound)
+     return x, -log_slope
"""

# %% wrong: back_there_again
"""
caught_by: task1_test_c
says: "the map x -> z again"
why: "the way back is the way there"

-     return line_to_z(z, heights, widths, bound)
+     return line_to_z(z, widths, heights, bound)
"""

# %% wrong: base_added
"""
caught_by: task1_test_b
says: "log 2B is added"
why: "adds the log of the base's side"

-     log_p = line_to_z(x, widths, heights, bound)[1] - math.log(2 * bound)
+     log_p = line_to_z(x, widths, heights, bound)[1] + math.log(2 * bound)
"""

# %% wrong: base_missing
"""
caught_by: task1_test_b
says: "the base's own density, 1 / 2B, is missing"
why: "takes the log-slope for the log-density"

-     log_p = line_to_z(x, widths, heights, bound)[1] - math.log(2 * bound)
+     log_p = line_to_z(x, widths, heights, bound)[1]
"""

# %% wrong: density_outside
"""
caught_by: task1_test_b
says: "there log p is -inf, not that of the base"
why: "goes on with the base's density outside the square"

-     return torch.where(x.abs() <= bound, log_p, -math.inf)
+     return log_p
"""

# %% wrong: equal_widths
"""
caught_by: task1_test_a
says: "equally wide"
why: "equal widths, as in the histogram of the lesson"

-     x_knots = 2 * bound * F.pad(widths.cumsum(0), (1, 0)) - bound
+     x_knots = torch.linspace(-bound, bound, len(widths) + 1, dtype=x.dtype)

-     slope, inside = heights[k] / widths[k], x.abs() <= bound
+     slope, inside = heights[k] * len(widths), x.abs() <= bound
"""

# %% wrong: flowlib
"""
caught_by: task1_test_a
says: "which this task does not allow"
why: "lets flowlib's straight pieces do it"
"""

from flowlib.splines import PiecewiseLinearTransformer


def line_to_z(x, widths, heights, bound):
    line = PiecewiseLinearTransformer(len(widths), bound=bound, min_slope=1e-9)
    z, log_slope = line.inverse(x[:, None], heights.log()[None, :, None].expand(len(x), -1, 1))
    return z[:, 0], log_slope[:, 0]


def line_log_prob(x, widths, heights, bound):
    log_p = line_to_z(x, widths, heights, bound)[1] - math.log(2 * bound)
    return torch.where(x.abs() <= bound, log_p, -math.inf)


def line_to_x(z, widths, heights, bound):
    return line_to_z(z, heights, widths, bound)


# %% wrong: goes_on
"""
caught_by: task1_test_a
says: "go on outside"
why: "the last piece has no end"

-     return torch.where(inside, z, x), torch.where(inside, slope.log(), 0.0)
+     return z, torch.where(inside, slope.log(), 0.0)
"""

# %% wrong: half_side
"""
caught_by: task1_test_b
says: "the side of the square is 2B, not B"
why: "half the side"

-     log_p = line_to_z(x, widths, heights, bound)[1] - math.log(2 * bound)
+     log_p = line_to_z(x, widths, heights, bound)[1] - math.log(bound)
"""

# %% wrong: hard_coded
"""
caught_by: task1_test_a
says: "z has shape"
why: "the example's number"
"""


def line_to_z(x, widths, heights, bound):
    return torch.tensor([-0.5]).to(x.dtype), torch.tensor([1.5]).log().to(x.dtype)


def line_log_prob(x, widths, heights, bound):
    return torch.tensor([0.375]).log().to(x.dtype)


def line_to_x(z, widths, heights, bound):
    return torch.tensor([-1.0]).to(z.dtype), -torch.tensor([1.5]).log().to(z.dtype)


# %% wrong: height_alone
"""
caught_by: task1_test_a
says: "here it is the height alone"
why: "the slope is not divided by the width"

-     slope, inside = heights[k] / widths[k], x.abs() <= bound
+     slope, inside = heights[k], x.abs() <= bound
"""

# %% wrong: held_at_the_edge
"""
caught_by: task1_test_a
says: "held at the edge"
why: "clamps what lies outside"

-     k = torch.searchsorted(x_knots[1:-1].contiguous(), x)
+     x = x.clamp(-bound, bound)
+     k = torch.searchsorted(x_knots[1:-1].contiguous(), x)
"""

# %% wrong: identity
"""
caught_by: task1_test_a
says: "x comes back unchanged"
why: "the identity, which obeys every law"
"""


def line_to_z(x, widths, heights, bound):
    return x.clone(), torch.zeros_like(x)


def line_log_prob(x, widths, heights, bound):
    return torch.where(x.abs() <= bound, -math.log(2 * bound), -math.inf).to(x.dtype)


def line_to_x(z, widths, heights, bound):
    return z.clone(), torch.zeros_like(z)


# %% wrong: next_piece
"""
caught_by: task1_test_a
says: "one piece further right"
why: "searches all knots, and so counts the first one"

-     k = torch.searchsorted(x_knots[1:-1].contiguous(), x)
+     k = torch.searchsorted(x_knots, x).clamp(max=len(widths) - 1)
"""

# %% wrong: outside_slope
"""
caught_by: task1_test_a
says: "outside the slope is 1"
why: "the last piece's slope goes on outside"

-     return torch.where(inside, z, x), torch.where(inside, slope.log(), 0.0)
+     return torch.where(inside, z, x), slope.log()
"""

# %% wrong: sign
"""
caught_by: task1_test_a
says: "the sign is flipped"
why: "the log-slope of the way back"

-     return torch.where(inside, z, x), torch.where(inside, slope.log(), 0.0)
+     return torch.where(inside, z, x), torch.where(inside, -slope.log(), 0.0)
"""

# %% wrong: slope_itself
"""
caught_by: task1_test_a
says: "the logarithm is missing"
why: "the slope and not its logarithm"

-     return torch.where(inside, z, x), torch.where(inside, slope.log(), 0.0)
+     return torch.where(inside, z, x), torch.where(inside, slope, 1.0)
"""

# %% wrong: upside_down
"""
caught_by: task1_test_a
says: "the slope is upside down"
why: "width over height"

-     slope, inside = heights[k] / widths[k], x.abs() <= bound
+     slope, inside = widths[k] / heights[k], x.abs() <= bound
"""
