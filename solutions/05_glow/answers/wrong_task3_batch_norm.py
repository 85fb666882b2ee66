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


def gradients(channels, images, direction):
    """Given, leave it as it is: what an optimizer that is made before the first batch has to learn from."""
    layer = ActNormOnce(channels).double()
    held = [p for p in layer.parameters() if p.requires_grad]
    layer.inverse(images)
    value, log_det = getattr(layer, direction)(images)
    loss = value.mean() + log_det.mean()
    if not loss.requires_grad:
        return []
    loss.backward()
    return [torch.zeros_like(p) if p.grad is None else p.grad for p in held]
