# %% right: augmented
"""
why: "one augmented state"
"""


def carry(z, k, steps, from_time, to_time):
    def rate(t, y):
        v, trace = field(t, y[:, :-1], k)
        return torch.cat([v, trace[:, None]], 1)

    y = torch.cat([z, z.new_zeros(len(z), 1)], 1)
    grid = [from_time + (to_time - from_time) * n / steps for n in range(steps + 1)]
    for n in range(steps):
        t, following = grid[n], grid[n + 1]
        h = following - t
        k1 = rate(t, y)
        k2 = rate(t + h / 2, y + h * k1 / 2)
        k3 = rate(t + h / 2, y + h * k2 / 2)
        k4 = rate(t + h, y + h * k3)
        y = y + h * (k1 / 6 + k2 / 3 + k3 / 3 + k4 / 6)
    return y[:, :-1], y[:, -1]


# %% right: padded_state
"""
why: "the log-determinant as a last column, and a loop over the table"
"""


def carry(z, k, steps, from_time, to_time):
    def rate(t, state):
        v, trace = field(t, state[:, :-1], k)
        return torch.cat([v, trace[:, None]], dim=1)

    state = torch.nn.functional.pad(z, (0, 1))
    h = (to_time - from_time) / steps
    for n in range(steps):
        t, slope, total = from_time + n * h, torch.zeros_like(state), torch.zeros_like(state)
        for node, weight in ((0.0, 1), (0.5, 2), (0.5, 2), (1.0, 1)):
            slope = rate(t + node * h, state + node * h * slope)
            total = total + weight * slope
        state = state + total * (h / 6)
    return state[:, :-1], state[:, -1]


# %% right: table
"""
why: "a loop over the rule's table"
"""


def carry(z, k, steps, from_time, to_time):
    size = (to_time - from_time) / steps
    log_det, t = 0 * z.sum(1), from_time
    for _ in range(steps):
        slope, moved, gained = 0.0 * z, z, 0.0
        for node, weight in ((0.0, 1), (0.5, 2), (0.5, 2), (1.0, 1)):
            slope, trace = field(t + node * size, z + node * size * slope, k)
            moved = moved + size * weight / 6 * slope
            gained = gained + size * weight / 6 * trace
        z, log_det, t = moved, log_det + gained, t + size
    return z, log_det


# %% right: times_in_a_list
"""
why: "the times by linspace, the stages in lists"
"""

from itertools import pairwise


def carry(z, k, steps, from_time, to_time):
    clock = torch.linspace(from_time, to_time, steps + 1, dtype=torch.float64).tolist()
    log_det = z.sum(1) * 0
    for now, after in pairwise(clock):
        h = after - now
        v, traces = [z * 0], []
        for node in (0, 0.5, 0.5, 1):
            velocity, trace = field(now + node * h, z + node * h * v[-1], k)
            v.append(velocity)
            traces.append(trace)
        weights = torch.tensor([1, 2, 2, 1], dtype=z.dtype) * h / 6
        z = z + torch.einsum("s,sbd->bd", weights, torch.stack(v[1:]))
        log_det = log_det + torch.einsum("s,sb->b", weights, torch.stack(traces))
    return z, log_det


# %% wrong: back_abs
"""
caught_by: task3_test_b
says: "ran on forward"
why: "the step is always positive"

-     h, log_det = (to_time - from_time) / steps, torch.zeros_like(z[:, 0])
+     h, log_det = abs(to_time - from_time) / steps, torch.zeros_like(z[:, 0])
"""

# %% wrong: back_clock
"""
caught_by: task3_test_b
says: "the velocity is reversed but the clock is not"
why: "the velocity is reversed, the clock is not"

-         t = from_time + step * h
+         t = min(from_time, to_time) + step * abs(h)
          v1, trace1 = field(t, z, k)
-         v2, trace2 = field(t + h / 2, z + h / 2 * v1, k)
-         v3, trace3 = field(t + h / 2, z + h / 2 * v2, k)
-         v4, trace4 = field(t + h, z + h * v3, k)
+         v2, trace2 = field(t + abs(h) / 2, z + h / 2 * v1, k)
+         v3, trace3 = field(t + abs(h) / 2, z + h / 2 * v2, k)
+         v4, trace4 = field(t + abs(h), z + h * v3, k)
"""

# %% wrong: back_log_det
"""
caught_by: task3_test_b
says: "way there"
why: "the way back does not flip the log-determinant"

-         log_det = log_det + h / 6 * (trace1 + 2 * trace2 + 2 * trace3 + trace4)
+         log_det = log_det + abs(h) / 6 * (trace1 + 2 * trace2 + 2 * trace3 + trace4)
"""

# %% wrong: back_sorted
"""
caught_by: task3_test_b
says: "times were sorted"
why: "sorts the times"

+     from_time, to_time = min(from_time, to_time), max(from_time, to_time)
      h, log_det = (to_time - from_time) / steps, torch.zeros_like(z[:, 0])
"""

# %% wrong: clock
"""
caught_by: task3_test_a
says: "t must advance"
why: "t never advances"

-     for step in range(steps):
-         t = from_time + step * h
+     for _ in range(steps):
+         t = from_time
"""

# %% wrong: detached
"""
caught_by: task3_test_a
says: "no gradient reaches"
why: "the fault of the clinic: right values, and no derivative by the start"

      for step in range(steps):
+         z = z.detach()
"""

# %% wrong: detached_from_k
"""
caught_by: task3_test_a
says: "a part of the way is cut off"
why: "the derivative by k sees the points only where they are, not how k moved them"

-     h, log_det = (to_time - from_time) / steps, torch.zeros_like(z[:, 0])
+     h, log_det = (to_time - from_time) / steps, 0 * z.sum(1)

-         v4, trace4 = field(t + h, z + h * v3, k)
+         v4, trace4 = field(t + h, z + (h * v3).detach(), k)
"""

# %% wrong: equal_weights
"""
caught_by: task3_test_a
says: "all stages weigh the same"
why: "all stages weigh the same"

-         z = z + h / 6 * (v1 + 2 * v2 + 2 * v3 + v4)
+         z = z + h / 4 * (v1 + v2 + v3 + v4)
"""

# %% wrong: euler
"""
caught_by: task3_test_a
says: "Euler steps"
why: "Euler"
"""


def carry(z, k, steps, from_time, to_time):
    h, log_det = (to_time - from_time) / steps, torch.zeros_like(z[:, 0])
    for step in range(steps):
        t = from_time + step * h
        v, trace = field(t, z, k)
        z, log_det = z + h * v, log_det + h * trace
    return z, log_det


# %% wrong: exact
"""
caught_by: task3_test_a
says: "this is the exact solution"
why: "many more steps than were asked for"

-     h, log_det = (to_time - from_time) / steps, torch.zeros_like(z[:, 0])
+     steps, log_det = 50 * steps, torch.zeros_like(z[:, 0])
+     h = (to_time - from_time) / steps
"""

# %% wrong: float32
"""
caught_by: task3_test_a
says: "keep the dtype"
why: "float32 always"

-     return z, log_det
+     return z.float(), log_det.float()
"""

# %% wrong: flowlib
"""
caught_by: task3_test_a
says: "by_flowlib"
why: "flowlib's solver"
"""


def carry(z, k, steps, from_time, to_time):
    return by_flowlib(z, k, steps, from_time, to_time)


# %% wrong: full_third_stage
"""
caught_by: task3_test_a
says: "the third stage goes the whole step"
why: "the third stage goes the whole step"

-         v3, trace3 = field(t + h / 2, z + h / 2 * v2, k)
+         v3, trace3 = field(t + h / 2, z + h * v2, k)
"""

# %% wrong: hard_coded
"""
caught_by: task3_test_a
says: "keep the dtype"
why: "the example"
"""


def carry(z, k, steps, from_time, to_time):
    return torch.tensor([[1.1434, 2.2934]]), torch.tensor([0.6807])


# %% wrong: identity
"""
caught_by: task3_test_a
says: "did not move"
why: "returns the start"

+     z_start = z
      h, log_det = (to_time - from_time) / steps, torch.zeros_like(z[:, 0])

-     return z, log_det
+     return z_start, log_det
"""

# %% wrong: log_det_batch
"""
caught_by: task3_test_a
says: "summed over the batch"
why: "summed over the batch"

-     return z, log_det
+     return z, log_det.sum().expand(len(z))
"""

# %% wrong: log_det_columns
"""
caught_by: task3_test_a
says: "drop the last axis"
why: "a column"

-     return z, log_det
+     return z, log_det[:, None]
"""

# %% wrong: log_det_end
"""
caught_by: task3_test_a
says: "at the end of each step only"
why: "the trace at the end of each step"

-         log_det = log_det + h / 6 * (trace1 + 2 * trace2 + 2 * trace3 + trace4)
+         log_det = log_det + h * field(t + h, z, k)[1]
"""

# %% wrong: log_det_euler
"""
caught_by: task3_test_a
says: "start of each step"
why: "Euler for the trace"

-         log_det = log_det + h / 6 * (trace1 + 2 * trace2 + 2 * trace3 + trace4)
+         log_det = log_det + h * trace1
"""

# %% wrong: log_det_mean
"""
caught_by: task3_test_a
says: "the mean over the dimensions is taken"
why: "mean over D"

-     return z, log_det
+     return z, log_det / z.shape[1]
"""

# %% wrong: log_det_no_step
"""
caught_by: task3_test_a
says: "step h is missing"
why: "the step is missing"

-         log_det = log_det + h / 6 * (trace1 + 2 * trace2 + 2 * trace3 + trace4)
+         log_det = log_det + 1 / 6 * (trace1 + 2 * trace2 + 2 * trace3 + trace4)
"""

# %% wrong: log_det_sign
"""
caught_by: task3_test_a
says: "sign is flipped"
why: "the change of log p"

-         log_det = log_det + h / 6 * (trace1 + 2 * trace2 + 2 * trace3 + trace4)
+         log_det = log_det - h / 6 * (trace1 + 2 * trace2 + 2 * trace3 + trace4)
"""

# %% wrong: log_det_times_d
"""
caught_by: task3_test_a
says: "counted D times"
why: "the trace is added to every column"

-     h, log_det = (to_time - from_time) / steps, torch.zeros_like(z[:, 0])
+     h, log_det = (to_time - from_time) / steps, torch.zeros_like(z)

-         log_det = log_det + h / 6 * (trace1 + 2 * trace2 + 2 * trace3 + trace4)
-     return z, log_det
+         log_det = log_det + h / 6 * (trace1 + 2 * trace2 + 2 * trace3 + trace4)[:, None]
+     return z, log_det.sum(1)
"""

# %% wrong: log_det_zero
"""
caught_by: task3_test_a
says: "left out"
why: "no log-determinant"

-         log_det = log_det + h / 6 * (trace1 + 2 * trace2 + 2 * trace3 + trace4)
+         log_det = log_det * 1.0
"""

# %% wrong: midpoint
"""
caught_by: task3_test_a
says: "midpoint steps"
why: "the midpoint rule"
"""


def carry(z, k, steps, from_time, to_time):
    h, log_det = (to_time - from_time) / steps, torch.zeros_like(z[:, 0])
    for step in range(steps):
        t = from_time + step * h
        v, _ = field(t, z, k)
        v, trace = field(t + h / 2, z + h / 2 * v, k)
        z, log_det = z + h * v, log_det + h * trace
    return z, log_det


# %% wrong: moves_z
"""
caught_by: task3_test_a
says: "changes its first argument in place"
why: "the points are moved where they stand"

-         z = z + h / 6 * (v1 + 2 * v2 + 2 * v3 + v4)
+         z += h / 6 * (v1 + 2 * v2 + 2 * v3 + v4)
"""

# %% wrong: one_over_steps
"""
caught_by: task3_test_a
says: "cover the interval"
why: "the step ignores the interval"

-     h, log_det = (to_time - from_time) / steps, torch.zeros_like(z[:, 0])
+     h, log_det = 1 / steps, torch.zeros_like(z[:, 0])
"""

# %% wrong: one_step
"""
caught_by: task3_test_a
says: "only one step"
why: "ignores steps"

+     steps = 1
      h, log_det = (to_time - from_time) / steps, torch.zeros_like(z[:, 0])
"""

# %% wrong: same_time
"""
caught_by: task3_test_a
says: "same time"
why: "stages without their times"

-         v2, trace2 = field(t + h / 2, z + h / 2 * v1, k)
-         v3, trace3 = field(t + h / 2, z + h / 2 * v2, k)
-         v4, trace4 = field(t + h, z + h * v3, k)
+         v2, trace2 = field(t, z + h / 2 * v1, k)
+         v3, trace3 = field(t, z + h / 2 * v2, k)
+         v4, trace4 = field(t, z + h * v3, k)
"""

# %% wrong: stage_from_wrong
"""
caught_by: task3_test_a
says: "the third stage starts from the first velocity"
why: "the third stage starts from the first velocity"

-         v3, trace3 = field(t + h / 2, z + h / 2 * v2, k)
+         v3, trace3 = field(t + h / 2, z + h / 2 * v1, k)
"""

# %% wrong: two_dimensions
"""
caught_by: task3_test_a
says: "the function fails"
why: "written for two dimensions"
"""


def carry(z, k, steps, from_time, to_time):
    h = (to_time - from_time) / steps
    y = torch.stack([z[:, 0], z[:, 1], 0 * z[:, 0]], 1)

    def rate(t, y):
        v, trace = field(t, y[:, :2], k)
        return torch.stack([v[:, 0], v[:, 1], trace], 1)

    for step in range(steps):
        t = from_time + step * h
        k1 = rate(t, y)
        k2 = rate(t + h / 2, y + h / 2 * k1)
        k3 = rate(t + h / 2, y + h / 2 * k2)
        k4 = rate(t + h, y + h * k3)
        y = y + h / 6 * (k1 + 2 * k2 + 2 * k3 + k4)
    return y[:, :2], y[:, 2]


# %% wrong: weights_1441
"""
caught_by: task3_test_a
says: "1, 4, 4, 1 over 10"
why: "other weights"

-         z = z + h / 6 * (v1 + 2 * v2 + 2 * v3 + v4)
-         log_det = log_det + h / 6 * (trace1 + 2 * trace2 + 2 * trace3 + trace4)
+         z = z + h / 10 * (v1 + 4 * v2 + 4 * v3 + v4)
+         log_det = log_det + h / 10 * (trace1 + 4 * trace2 + 4 * trace3 + trace4)
"""
