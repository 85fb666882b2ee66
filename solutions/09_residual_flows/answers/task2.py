# %% right: autograd
"""
why: "the transpose is what autograd does to a product with the output; the length by a sum of squares"
"""


def conv_norm(kernel, v, rounds):
    def forward(image):
        return F.conv2d(image[None], kernel, padding=kernel.shape[2] // 2)[0]

    v = v / torch.linalg.vector_norm(v)
    for _ in range(rounds):
        image = v.detach().requires_grad_()
        half = 0.5 * (forward(image) ** 2).sum()
        (v,) = torch.autograd.grad(half, image)  # the gradient of |A v|^2 / 2 is A'A v
        v = v / (v**2).sum().sqrt()
    return float((forward(v) ** 2).sum()) ** 0.5, v


def contracted(kernel, v, rounds, lipschitz, margin):
    sigma = conv_norm(kernel, v, rounds)[0] * (1 + margin)
    return kernel.clone() if sigma <= lipschitz else kernel / sigma * lipschitz


# %% right: matrix
"""
why: "writes the convolution out as a matrix, from the images with one pixel, and multiplies"
"""


def matrix_of(kernel, shape):
    pixels = torch.eye(shape.numel(), dtype=kernel.dtype).reshape(-1, *shape)
    return F.conv2d(pixels, kernel, padding=kernel.shape[-1] // 2).flatten(1)


def conv_norm(kernel, v, rounds):
    rows, direction = matrix_of(kernel, v.shape), v.flatten() / v.norm()
    for _ in range(rounds):
        direction = rows @ (direction @ rows)
        direction = direction / direction.norm()
    return (direction @ rows).norm(), direction.reshape(v.shape)


def contracted(kernel, v, rounds, lipschitz, margin):
    sigma, _ = conv_norm(kernel, v, rounds)
    return kernel * min(1.0, float(lipschitz / (sigma + margin * sigma)))


# %% right: mirrored
"""
why: "the transpose as a convolution with the mirrored kernel whose channels are exchanged"
"""


def conv_norm(kernel, v, rounds):
    same = {"padding": "same"}
    transposed = kernel.flip((2, 3)).permute(1, 0, 2, 3)
    v = F.normalize(v.flatten(), dim=0).view_as(v)
    while rounds > 0:
        v = F.conv2d(F.conv2d(v, kernel, **same), transposed, **same)
        v = F.normalize(v.flatten(), dim=0).view_as(v)
        rounds -= 1
    return F.conv2d(v, kernel, **same).norm(), v


def contracted(kernel, v, rounds, lipschitz, margin):
    sigma, _ = conv_norm(kernel, v, rounds)
    return kernel / torch.clamp((1 + margin) * sigma / lipschitz, min=1.0)


# %% wrong: a_twice
"""
caught_by: task2_test_a
says: "A is applied twice"
why: "the same convolution twice, where it can be"

-         v = F.conv_transpose2d(u, kernel, padding=padding)
+         there_again = kernel.shape[0] == kernel.shape[1]
+         v = (F.conv2d if there_again else F.conv_transpose2d)(u, kernel, padding=padding)
"""

# %% wrong: eigenvalue
"""
caught_by: task2_test_a
says: "sigma squared"
why: "the eigenvalue of A'A"

-     return F.conv2d(v, kernel, padding=padding).norm(), v
+     return F.conv2d(v, kernel, padding=padding).square().sum(), v
"""

# %% wrong: enlarges
"""
caught_by: task2_test_b
says: "is made larger"
why: "scales every kernel to the bound"

-     return kernel * (lipschitz / ((1 + margin) * sigma)).clamp(max=1)
+     return kernel * (lipschitz / ((1 + margin) * sigma))
"""

# %% wrong: flat_kernel
"""
caught_by: task2_test_a
says: "the norm of the kernel as a matrix"
why: "power iteration on the flattened kernel, as popular code does it"
"""


def conv_norm(kernel, v, rounds):
    flat = kernel.flatten(1)
    w = torch.ones(flat.shape[1], dtype=kernel.dtype)
    for _ in range(max(rounds, 1000)):
        w = flat.T @ (flat @ w)
        w = w / w.norm()
    return (flat @ w).norm(), v / v.norm()


def contracted(kernel, v, rounds, lipschitz, margin):
    sigma, _ = conv_norm(kernel, v, rounds)
    return kernel * (lipschitz / ((1 + margin) * sigma)).clamp(max=1)


# %% wrong: flowlib
"""
caught_by: task2_test_a
says: "which this task does not allow"
why: "lets flowlib's convolution do it"
"""

from flowlib.lipschitz import LipschitzConv2d


def conv_norm(kernel, v, rounds):
    layer = LipschitzConv2d(v.shape, kernel.shape[0], kernel.shape[-1], 1.0)
    return layer.scaled().norm(), v


def contracted(kernel, v, rounds, lipschitz, margin):
    sigma, _ = conv_norm(kernel, v, rounds)
    return kernel * lipschitz / sigma


# %% wrong: forgets_lipschitz
"""
caught_by: task2_test_b
says: "it must be lipschitz"
why: "scales to norm 1, whatever is asked"

-     return kernel * (lipschitz / ((1 + margin) * sigma)).clamp(max=1)
+     return kernel * (1 / ((1 + margin) * sigma)).clamp(max=1)
"""

# %% wrong: frobenius
"""
caught_by: task2_test_a
says: "the length of the kernel"
why: "all entries of the kernel squared and added"

-     return F.conv2d(v, kernel, padding=padding).norm(), v
+     return kernel.norm(), v
"""

# %% wrong: half_a_round
"""
caught_by: task2_test_a
says: "half a round further"
why: "the length before the last scaling"

-     return F.conv2d(v, kernel, padding=padding).norm(), v
+     u = F.conv2d(v, kernel, padding=padding)
+     return F.conv_transpose2d(u / u.norm(), kernel, padding=padding).norm(), v
"""

# %% wrong: identity
"""
caught_by: task2_test_b
says: "comes back as it is"
why: "changes nothing"

-     return kernel * (lipschitz / ((1 + margin) * sigma)).clamp(max=1)
+     return kernel.clone()
"""

# %% wrong: margin_down
"""
caught_by: task2_test_b
says: "the margin"
why: "the margin makes the norm smaller"

-     return kernel * (lipschitz / ((1 + margin) * sigma)).clamp(max=1)
+     return kernel * (lipschitz / ((1 - margin) * sigma)).clamp(max=1)
"""

# %% wrong: no_margin
"""
caught_by: task2_test_b
says: "the margin is missing"
why: "takes the estimate for the norm"

-     return kernel * (lipschitz / ((1 + margin) * sigma)).clamp(max=1)
+     return kernel * (lipschitz / sigma).clamp(max=1)
"""

# %% wrong: not_mirrored
"""
caught_by: task2_test_a
says: "the kernel is not mirrored"
why: "exchanges the channels and forgets to mirror"

-         v = F.conv_transpose2d(u, kernel, padding=padding)
+         v = F.conv2d(u, kernel.transpose(0, 1), padding=padding)
"""

# %% wrong: not_scaled
"""
caught_by: task2_test_a
says: "v is not scaled to length 1"
why: "forgets to scale on the way"

-         v = v / v.norm()
-     return F.conv2d(v, kernel, padding=padding).norm(), v
+     return F.conv2d(v, kernel, padding=padding).norm(), v
"""

# %% wrong: old_v
"""
caught_by: task2_test_a
says: "v is what came in"
why: "returns the start"

-     padding, v = kernel.shape[-1] // 2, v / v.norm()
+     padding, start, v = kernel.shape[-1] // 2, v, v / v.norm()

-     return F.conv2d(v, kernel, padding=padding).norm(), v
+     return F.conv2d(v, kernel, padding=padding).norm(), start
"""

# %% wrong: one_round_more
"""
caught_by: task2_test_a
says: "one round too many"
why: "one round more than asked"

-     for _ in range(rounds):
+     for _ in range(rounds + 1):
"""

# %% wrong: returns_u
"""
caught_by: task2_test_a
says: "this is A v"
why: "hands out the image of the other side"

-     return F.conv2d(v, kernel, padding=padding).norm(), v
+     u = F.conv2d(v, kernel, padding=padding)
+     return u.norm(), u
"""

# %% wrong: svd
"""
caught_by: task2_test_a
says: "which this task does not allow"
why: "asks for the singular values"

-     return F.conv2d(v, kernel, padding=padding).norm(), v
+     pixels = torch.eye(v.numel(), dtype=v.dtype).view(-1, *v.shape)
+     return torch.linalg.svdvals(F.conv2d(pixels, kernel, padding=padding).flatten(1))[0], v
"""
