"""
task: task3
why: "the flag is a parameter without gradient; var_mean"
"""


class ActNormOnce(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.s = nn.Parameter(torch.zeros(1, channels, 1, 1))
        self.b = nn.Parameter(torch.zeros(1, channels, 1, 1))
        self.ready = nn.Parameter(torch.zeros(1), requires_grad=False)

    @torch.no_grad()
    def start(self, x):
        variance, mean = torch.var_mean(x, (0, 2, 3), correction=0, keepdim=True)
        deviation = variance.sqrt()
        deviation[x.amax((0, 2, 3), keepdim=True) == x.amin((0, 2, 3), keepdim=True)] = 1
        self.b.copy_(mean)
        self.s.copy_(deviation.log())
        self.ready += 1

    def forward(self, z):
        log_det = z.shape[2] * z.shape[3] * self.s.sum()
        return z * self.s.exp() + self.b, log_det.repeat(len(z))

    def inverse(self, x):
        if self.training and self.ready == 0:
            self.start(x)
        log_det = -x.shape[2] * x.shape[3] * self.s.sum()
        return (x - self.b) / self.s.exp(), log_det.repeat(len(x))
