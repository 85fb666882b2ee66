"""
task: task3
why: "a Python flag that travels in the extra state"
"""


class ActNormOnce(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.register_parameter("shift", nn.Parameter(torch.zeros(channels)))
        self.register_parameter("log_scale", nn.Parameter(torch.zeros(channels)))
        self.started = False

    def get_extra_state(self):
        return {"started": self.started}

    def set_extra_state(self, state):
        self.started = state["started"]

    def forward(self, z):
        scale, shift = (v[None, :, None, None] for v in (self.log_scale.exp(), self.shift))
        return z * scale + shift, self.log_scale.sum().expand(len(z)) * z[0, 0].numel()

    def inverse(self, x):
        if not self.started and self.training:
            rows = x.detach().transpose(0, 1).flatten(1)
            self.shift.data = rows.mean(1)
            constant = rows.amax(1) == rows.amin(1)
            self.log_scale.data = rows.std(1, correction=0).masked_fill(constant, 1.0).log()
            self.started = True
        scale, shift = (v[None, :, None, None] for v in (self.log_scale.exp(), self.shift))
        return (x - shift) / scale, self.log_scale.sum().expand(len(x)) * -x[0, 0].numel()
