# %% right: by_sine
"""
why: "an angle is what its sine and cosine say; the base is added at the end of a sum over angles"
"""


def circle_to_z(x, widths, heights, slopes, shift):
    turned = torch.atan2(torch.sin(x - shift), torch.cos(x - shift))
    around = torch.arange(slopes.shape[1] + 1) % slopes.shape[1]
    return arc(turned, widths, heights, slopes[:, around])


def torus_log_prob(x):
    x1, x2 = x.unbind(1)
    inputs_of_net = (torch.zeros_like(x), torch.stack([torch.cos(x1), torch.sin(x1)], -1))
    total = torch.full_like(x1, -math.log(4 * math.pi**2))
    for angle, seen in zip((x1, x2), inputs_of_net, strict=True):
        total = total + circle_to_z(angle, *conditioner(seen))[1]
    return total


# %% right: floor
"""
why: "whole turns taken off by rounding; both angles in one call"
"""


def circle_to_z(x, widths, heights, slopes, shift):
    turn = 2 * math.pi
    angle = x - shift
    angle = (angle - turn * torch.round(angle / turn)).clamp(-math.pi, math.pi)
    closed = torch.hstack((slopes, slopes.narrow(1, 0, 1)))
    z, log_slope = arc(angle, widths, heights, closed)
    return z, log_slope


def torus_log_prob(x):
    n = len(x)
    seen = x.new_zeros(2 * n, 2)
    seen[n:, 0], seen[n:, 1] = x[:, 0].cos(), x[:, 0].sin()
    _, log_slope = circle_to_z(x.T.reshape(-1), *conditioner(seen))
    return log_slope.view(2, n).sum(0) - math.log(2 * math.pi) * 2


# %% right: loop_of_turns
"""
why: "goes round until every angle is where the curve is right"
"""


def circle_to_z(x, widths, heights, slopes, shift):
    angle = x - shift
    while bool((angle > math.pi).any()):
        angle = torch.where(angle > math.pi, angle - 2 * math.pi, angle)
    while bool((angle < -math.pi).any()):
        angle = torch.where(angle < -math.pi, angle + 2 * math.pi, angle)
    return arc(angle, widths, heights, torch.cat((slopes, slopes[:, [0]]), dim=-1))


def torus_log_prob(x):
    first = circle_to_z(x[:, 0], *conditioner(torch.zeros(len(x), 2, dtype=x.dtype)))[1]
    direction = torch.polar(torch.ones_like(x[:, 0]), x[:, 0])
    second = circle_to_z(x[:, 1], *conditioner(torch.view_as_real(direction)))[1]
    uniform = 2 * math.log(1 / (2 * math.pi))
    return uniform + first + second


# %% wrong: area_once
"""
caught_by: task4_test_b
says: "log 2 pi counts twice"
why: "the base of one angle"

-     return first + second - 2 * math.log(2 * math.pi)
+     return first + second - math.log(2 * math.pi)
"""

# %% wrong: flowlib
"""
caught_by: task4_test_a
says: "which this task does not allow"
why: "wraps by flowlib's own circle"

+ from flowlib.splines import CircularSplineTransformer
  def circle_to_z(x, widths, heights, slopes, shift):

-     turned = torch.remainder(x - shift + math.pi, 2 * math.pi) - math.pi
+     turned = CircularSplineTransformer(8).wrap(x - shift)
"""

# %% wrong: hard_coded
"""
caught_by: task4_test_b
says: "log p has shape"
why: "the example's number"

-     return first + second - 2 * math.log(2 * math.pi)
+     return torch.tensor([-4.6577], dtype=x.dtype)
"""

# %% wrong: held
"""
caught_by: task4_test_a
says: "held at the seam"
why: "clamps angles as if they were numbers"

-     turned = torch.remainder(x - shift + math.pi, 2 * math.pi) - math.pi
+     turned = (x - shift).clamp(-math.pi, math.pi)
"""

# %% wrong: identity
"""
caught_by: task4_test_a
says: "x comes back unchanged"
why: "the identity is a map of the circle, too"

-     turned = torch.remainder(x - shift + math.pi, 2 * math.pi) - math.pi
-     return arc(turned, widths, heights, torch.cat([slopes, slopes[:, :1]], 1))
+     return 1 * x, 0 * x
"""

# %% wrong: last_slope
"""
caught_by: task4_test_a
says: "the last knot before it"
why: "repeats the wrong slope at the right end"

-     return arc(turned, widths, heights, torch.cat([slopes, slopes[:, :1]], 1))
+     return arc(turned, widths, heights, torch.cat([slopes, slopes[:, -1:]], 1))
"""

# %% wrong: line_ends
"""
caught_by: task4_test_a
says: "here it is 1"
why: "the right end of a line, with slope 1"

-     return arc(turned, widths, heights, torch.cat([slopes, slopes[:, :1]], 1))
+     return arc(turned, widths, heights, F.pad(slopes, (0, 1), value=1.0))
"""

# %% wrong: log_slope_sign
"""
caught_by: task4_test_b
says: "the log-slopes have the wrong sign"
why: "subtracts the log-slopes"

-     return first + second - 2 * math.log(2 * math.pi)
+     return -first - second - 2 * math.log(2 * math.pi)
"""

# %% wrong: no_shift
"""
caught_by: task4_test_a
says: "shift is not used"
why: "does not turn the circle"

-     turned = torch.remainder(x - shift + math.pi, 2 * math.pi) - math.pi
+     turned = torch.remainder(x + math.pi, 2 * math.pi) - math.pi
"""

# %% wrong: not_wrapped
"""
caught_by: task4_test_a
says: "not brought back to [-pi, pi]"
why: "takes angles for numbers"

-     turned = torch.remainder(x - shift + math.pi, 2 * math.pi) - math.pi
+     turned = x - shift
"""

# %% wrong: raw_angle
"""
caught_by: task4_test_b
says: "the net sees the raw angle"
why: "the net sees the angle itself, twice"

-     seen = torch.stack([x[:, 0].cos(), x[:, 0].sin()], 1)
+     seen = torch.stack([x[:, 0], x[:, 0]], 1)
"""

# %% wrong: second_alone
"""
caught_by: task4_test_b
says: "its parameters must depend on x1"
why: "two angles that know nothing of each other"

-     _, second = circle_to_z(x[:, 1], *conditioner(seen))
+     _, second = circle_to_z(x[:, 1], *conditioner(0 * seen))
"""

# %% wrong: sees_z
"""
caught_by: task4_test_b
says: "it must be those of x1"
why: "the net sees the angle after its bend"

-     seen = torch.stack([x[:, 0].cos(), x[:, 0].sin()], 1)
-     _, first = circle_to_z(x[:, 0], *conditioner(torch.zeros_like(x)))
+     bent, first = circle_to_z(x[:, 0], *conditioner(torch.zeros_like(x)))
+     seen = torch.stack([bent.cos(), bent.sin()], 1)
"""

# %% wrong: sine_first
"""
caught_by: task4_test_b
says: "the sine stands before the cosine"
why: "the two columns exchanged"

-     seen = torch.stack([x[:, 0].cos(), x[:, 0].sin()], 1)
+     seen = torch.stack([x[:, 0].sin(), x[:, 0].cos()], 1)
"""

# %% wrong: turned_late
"""
caught_by: task4_test_a
says: "turned after the curve"
why: "turns z in place of x"

-     turned = torch.remainder(x - shift + math.pi, 2 * math.pi) - math.pi
-     return arc(turned, widths, heights, torch.cat([slopes, slopes[:, :1]], 1))
+     turned = torch.remainder(x + math.pi, 2 * math.pi) - math.pi
+     z, log_slope = arc(turned, widths, heights, torch.cat([slopes, slopes[:, :1]], 1))
+     return torch.remainder(z - shift + math.pi, 2 * math.pi) - math.pi, log_slope
"""

# %% wrong: wrapped_first
"""
caught_by: task4_test_a
says: "before it is turned"
why: "wraps, then turns out of the square again"

-     turned = torch.remainder(x - shift + math.pi, 2 * math.pi) - math.pi
+     turned = torch.remainder(x + math.pi, 2 * math.pi) - math.pi - shift
"""

# %% wrong: wrong_turn
"""
caught_by: task4_test_a
says: "the wrong way"
why: "adds the shift"

-     turned = torch.remainder(x - shift + math.pi, 2 * math.pi) - math.pi
+     turned = torch.remainder(x + shift + math.pi, 2 * math.pi) - math.pi
"""

# %% wrong: zero_to_two_pi
"""
caught_by: task4_test_a
says: "brought to [0, 2 pi]"
why: "the other common choice of angles"

-     turned = torch.remainder(x - shift + math.pi, 2 * math.pi) - math.pi
+     turned = torch.remainder(x - shift, 2 * math.pi)
"""
