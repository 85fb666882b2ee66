"""
task: task3
caught_by: task3_test_a
says: "one pixel's"
why: "the posted layer as it is"
"""


class ActNormOnce(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.log_scale = nn.Parameter(torch.zeros(channels))
        self.shift = nn.Parameter(torch.zeros(channels))
        self.started = False

    def start(self, x):
        self.shift.data = x.mean((0, 2, 3))
        self.log_scale.data = x.std((0, 2, 3), unbiased=False).log()
        self.started = True

    def forward(self, z):
        if not self.started:
            self.start(z)
        x = z * self.log_scale.exp().view(-1, 1, 1) + self.shift.view(-1, 1, 1)
        return x, self.log_scale.sum().expand(len(z))

    def inverse(self, x):
        if not self.started:
            self.start(x)
        z = (x - self.shift.view(-1, 1, 1)) * (-self.log_scale).exp().view(-1, 1, 1)
        return z, -self.log_scale.sum().expand(len(x))
