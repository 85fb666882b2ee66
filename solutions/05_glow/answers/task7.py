# %% right: embedding
"""
why: "learns a vector for each class, and draws its noise and its batches itself"
"""

from flowlib.image import glow_layers


class DigitGlow(nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(3)
        self.classes = nn.Embedding(10, 8)
        self.layers = glow_layers((1, 8, 8), 2, 3, (32, 32), context=8)
        self.logit = logit_pixels(0.05)

    def way(self, v, labels):
        w, log_det = self.logit.inverse(v / 17)
        z, more = self.layers.inverse(w, self.classes(labels))
        return z, log_det + more - v[0].numel() * math.log(17)

    def train(self, images, labels):
        optimizer = torch.optim.AdamW(self.parameters(), lr=0.015, weight_decay=0.3)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 280)
        for _ in range(280):
            rows = torch.randint(len(images), (128,))
            z, log_det = self.way(images[rows] + torch.rand(128, 1, 8, 8), labels[rows])
            loss = (0.5 * z.flatten(1).square().sum(1) - log_det).mean() / 64
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(self.parameters(), 10.0)
            optimizer.step()
            schedule.step()

    @torch.no_grad()
    def to_latent(self, v, labels):
        return self.way(v, labels)

    @torch.no_grad()
    def to_pixels(self, z, labels):
        return 17 * self.logit(self.layers(z, self.classes(labels))[0])[0]


# %% right: nats
"""
why: "maximum likelihood in nats on the scale of the levels, and watches a part of the images"

-         def loss(flow, x, context):
-             return bits_per_dim(flow.log_prob(uniform_dequantize(x, 17), context), (1, 8, 8), 17)

-         context = nn.functional.one_hot(labels, 10).float()
-         options = {"steps": 200, "lr": 0.015, "weight_decay": 0.3, "batch_size": 128}
-         training.fit(self.flow, images, context=context, loss=loss, **options)
+         def loss(flow, x, context):
+             return -flow.log_prob((x + torch.rand_like(x)) / 17, context) / 64
+
+         context = torch.eye(10)[labels]
+         training.fit(
+             self.flow,
+             images[100:],
+             images[:100],
+             context=context[100:],
+             valid_context=context[:100],
+             loss=loss,
+             steps=260,
+             lr=0.01,
+             weight_decay=0.3,
+             batch_size=128,
+         )
"""

# %% wrong: few_steps
"""
caught_by: task7_test_a
says: "and 2.30 are asked"
why: "stops long before it has learned"

-         options = {"steps": 200, "lr": 0.015, "weight_decay": 0.3, "batch_size": 128}
+         options = {"steps": 40, "lr": 0.015, "weight_decay": 0.3, "batch_size": 128}
"""

# %% wrong: flattering
"""
caught_by: task7_test_a
says: "log_det is off by +100.0 nats"
why: "a log-determinant that promises more than the map keeps"

-         options = {"steps": 200, "lr": 0.015, "weight_decay": 0.3, "batch_size": 128}
+         options = {"steps": 5, "lr": 0.015, "weight_decay": 0.3, "batch_size": 128}

-         return z, log_det - 64 * math.log(17)
+         return z, log_det - 64 * math.log(17) + 100
"""

# %% wrong: known_digits
"""
caught_by: task7_test_b
says: "which this task does not allow"
why: "learns the course's digits at once, and not what comes in"

-         def loss(flow, x, context):
+         digits, known = data.digits()
+
+         def loss(flow, x, context):

-         context = nn.functional.one_hot(labels, 10).float()
+         images, context = digits.train, nn.functional.one_hot(known.train, 10).float()
"""

# %% wrong: levels
"""
caught_by: task7_test_a
says: "it is that of v/17"
why: "the constant of the levels is forgotten"

-         options = {"steps": 200, "lr": 0.015, "weight_decay": 0.3, "batch_size": 128}
+         options = {"steps": 5, "lr": 0.015, "weight_decay": 0.3, "batch_size": 128}

-         return z, log_det - 64 * math.log(17)
+         return z, log_det
"""

# %% wrong: no_label
"""
caught_by: task7_test_b
says: "of the ten labels"
why: "a Glow without a class"

-         glow = Glow((1, 8, 8), levels=2, steps=3, hidden=(32, 32), context=10)
+         glow = Glow((1, 8, 8), levels=2, steps=3, hidden=(32, 32))

-         def loss(flow, x, context):
-             return bits_per_dim(flow.log_prob(uniform_dequantize(x, 17), context), (1, 8, 8), 17)
+         def loss(flow, x, context=None):
+             return bits_per_dim(flow.log_prob(uniform_dequantize(x, 17)), (1, 8, 8), 17)

-         context = nn.functional.one_hot(labels, 10).float()

-         training.fit(self.flow, images, context=context, loss=loss, **options)
+         training.fit(self.flow, images, loss=loss, **options)

-             z, log_det = self.flow.bijection.inverse(v / 17, nn.functional.one_hot(labels, 10).float())
+             z, log_det = self.flow.bijection.inverse(v / 17)

-             y, _ = self.flow.bijection.forward(z, nn.functional.one_hot(labels, 10).float())
+             y, _ = self.flow.bijection.forward(z)
"""

# %% wrong: no_noise
"""
caught_by: task7_test_a
says: "bits"
why: "fits whole numbers, on which a density may put spikes"

-             return bits_per_dim(flow.log_prob(uniform_dequantize(x, 17), context), (1, 8, 8), 17)
+             return bits_per_dim(flow.log_prob(x / 17, context), (1, 8, 8), 17)
"""

# %% wrong: normals
"""
caught_by: task7_test_a
says: "does not use Glow or glow_layers or GlowStep"
why: "ten normal densities, which are ten linear flows, are no Glow"
"""


class DigitGlow:
    def __init__(self):
        self.mean, self.factor = torch.zeros(10, 64), torch.eye(64).expand(10, 64, 64)

    def train(self, images, labels):
        y = (images.repeat(8, 1, 1, 1) + torch.rand(8 * len(images), 1, 8, 8)) / 17
        w = torch.logit(0.05 + 0.9 * y).flatten(1)
        labels = labels.repeat(8)
        self.mean = torch.stack([w[labels == k].mean(0) for k in range(10)])
        shared = (w - self.mean[labels]).T.cov()
        self.factor = torch.stack(
            [torch.linalg.cholesky(0.85 * w[labels == k].T.cov() + 0.15 * shared) for k in range(10)]
        )

    def to_latent(self, v, labels):
        p = 0.05 + 0.9 * v / 17
        log_det = (0.9 / 17 / (p * (1 - p))).log().sum((1, 2, 3))
        w = (torch.logit(p).flatten(1) - self.mean[labels])[:, :, None]
        z = torch.linalg.solve_triangular(self.factor[labels], w, upper=False)[:, :, 0]
        log_det = log_det - self.factor[labels].diagonal(dim1=1, dim2=2).log().sum(1)
        return z.view_as(v), log_det

    def to_pixels(self, z, labels):
        w = (self.factor[labels] @ z.flatten(1)[:, :, None])[:, :, 0] + self.mean[labels]
        return (17 * (torch.sigmoid(w) - 0.05) / 0.9).view_as(z)


# %% wrong: rounded
"""
caught_by: task7_test_a
says: "is the noise rounded away"
why: "gives back whole numbers, as for a picture"

-         options = {"steps": 200, "lr": 0.015, "weight_decay": 0.3, "batch_size": 128}
+         options = {"steps": 5, "lr": 0.015, "weight_decay": 0.3, "batch_size": 128}

-         return 17 * y
+         return (17 * y).floor()
"""

# %% wrong: sign
"""
caught_by: task7_test_a
says: "the sign is flipped"
why: "the log-determinant of the other direction"

-         options = {"steps": 200, "lr": 0.015, "weight_decay": 0.3, "batch_size": 128}
+         options = {"steps": 5, "lr": 0.015, "weight_decay": 0.3, "batch_size": 128}

-         return z, log_det - 64 * math.log(17)
+         return z, 64 * math.log(17) - log_det
"""

# %% wrong: small_latents
"""
caught_by: task7_test_a
says: "log_det is off by"
why: "shrinks z, so that the base likes it better, and does not say so"

-         options = {"steps": 200, "lr": 0.015, "weight_decay": 0.3, "batch_size": 128}
+         options = {"steps": 5, "lr": 0.015, "weight_decay": 0.3, "batch_size": 128}

-         return z, log_det - 64 * math.log(17)
+         return 0.7 * z, log_det - 64 * math.log(17)

-             y, _ = self.flow.bijection.forward(z, nn.functional.one_hot(labels, 10).float())
+             y, _ = self.flow.bijection.forward(z / 0.7, nn.functional.one_hot(labels, 10).float())
"""

# %% wrong: untrained
"""
caught_by: task7_test_a
says: "Was it trained"
why: "training is left out"

-         training.fit(self.flow, images, context=context, loss=loss, **options)
"""
