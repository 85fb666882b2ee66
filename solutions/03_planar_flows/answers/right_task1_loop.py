"""
task: task1
why: one point at a time
"""


def planar_forward(z, w, u, b):
    xs, log_dets = [], []
    for point in z:
        h = torch.tanh(torch.dot(point, w) + b)
        xs.append(point + u * h)
        log_dets.append(torch.log(torch.abs(1 + torch.dot(u, w) * (1 - h * h))))
    return torch.stack(xs), torch.stack(log_dets)
