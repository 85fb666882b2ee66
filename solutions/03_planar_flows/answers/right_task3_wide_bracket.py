"""
task: task3
why: bisection on a bracket wider than needed, one point at a time
"""


def planar_inverse(x, w, u, b):
    t = torch.dot(w, u)
    rows, log_dets = [], []
    for point in x:
        y = torch.dot(point, w) + b
        low, high = y - t.abs() - 1, y + t.abs() + 1
        for _ in range(80):
            middle = 0.5 * (low + high)
            if middle + t * torch.tanh(middle) < y:
                low = middle
            else:
                high = middle
        a = 0.5 * (low + high)
        rows.append(point - u * torch.tanh(a))
        log_dets.append(-torch.log(1 + t / torch.cosh(a) ** 2))
    return torch.stack(rows), torch.stack(log_dets)
