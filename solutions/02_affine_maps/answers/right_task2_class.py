"""
task: task2
why: makes a list of small layers with forward and inverse
"""


class Affine2:
    def __init__(self, A, b):
        self.A, self.b = A, b

    def forward(self, z):
        return torch.nn.functional.linear(z, self.A, self.b), torch.linalg.slogdet(self.A)[1].expand(len(z))

    def inverse(self, x):
        return (torch.linalg.inv(self.A) @ (x - self.b).T).T, -torch.linalg.slogdet(self.A)[1].expand(len(x))


class Kink:
    def __init__(self, s):
        self.s = s

    def forward(self, z):
        return torch.nn.functional.leaky_relu(z, self.s), torch.where(z < 0, math.log(self.s), 0.0).to(z).sum(
            -1
        )

    def inverse(self, x):
        z = torch.nn.functional.leaky_relu(x, 1 / self.s)
        return z, -self.forward(z)[1]


def _layers(matrices, shifts, slope):
    out = []
    for A, b in zip(matrices, shifts, strict=True):
        out += [Affine2(A, b), Kink(slope)]
    return out[:-1]


def stack_forward(z, matrices, shifts, slope):
    total = 0
    for layer in _layers(matrices, shifts, slope):
        z, term = layer.forward(z)
        total = total + term
    return z, total


def stack_inverse(x, matrices, shifts, slope):
    total = 0
    for layer in _layers(matrices, shifts, slope)[::-1]:
        x, term = layer.inverse(x)
        total = total + term
    return x, total
