"""
task: task3
caught_by: task3_test_c
says: "or they are detached"
why: "forward uses the numbers of s and b, not the parameters"
"""


class ActNormOnce(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.s = nn.Parameter(torch.zeros(channels, 1, 1))
        self.b = nn.Parameter(torch.zeros(channels, 1, 1))
        self.register_buffer("started", torch.tensor(False))

    def forward(self, z):
        """x, (batch, C, H, W), and log|det dx/dz|, (batch,)."""
        pixels = z.shape[2] * z.shape[3]
        return z * self.s.exp() + self.b.detach(), (pixels * self.s.sum()).expand(len(z))

    def inverse(self, x):
        """z, (batch, C, H, W), and log|det dz/dx|, (batch,)."""
        if self.training and not self.started:
            with torch.no_grad():
                deviation = x.std((0, 2, 3), unbiased=False).view(-1, 1, 1)
                constant = (x.amax((0, 2, 3)) == x.amin((0, 2, 3))).view(-1, 1, 1)
                self.s.copy_(torch.where(constant, 1.0, deviation).log())
                self.b.copy_(x.mean((0, 2, 3)).view(-1, 1, 1))
                self.started.fill_(True)
        pixels = x.shape[2] * x.shape[3]
        return (x - self.b) * (-self.s).exp(), -(pixels * self.s.sum()).expand(len(x))
