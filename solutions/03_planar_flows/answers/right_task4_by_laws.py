"""
task: task4
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
