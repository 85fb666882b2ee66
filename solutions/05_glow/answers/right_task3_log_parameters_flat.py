"""
task: task3
why: "flat parameters, a counter of batches, its own sums"
"""


class ActNormOnce(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.scale_log = nn.Parameter(torch.zeros(channels))
        self.offset = nn.Parameter(torch.zeros(channels))
        self.register_buffer("batches", torch.zeros((), dtype=torch.long))

    def pair(self):
        return self.scale_log[None, :, None, None], self.offset[None, :, None, None]

    def learn_from(self, x):
        rows = x.detach().transpose(0, 1).flatten(1)
        mean = rows.mean(1)
        deviation = (rows - mean[:, None]).pow(2).mean(1).sqrt()
        equal = (rows == rows[:, :1]).all(1)
        deviation = deviation.masked_fill(equal, 1)
        self.offset.data.copy_(mean)
        self.scale_log.data.copy_(deviation.log())
        self.batches.add_(1)

    def forward(self, z):
        s, b = self.pair()
        return z * s.exp() + b, s.sum().repeat(z.shape[0]) * z[0, 0].numel()

    def inverse(self, x):
        if self.training and self.batches.item() == 0:
            self.learn_from(x)
        s, b = self.pair()
        return (x - b) / s.exp(), -s.sum().repeat(x.shape[0]) * x[0, 0].numel()
