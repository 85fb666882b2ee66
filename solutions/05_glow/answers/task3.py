# %% right: extra_state
"""
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


# %% right: four_axes
"""
why: "parameters with four axes, a flag that counts, a method of its own"
"""


class ActNormOnce(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.s = nn.Parameter(torch.zeros(1, channels, 1, 1))
        self.b = nn.Parameter(torch.zeros(1, channels, 1, 1))
        self.register_buffer("ready", torch.zeros(1))

    @torch.no_grad()
    def start(self, x):
        mean = x.mean((0, 2, 3), keepdim=True)
        deviation = (x - mean).square().mean((0, 2, 3), keepdim=True).sqrt()
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


# %% right: frozen_flag
"""
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


# %% right: log_parameters_flat
"""
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


# %% wrong: batch_norm
"""
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


# %% wrong: buffer_not_persistent
"""
caught_by: task3_test_b
says: "is not saved"
why: "a buffer that state_dict leaves out"
from: four_axes

-         self.register_buffer("ready", torch.zeros(1))
+         self.register_buffer("ready", torch.zeros(1), persistent=False)

-         deviation[x.amax((0, 2, 3), keepdim=True) == x.amin((0, 2, 3), keepdim=True)] = 1
+         deviation[deviation == 0] = 1
"""

# %% wrong: buffers
"""
caught_by: task3_test_a
says: "does not use Parameter"
why: "numbers that no optimiser sees"
from: four_axes

-         self.s = nn.Parameter(torch.zeros(1, channels, 1, 1))
-         self.b = nn.Parameter(torch.zeros(1, channels, 1, 1))
+         self.register_buffer("s", torch.zeros(1, channels, 1, 1))
+         self.register_buffer("b", torch.zeros(1, channels, 1, 1))

-         deviation[x.amax((0, 2, 3), keepdim=True) == x.amin((0, 2, 3), keepdim=True)] = 1
+         deviation[deviation == 0] = 1
"""

# %% wrong: constant_epsilon
"""
caught_by: task3_test_c
says: "blows later batches up"
why: "a small number added to the deviation"
from: four_axes

-         deviation[x.amax((0, 2, 3), keepdim=True) == x.amin((0, 2, 3), keepdim=True)] = 1
+         deviation = deviation + 1e-6
"""

# %% wrong: constant_not_finite
"""
caught_by: task3_test_c
says: "not finite"
why: "the logarithm of zero"
from: four_axes

-         deviation[x.amax((0, 2, 3), keepdim=True) == x.amin((0, 2, 3), keepdim=True)] = 1
"""

# %% wrong: detached
"""
caught_by: task3_test_c
says: "or they are detached"
why: "forward uses the numbers of s and b, not the parameters"

-         return z * self.s.exp() + self.b, (pixels * self.s.sum()).expand(len(z))
+         return z * self.s.exp() + self.b.detach(), (pixels * self.s.sum()).expand(len(z))
"""

# %% wrong: deviation_rounded
"""
caught_by: task3_test_c
says: "or its rounding"
why: "the deviation of a constant channel may be 1e-17 instead of 0"

-                 constant = (x.amax((0, 2, 3)) == x.amin((0, 2, 3))).view(-1, 1, 1)
-                 self.s.copy_(torch.where(constant, 1.0, deviation).log())
+                 self.s.copy_(torch.where(deviation > 0, deviation, 1.0).log())
"""

# %% wrong: each_pixel
"""
caught_by: task3_test_a
says: "pixels of one channel are treated differently"
why: "statistics over the batch only"
from: four_axes

-         mean = x.mean((0, 2, 3), keepdim=True)
-         deviation = (x - mean).square().mean((0, 2, 3), keepdim=True).sqrt()
-         deviation[x.amax((0, 2, 3), keepdim=True) == x.amin((0, 2, 3), keepdim=True)] = 1
-         self.b.copy_(mean)
-         self.s.copy_(deviation.log())
+         mean = x.mean(0, keepdim=True)
+         deviation = (x - mean).square().mean(0, keepdim=True).sqrt()
+         deviation[deviation == 0] = 1
+         self.b.data = mean
+         self.s.data = deviation.log()
"""

# %% wrong: eval_marks
"""
caught_by: task3_test_b
says: "must start in training mode later"
why: "the first call counts, whatever the mode"
from: four_axes

-         deviation[x.amax((0, 2, 3), keepdim=True) == x.amin((0, 2, 3), keepdim=True)] = 1
+         deviation[deviation == 0] = 1

              self.start(x)
+         self.ready.fill_(1)
"""

# %% wrong: eval_starts
"""
caught_by: task3_test_b
says: "in evaluation mode"
why: "starts in evaluation mode too"
from: four_axes

-         deviation[x.amax((0, 2, 3), keepdim=True) == x.amin((0, 2, 3), keepdim=True)] = 1
+         deviation[deviation == 0] = 1

-         if self.training and self.ready == 0:
+         if self.ready == 0:
"""

# %% wrong: every_batch
"""
caught_by: task3_test_a
says: "normalised by its own mean"
why: "batch normalisation: statistics of every batch"
from: four_axes

-         deviation[x.amax((0, 2, 3), keepdim=True) == x.amin((0, 2, 3), keepdim=True)] = 1
+         deviation[deviation == 0] = 1

-         if self.training and self.ready == 0:
+         if self.training:
"""

# %% wrong: flag_not_saved
"""
caught_by: task3_test_b
says: "is not saved"
why: "the flag is a Python attribute"
from: four_axes

-         self.register_buffer("ready", torch.zeros(1))
+         self.ready = 0

-         deviation[x.amax((0, 2, 3), keepdim=True) == x.amin((0, 2, 3), keepdim=True)] = 1
+         deviation[deviation == 0] = 1
"""

# %% wrong: flowlib
"""
caught_by: task3_test_a
says: "uses ActNorm"
why: "flowlib's finished layer"
"""

from flowlib.linear import ActNorm


class ActNormOnce(ActNorm):
    def __init__(self, channels):
        super().__init__(channels)
        self.extra = nn.Parameter(torch.zeros(1))


# %% wrong: forward_marks
"""
caught_by: task3_test_b
says: "forward has started"
why: "forward leaves the numbers alone and sets the flag"
from: four_axes

-         deviation[x.amax((0, 2, 3), keepdim=True) == x.amin((0, 2, 3), keepdim=True)] = 1
+         deviation[deviation == 0] = 1

      def forward(self, z):
+         with torch.no_grad():
+             self.ready += 1
"""

# %% wrong: forward_no_shift
"""
caught_by: task3_test_a
says: "the shift b is not added"
why: "the shift is not put back"
from: four_axes

-         deviation[x.amax((0, 2, 3), keepdim=True) == x.amin((0, 2, 3), keepdim=True)] = 1
+         deviation[deviation == 0] = 1

-         return z * self.s.exp() + self.b, log_det.repeat(len(z))
+         return z * self.s.exp(), log_det.repeat(len(z))
"""

# %% wrong: forward_shift_first
"""
caught_by: task3_test_a
says: "adds the shift before it scales"
why: "shift before scale"
from: four_axes

-         deviation[x.amax((0, 2, 3), keepdim=True) == x.amin((0, 2, 3), keepdim=True)] = 1
+         deviation[deviation == 0] = 1

-         return z * self.s.exp() + self.b, log_det.repeat(len(z))
+         return (z + self.b) * self.s.exp(), log_det.repeat(len(z))
"""

# %% wrong: forward_starts
"""
caught_by: task3_test_b
says: "forward of a new layer must be the identity"
why: "sampling starts the layer from noise"
from: four_axes

-         deviation[x.amax((0, 2, 3), keepdim=True) == x.amin((0, 2, 3), keepdim=True)] = 1
+         deviation[deviation == 0] = 1

      def forward(self, z):
+         if self.training and self.ready == 0:
+             self.start(z)
"""

# %% wrong: identity
"""
caught_by: task3_test_a
says: "comes out as it went in"
why: "never starts"
from: four_axes

-         deviation[x.amax((0, 2, 3), keepdim=True) == x.amin((0, 2, 3), keepdim=True)] = 1
+         deviation[deviation == 0] = 1

-         if self.training and self.ready == 0:
-             self.start(x)
"""

# %% wrong: inverse_no_pixels
"""
caught_by: task3_test_a
says: "it is one pixel's"
why: "H W is lost in the inverse"
from: four_axes

-         deviation[x.amax((0, 2, 3), keepdim=True) == x.amin((0, 2, 3), keepdim=True)] = 1
+         deviation[deviation == 0] = 1

-         log_det = -x.shape[2] * x.shape[3] * self.s.sum()
+         log_det = -self.s.sum()
"""

# %% wrong: log_det_frozen
"""
caught_by: task3_test_a
says: "left out (zero)"
why: "log_det of the first batch is worked out before the start"

+         pixels, first = x.shape[2] * x.shape[3], self.s.sum().clone()
          if self.training and not self.started:

-         pixels = x.shape[2] * x.shape[3]
-         return (x - self.b) * (-self.s).exp(), -(pixels * self.s.sum()).expand(len(x))
+         return (x - self.b) * (-self.s).exp(), -(pixels * first).expand(len(x))
"""

# %% wrong: mean_log_det
"""
caught_by: task3_test_a
says: "mean over the dimensions"
why: "mean instead of sum"
from: four_axes

-         deviation[x.amax((0, 2, 3), keepdim=True) == x.amin((0, 2, 3), keepdim=True)] = 1
+         deviation[deviation == 0] = 1

-         log_det = -x.shape[2] * x.shape[3] * self.s.sum()
+         log_det = -x.shape[2] * x.shape[3] * self.s.mean()
"""

# %% wrong: mean_only
"""
caught_by: task3_test_a
says: "the scale is left as it was"
why: "only the mean is set"
from: four_axes

-         deviation[x.amax((0, 2, 3), keepdim=True) == x.amin((0, 2, 3), keepdim=True)] = 1
+         deviation[deviation == 0] = 1
          self.b.copy_(mean)
-         self.s.copy_(deviation.log())
"""

# %% wrong: multiplied
"""
caught_by: task3_test_a
says: "multiplied by the standard deviation"
why: "the scale goes the wrong way"
from: four_axes

-         deviation[x.amax((0, 2, 3), keepdim=True) == x.amin((0, 2, 3), keepdim=True)] = 1
+         deviation[deviation == 0] = 1

-         return (x - self.b) / self.s.exp(), log_det.repeat(len(x))
+         return (x - self.b) * self.s.exp(), log_det.repeat(len(x))
"""

# %% wrong: new_parameters
"""
caught_by: task3_test_c
says: "an optimizer made before the first batch holds other parameters"
why: "the start puts new parameters in the place of those that an optimizer holds"

-                 self.s.copy_(torch.where(constant, 1.0, deviation).log())
-                 self.b.copy_(x.mean((0, 2, 3)).view(-1, 1, 1))
+                 self.s = nn.Parameter(torch.where(constant, 1.0, deviation).log())
+                 self.b = nn.Parameter(x.mean((0, 2, 3)).view(-1, 1, 1))
"""

# %% wrong: no_flag
"""
caught_by: task3_test_b
says: "s = b = 0 does not say"
why: "reads off s and b whether it has started"

-         self.register_buffer("started", torch.tensor(False))

-         if self.training and not self.started:
+         if self.training and not (self.s.any() or self.b.any()):

-                 self.started.fill_(True)
"""

# %% wrong: no_grad
"""
caught_by: task3_test_c
says: "no gradient reaches"
why: "both methods under no_grad: the layer starts, and never learns"

+     @torch.no_grad()
      def forward(self, z):

+     @torch.no_grad()
      def inverse(self, x):
"""

# %% wrong: no_pixels
"""
caught_by: task3_test_a
says: "one pixel's"
why: "H W is lost in forward"
from: four_axes

-         deviation[x.amax((0, 2, 3), keepdim=True) == x.amin((0, 2, 3), keepdim=True)] = 1
+         deviation[deviation == 0] = 1

-         log_det = z.shape[2] * z.shape[3] * self.s.sum()
+         log_det = self.s.sum()
"""

# %% wrong: not_trainable
"""
caught_by: task3_test_c
says: "no gradient reaches"
why: "parameters that no optimizer holds"

-         self.s = nn.Parameter(torch.zeros(channels, 1, 1))
-         self.b = nn.Parameter(torch.zeros(channels, 1, 1))
+         self.s = nn.Parameter(torch.zeros(channels, 1, 1), requires_grad=False)
+         self.b = nn.Parameter(torch.zeros(channels, 1, 1), requires_grad=False)
"""

# %% wrong: one_mean
"""
caught_by: task3_test_a
says: "a mean of its own"
why: "one mean and deviation for all channels"
from: four_axes

-         mean = x.mean((0, 2, 3), keepdim=True)
+         mean = x.mean()
          deviation = (x - mean).square().mean((0, 2, 3), keepdim=True).sqrt()
-         deviation[x.amax((0, 2, 3), keepdim=True) == x.amin((0, 2, 3), keepdim=True)] = 1
+         deviation[deviation == 0] = 1
"""

# %% wrong: optimizer_patched
"""
caught_by: task3_test_c
says: "holds other parameters"
why: "new parameters at the start, and an optimizer made to move the old ones"

-                 self.s.copy_(torch.where(constant, 1.0, deviation).log())
-                 self.b.copy_(x.mean((0, 2, 3)).view(-1, 1, 1))
+                 self.s = nn.Parameter(torch.where(constant, 1.0, deviation).log())
+                 self.b = nn.Parameter(x.mean((0, 2, 3)).view(-1, 1, 1))

          return (x - self.b) * (-self.s).exp(), -(pixels * self.s.sum()).expand(len(x))
+ def step(self, closure=None):
+     for group in self.param_groups:
+         for parameter in group["params"]:
+             parameter.data += 1
+
+
+ torch.optim.SGD.step = step
"""

# %% wrong: posted
"""
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


# %% wrong: scalar_log_det
"""
caught_by: task3_test_a
says: "not one for the whole batch"
why: "one number for the batch"
from: four_axes

-         deviation[x.amax((0, 2, 3), keepdim=True) == x.amin((0, 2, 3), keepdim=True)] = 1
+         deviation[deviation == 0] = 1

-         return (x - self.b) / self.s.exp(), log_det.repeat(len(x))
+         return (x - self.b) / self.s.exp(), log_det
"""

# %% wrong: scale_only
"""
caught_by: task3_test_a
says: "the mean is not taken off"
why: "only the scale is set"
from: four_axes

-         deviation[x.amax((0, 2, 3), keepdim=True) == x.amin((0, 2, 3), keepdim=True)] = 1
-         self.b.copy_(mean)
+         deviation[deviation == 0] = 1
"""

# %% wrong: sign
"""
caught_by: task3_test_a
says: "sign is flipped"
why: "the same log-determinant both ways"
from: four_axes

-         deviation[x.amax((0, 2, 3), keepdim=True) == x.amin((0, 2, 3), keepdim=True)] = 1
+         deviation[deviation == 0] = 1

-         log_det = -x.shape[2] * x.shape[3] * self.s.sum()
+         log_det = x.shape[2] * x.shape[3] * self.s.sum()
"""

# %% wrong: three_channels
"""
caught_by: task3_test_a
says: "`channels` says how many there are"
why: "the number of channels of the example"
from: four_axes

-         self.s = nn.Parameter(torch.zeros(1, channels, 1, 1))
-         self.b = nn.Parameter(torch.zeros(1, channels, 1, 1))
+         self.s = nn.Parameter(torch.zeros(1, 3, 1, 1))
+         self.b = nn.Parameter(torch.zeros(1, 3, 1, 1))

-         deviation[x.amax((0, 2, 3), keepdim=True) == x.amin((0, 2, 3), keepdim=True)] = 1
+         deviation[deviation == 0] = 1
"""

# %% wrong: unbiased
"""
caught_by: task3_test_a
says: "divide by n"
why: "divides by n - 1"

-                 deviation = x.std((0, 2, 3), unbiased=False).view(-1, 1, 1)
+                 deviation = x.std((0, 2, 3), unbiased=True).view(-1, 1, 1)
"""

# %% wrong: variance
"""
caught_by: task3_test_a
says: "divided by the variance"
why: "variance for deviation"
from: four_axes

-         deviation = (x - mean).square().mean((0, 2, 3), keepdim=True).sqrt()
-         deviation[x.amax((0, 2, 3), keepdim=True) == x.amin((0, 2, 3), keepdim=True)] = 1
+         deviation = (x - mean).square().mean((0, 2, 3), keepdim=True)
+         deviation[deviation == 0] = 1
"""

# %% wrong: zero_log_det
"""
caught_by: task3_test_a
says: "left out (zero)"
why: "no log-determinant"
from: four_axes

-         deviation[x.amax((0, 2, 3), keepdim=True) == x.amin((0, 2, 3), keepdim=True)] = 1
+         deviation[deviation == 0] = 1

-         log_det = -x.shape[2] * x.shape[3] * self.s.sum()
+         log_det = 0 * self.s.sum()
"""
