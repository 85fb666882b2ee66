"""
task: task1
why: makes a module of the layer and calls it
"""


class OneBend(torch.nn.Module):
    def __init__(self, w, u, b):
        super().__init__()
        self.w, self.u, self.b = w, u, b

    def forward(self, z):
        a = torch.mv(z, self.w).add(self.b).unsqueeze(-1)
        psi = torch.mul(1 - a.tanh().square(), self.w)
        return torch.addcmul(z, a.tanh(), self.u), torch.log(torch.abs(1 + torch.mv(psi, self.u)))


def planar_forward(z, w, u, b):
    return OneBend(w, u, b)(z)
