"""
task: task3
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
