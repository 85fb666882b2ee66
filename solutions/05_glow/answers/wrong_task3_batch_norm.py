"""
task: task3
caught_by: task3_test_a
says: "uses nn.BatchNorm2d"
why: "torch's normalisation"
"""


class ActNormOnce(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.norm = nn.BatchNorm2d(channels)
        self.unused = nn.Parameter(torch.zeros(1))

    def forward(self, z):
        return z, z.new_zeros(len(z))

    def inverse(self, x):
        return self.norm(x), x.new_zeros(len(x))
